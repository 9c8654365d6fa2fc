//! Which words find a lead. Pure: the store turns words into index items and queries into key conditions.
//!
//! Every word typed must be the beginning of some word of the lead. The longest typed word is looked up in the
//! index; the others are checked against the list of all words that each index item carries. An item also carries
//! how many characters its word shares with the lead's alphabetically earlier words: a typed word no longer than
//! that has found the lead at the earlier word already, so each lead is found once, on whatever page.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::domain::Lead;
use crate::values::{Email, Invalid, Name, email_parts, name_parts};

/// The form in which words are compared: lower case, without accents, compatibility forms unfolded (NFKD).
pub fn fold(text: &str) -> String {
    text.to_lowercase().nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>().to_lowercase()
}

/// A word of a lead as the index keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexWord {
    /// The folded word.
    pub word: String,
    /// How many of its first characters some alphabetically earlier word of the lead has too.
    pub shared: usize,
}

/// The words by which a lead is found, in alphabetical order, each once.
pub fn words_of(lead: &Lead) -> Vec<IndexWord> {
    let email = lead.email.as_str();
    let state = lead.state.as_ref().map(|state| state.as_str());
    let words = name_parts(lead.name.as_str()).chain(email_parts(email)).chain([email]).chain(state);
    let folded: BTreeSet<String> = words.map(fold).filter(|word| !word.is_empty()).collect();
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

/// The most words of one lead. Replacing them all, with the lead, its history, e-mail and ledger, is under the 100
/// actions of one transaction.
pub const MAX_WORDS: usize = 2 * Name::MAX_WORDS + Email::MAX_PARTS + 2;

/// What was typed into the search field, at least one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    typed: String,
    longest: String,
    others: Vec<String>,
}

impl Query {
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

    /// The other words, which the lead must have too.
    pub fn others(&self) -> &[String] {
        &self.others
    }
}

/// Folding may unfold one character into several with spaces between (U+00A8 is a space and a combining mark).
fn folded_words(folded: String) -> Vec<String> {
    folded.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::leads::domain::{Actor, LeadId, NewLead};

    fn lead(name: &str, email: &str, state: Option<&str>) -> Lead {
        let new = NewLead {
            name: name.parse().unwrap(),
            email: email.parse().unwrap(),
            state: state.map(|code| code.parse().unwrap()),
            lead_score: Default::default(),
            status: Default::default(),
        };
        let id = LeadId::new(Timestamp::UNIX_EPOCH, &[0; 10]);
        new.into_lead(id, Timestamp::UNIX_EPOCH, Actor::new("test")).unwrap()
    }

    /// What the store does with DynamoDB's conditions, in words.
    fn hits(lead: &Lead, query: &Query) -> usize {
        let words = words_of(lead);
        let has = |typed: &String| words.iter().any(|indexed| indexed.word.starts_with(typed.as_str()));
        let found = words.iter().filter(|indexed| {
            indexed.word.starts_with(query.longest()) && indexed.shared < query.longest().chars().count()
        });
        if query.others().iter().all(has) { found.count() } else { 0 }
    }

    fn finds(lead: &Lead, typed: &str) -> bool {
        hits(lead, &Query::parse(typed).unwrap().unwrap()) == 1
    }

    #[test]
    fn every_typed_word_must_begin_some_word_of_the_lead() {
        let lead = lead("José O'Brien-Smith", "jose_brien+sales@mail.example.com", Some("NY"));
        for typed in [
            "jose",
            "JOSÉ",
            "jose\u{301}",
            "jos bri",
            "o'b",
            "smith",
            "sales",
            "example",
            "com",
            "ny",
            "NY jo",
            "jose_brien+sales@mail.example.com",
            "jose_b",
            "br j",
        ] {
            assert!(finds(&lead, typed), "{typed}");
        }
        for typed in ["ose", "smithy", "nyc", "jose x", "%", "_", "\"", "🎉", "york"] {
            assert!(!finds(&lead, typed), "{typed}");
        }
    }

    #[test]
    fn marks_and_emoji_are_ordinary_words() {
        let lead = lead("100% 🎉 _x_", "a@example.com", None);
        for typed in ["100%", "🎉", "_x", "x", "100"] {
            assert!(finds(&lead, typed), "{typed}");
        }
    }

    #[test]
    fn a_query_of_200_characters_is_read_and_one_of_201_is_refused_in_words() {
        assert!(Query::parse(&"é".repeat(200)).unwrap().is_some());
        assert!(Query::parse(&"a ".repeat(100)).unwrap().is_some());
        assert!(Query::parse(&"a".repeat(201)).is_err());
        assert_eq!(Query::parse("  \u{301} ").unwrap(), None);
    }

    #[test]
    fn a_lead_never_has_more_words_than_a_transaction_can_replace() {
        let words: Vec<String> = (0..12).map(|n| format!("a{n}-b{n}")).collect();
        let parts: Vec<String> = (0..13).map(|n| format!("c{n}")).collect();
        let name = words.join(" ");
        if let Ok(name) = name.parse::<Name>() {
            let lead = lead(name.as_str(), &format!("{}@example.com", parts.join(".")), Some("CA"));
            assert!(words_of(&lead).len() <= MAX_WORDS);
        }
        const { assert!(2 * MAX_WORDS + 5 <= 100) };
    }

    proptest! {
        #[test]
        fn a_lead_is_found_once_by_any_beginnings_of_its_words(
            name in "[a-cé]{1,4}( [a-c']{1,4}){0,3}", local in "[a-c]{1,3}([._+-][a-c]{1,3}){0,2}",
            picks in prop::collection::vec((any::<prop::sample::Index>(), 1usize..5), 1..4),
        ) {
            let Ok(name) = name.parse::<Name>() else { return Ok(()) };
            let lead = lead(name.as_str(), &format!("{local}@abc.example.com"), Some("CA"));
            let words = words_of(&lead);
            let typed: Vec<String> = picks.iter()
                .map(|(pick, length)| pick.get(&words).word.chars().take(*length).collect())
                .collect();
            let query = Query::parse(&typed.join(" ")).unwrap().unwrap();
            prop_assert_eq!(hits(&lead, &query), 1);
        }
    }
}
