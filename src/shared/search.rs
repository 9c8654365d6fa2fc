//! Search by words, for whatever is found so.
//!
//! Every word typed must be the beginning of some word of the thing. The longest typed word is looked up in the
//! index; the others are checked against the list of all words that each index item carries. An item also carries
//! how many characters its word shares with the thing's alphabetically earlier words: a typed word no longer than
//! that has found the thing at the earlier word already, so each thing is found once, on whatever page.

use std::collections::BTreeSet;
use std::fmt::Display;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::base::values::Invalid;
use crate::store::schema::SK;
use crate::store::{
    Condition, Cursor, CursorError, Dynamo, Item, Key, Select, StoreError, to_attribute, to_item,
};

/// The form in which words are compared: lower case, without accents, compatibility forms unfolded (NFKD).
pub fn fold(text: &str) -> String {
    text.to_lowercase().nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>().to_lowercase()
}

/// A word as the index keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexWord {
    /// The folded word.
    pub word: String,
    /// How many of its first characters some alphabetically earlier word of the same thing has too.
    pub shared: usize,
}

/// The words by which a thing is found, in alphabetical order, each once.
pub fn index_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<IndexWord> {
    let folded: BTreeSet<String> = words.into_iter().map(fold).filter(|word| !word.is_empty()).collect();
    let mut earlier = "";
    let mut index = Vec::with_capacity(folded.len());
    for word in &folded {
        index.push(IndexWord { shared: shared_chars(earlier, word), word: word.clone() });
        earlier = word;
    }
    index
}

/// In a sorted list, the word right before shares the longest beginning of all earlier words.
fn shared_chars(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// What was typed into a search field, at least one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    typed: String,
    longest: String,
    others: Vec<String>,
}

impl SearchQuery {
    const MAX_CHARS: usize = 200;

    /// Reads what was typed; nothing but white space is no query.
    ///
    /// # Errors
    /// [`Invalid`] if it is too long or holds control characters.
    pub fn parse(typed: &str) -> Result<Option<Self>, Invalid> {
        if typed.chars().count() > Self::MAX_CHARS {
            return Err(Invalid::new("A search has at most 200 characters."));
        }
        if typed.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            return Err(Invalid::new("A search has no control characters."));
        }
        let words: BTreeSet<String> = typed.split_whitespace().map(fold).flat_map(folded_words).collect();
        // A word that begins another typed word says nothing that the other does not say.
        let begins_another =
            |word: &String| words.iter().any(|other| other != word && other.starts_with(word.as_str()));
        let mut words: Vec<String> = words.iter().filter(|word| !begins_another(word)).cloned().collect();
        words.sort_by_key(|word| word.chars().count());
        let Some(longest) = words.pop() else { return Ok(None) };
        Ok(Some(Self { typed: typed.trim().to_owned(), longest, others: words }))
    }

    /// As it was typed, without white space around it.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The word to look up in the index.
    pub fn longest(&self) -> &str {
        &self.longest
    }

    /// The other words, which the thing must have too.
    pub fn others(&self) -> &[String] {
        &self.others
    }
}

/// Folding may unfold one character into several with spaces between (U+00A8 is a space and a combining mark).
fn folded_words(folded: String) -> Vec<String> {
    folded.split_whitespace().map(str::to_owned).collect()
}

/// Where the words of one kind of thing stand in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordIndex {
    /// What its partitions begin with; the word's first character follows.
    pub prefix: &'static str,
    /// The name of its cursors.
    pub list: &'static str,
}

/// The most index items that one page of a search reads.
const MOST_READ: u16 = 1_000;

#[derive(Serialize)]
struct WordItem<'a, T> {
    shared: usize,
    words: &'a str,
    #[serde(flatten)]
    more: &'a T,
}

impl WordIndex {
    fn partition(self, word: &str) -> String {
        format!("{}{}", self.prefix, word.chars().next().unwrap_or_default())
    }

    /// Where a word of a thing stands. Words hold no space, so a space ends the word in a sort key.
    pub fn key(self, word: &str, id: &impl Display) -> Key {
        Key::new(self.partition(word), format!("{word} {id}"))
    }

    /// The items of all words of a thing; `more` says whose they are and what a search may filter by.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if `more` is no map.
    pub fn items(
        self,
        words: &[IndexWord],
        id: &impl Display,
        more: &impl Serialize,
    ) -> Result<Vec<Item>, StoreError> {
        // Each word has a space before it, so "contains a space and these letters" is "a word begins with them".
        let all: String = words.iter().map(|indexed| format!(" {}", indexed.word)).collect();
        let item = |indexed: &IndexWord| {
            to_item(&self.key(&indexed.word, id), &WordItem { shared: indexed.shared, words: &all, more })
        };
        words.iter().map(item).collect()
    }

    /// The index items of what a query finds, at most `limit`, and where the next page begins. One call. A search
    /// whose other words or filter drop much may end before its page is full.
    ///
    /// # Errors
    /// [`CursorError`] for a cursor of another list, [`StoreError`] if the store failed.
    pub async fn find<E: From<StoreError> + From<CursorError>>(
        self,
        dynamo: &Dynamo,
        query: &SearchQuery,
        filter: Option<Condition>,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<(Vec<Item>, Option<String>), E> {
        let page = dynamo.select(&self.range::<E>(query, filter, limit, cursor)?).await?;
        let sort = |item: &Item| Some(item.get(SK)?.as_s().ok()?.clone());
        let (mut found, limit) = (page.items, usize::from(limit));
        let next = if found.len() > limit {
            found.truncate(limit);
            found.last().and_then(sort)
        } else {
            page.last.as_ref().and_then(sort)
        };
        Ok((found, next.map(|sk| Cursor::after([sk]).encode(self.list))))
    }

    fn range<E: From<StoreError> + From<CursorError>>(
        self,
        query: &SearchQuery,
        also: Option<Condition>,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Select, E> {
        let word = query.longest();
        let selective = !query.others().is_empty() || also.is_some();
        let mut filter = Condition::LessThan("shared", to_attribute(word.chars().count())?);
        for other in query.others() {
            filter = filter.and(Condition::Contains("words", to_attribute(format!(" {other}"))?));
        }
        if let Some(also) = also {
            filter = filter.and(also);
        }
        let read = if selective { MOST_READ } else { 2 * limit + 1 };
        let partition = self.partition(word);
        let mut select = Select::partition(&partition, read.into()).begins_with(word).filter(filter);
        if let Some(text) = cursor {
            let cursor = Cursor::<1>::decode(self.list, text)?;
            let [sort] = cursor.parts();
            // DynamoDB refuses to start outside of the range.
            if !sort.starts_with(word) {
                return Err(CursorError.into());
            }
            select = select.after(sort, &Key::new(partition, sort));
        }
        Ok(select)
    }
}

/// How often a query finds a thing of these words, as [`WordIndex::find`] does with DynamoDB's conditions: for tests of
/// features that are searched.
#[cfg(test)]
pub(crate) fn hits(words: &[IndexWord], query: &SearchQuery) -> usize {
    let has = |typed: &String| words.iter().any(|indexed| indexed.word.starts_with(typed.as_str()));
    let found = words.iter().filter(|indexed| {
        indexed.word.starts_with(query.longest()) && indexed.shared < query.longest().chars().count()
    });
    if query.others().iter().all(has) { found.count() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_of_200_characters_is_read_and_one_of_201_is_refused_in_words() {
        assert!(SearchQuery::parse(&"é".repeat(200)).unwrap().is_some());
        assert!(SearchQuery::parse(&"a ".repeat(100)).unwrap().is_some());
        assert!(SearchQuery::parse(&"a".repeat(201)).is_err());
        assert_eq!(SearchQuery::parse("  \u{301} ").unwrap(), None);
    }
}
