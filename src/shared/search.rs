//! Search by words, for every feature that offers it.
//!
//! A record matches if every typed word is the beginning of one of its words. The longest typed word is looked up in
//! the index; the others are checked against the list of all words in each index item. An index item also stores how
//! many characters its word shares with the record's alphabetically earlier words. If a typed word is no longer than
//! that, an earlier word already found the record. So each record is found once, and on one page only.

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

/// Normalizes text for comparison: lowercase, without accents, compatibility forms decomposed (NFKD).
pub fn fold(text: &str) -> String {
    text.to_lowercase().nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>().to_lowercase()
}

/// A word in the index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexWord {
    /// The folded word.
    pub word: String,
    /// The number of its first characters that it shares with an alphabetically earlier word of the same record.
    pub shared: usize,
}

/// Returns the words of a record for the index, sorted and without duplicates.
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

/// Returns the number of common first characters. In a sorted list, no earlier word shares more than the previous
/// one.
fn shared_chars(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// The text of a search field, with at least one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    typed: String,
    longest: String,
    others: Vec<String>,
}

impl SearchQuery {
    /// The most characters of a typed text.
    pub const MAX_CHARS: usize = 200;

    /// Parses the text of a search field, or returns `None` if it is only white space.
    ///
    /// # Errors
    /// [`Invalid`] if it is too long or contains control characters.
    pub fn parse(typed: &str) -> Result<Option<Self>, Invalid> {
        Self::check(typed)?;
        Ok(Self::of_words(typed, typed.split_whitespace().map(fold).flat_map(folded_words)))
    }

    /// Checks the length and the characters of a typed text.
    ///
    /// # Errors
    /// [`Invalid`] if it is too long or contains control characters.
    pub fn check(typed: &str) -> Result<(), Invalid> {
        if typed.chars().count() > Self::MAX_CHARS {
            return Err(Invalid::new("A search can have at most 200 characters."));
        }
        if typed.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            return Err(Invalid::new("A search can't have control characters."));
        }
        Ok(())
    }

    /// Creates a query of folded words, or returns `None` if there are none.
    pub fn of_words(typed: &str, words: impl IntoIterator<Item = String>) -> Option<Self> {
        Self::of_ranked_words(typed, words, |_| 0)
    }

    /// Creates a query that looks up the longest of the words with the highest rank.
    pub fn of_ranked_words(
        typed: &str,
        words: impl IntoIterator<Item = String>,
        rank: impl Fn(&str) -> u8,
    ) -> Option<Self> {
        let words: BTreeSet<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let words: Vec<(u8, String)> = words.into_iter().map(|word| (rank(&word), word)).collect();
        // A word that is the beginning of another typed word adds nothing, unless it is the one to look up.
        let begins_another = |(rank, word): &(u8, String)| {
            let is_longer = |other: &str| other != word && other.starts_with(word.as_str());
            words.iter().any(|(of_other, other)| of_other >= rank && is_longer(other))
        };
        let mut kept: Vec<&(u8, String)> = words.iter().filter(|word| !begins_another(word)).collect();
        kept.sort_by_key(|(rank, word)| (*rank, word.chars().count()));
        let mut words: Vec<String> = kept.into_iter().map(|(_, word)| word.clone()).collect();
        let longest = words.pop()?;
        Some(Self { typed: typed.trim().to_owned(), longest, others: words })
    }

    /// Returns the typed text, without white space around it.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// Whether the query has too few characters for a partition of an index that needs two. One character of a script
    /// with many is enough.
    pub fn is_short(&self) -> bool {
        self.longest.len() == 1
    }

    /// Returns the word to look up in the index: the longest one, or the longest of those with the highest rank.
    pub fn longest(&self) -> &str {
        &self.longest
    }

    /// Returns the other words, which the record must have too.
    pub fn others(&self) -> &[String] {
        &self.others
    }
}

/// Splits folded text, because folding may turn one character into several with spaces (U+00A8 is a space and a
/// combining mark).
fn folded_words(folded: String) -> Vec<String> {
    folded.split_whitespace().map(str::to_owned).collect()
}

/// The part of the table with the words of one kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordIndex {
    /// The prefix of its partitions, before the word's first characters.
    pub prefix: &'static str,
    /// How many first characters of a word name its partition, 1 or 2. More of them spread the writes of common words,
    /// but a query then needs as many.
    pub partition_chars: usize,
    /// The name of its list in cursors.
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
        // In scripts with many characters one is enough, and is often a whole word.
        let first = word.chars().next().unwrap_or_default();
        let chars = if first.is_ascii() { self.partition_chars } else { 1 };
        format!("{}{}", self.prefix, word.chars().take(chars).collect::<String>())
    }

    /// Returns the key of a record's word. Words contain no space, so a space separates the word and the id.
    pub fn key(self, word: &str, id: &impl Display) -> Key {
        Key::new(self.partition(word), format!("{word} {id}"))
    }

    /// Creates the items for all words of a record. `more` identifies the record and holds the attributes for
    /// filters.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if `more` is not a map.
    pub fn items(
        self,
        words: &[IndexWord],
        id: &impl Display,
        more: &impl Serialize,
    ) -> Result<Vec<Item>, StoreError> {
        self.items_with(words, &[], id, more)
    }

    /// Creates the items like [`items`](Self::items). The other words have no items, so they only narrow down what
    /// another word finds.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if `more` is not a map.
    pub fn items_with(
        self,
        words: &[IndexWord],
        others: &[String],
        id: &impl Display,
        more: &impl Serialize,
    ) -> Result<Vec<Item>, StoreError> {
        // Each word has a space before it, so "contains a space and these letters" means "a word begins with them".
        let all = words.iter().map(|indexed| &indexed.word).chain(others);
        let all: String = all.map(|word| format!(" {word}")).collect();
        let item = |indexed: &IndexWord| {
            to_item(&self.key(&indexed.word, id), &WordItem { shared: indexed.shared, words: &all, more })
        };
        words.iter().map(item).collect()
    }

    /// Returns the index items that a query finds, at most `limit`, and the cursor of the next page, with one call.
    /// If the other words or the filter drop many items, a page may have fewer than `limit`.
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
        Ok((found, next.map(|sk| self.cursor_after(&sk))))
    }

    /// Returns the cursor after the index item with this sort key.
    pub fn cursor_after(self, sort: &str) -> String {
        Cursor::after([sort.to_owned()]).encode(self.list)
    }

    /// Whether a cursor belongs to this index.
    pub fn owns(self, cursor: &str) -> bool {
        Cursor::<1>::decode(self.list, cursor).is_ok()
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
            // DynamoDB rejects a start key outside of the range.
            if !sort.starts_with(word) {
                return Err(CursorError.into());
            }
            select = select.after(sort, &Key::new(partition, sort));
        }
        Ok(select)
    }
}

/// Returns how often a query finds a record with these words, with the same conditions as [`WordIndex::find`]. For
/// tests of features with a search.
#[cfg(test)]
pub(crate) fn hits(words: &[IndexWord], others: &[String], query: &SearchQuery) -> usize {
    let all = || words.iter().map(|indexed| &indexed.word).chain(others);
    let has = |typed: &String| all().any(|word| word.starts_with(typed.as_str()));
    let found = words.iter().filter(|indexed| {
        indexed.word.starts_with(query.longest()) && indexed.shared < query.longest().chars().count()
    });
    if query.others().iter().all(has) { found.count() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_at_most_200_characters() {
        assert!(SearchQuery::parse(&"é".repeat(200)).unwrap().is_some());
        assert!(SearchQuery::parse(&"a ".repeat(100)).unwrap().is_some());
        assert!(SearchQuery::parse(&"a".repeat(201)).is_err());
        assert_eq!(SearchQuery::parse("  \u{301} ").unwrap(), None);
    }
}
