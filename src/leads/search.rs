//! The words that find a lead. Pure. [`crate::shared::search`] implements the search for all features.

pub use crate::shared::search::{IndexWord, SearchQuery};

use super::domain::Lead;
use crate::base::values::{Email, Name, email_parts, name_parts};
use crate::shared::search::index_words;

/// Returns the words that find a lead, sorted and without duplicates.
pub fn words_of(lead: &Lead) -> Vec<IndexWord> {
    let email = lead.email.as_str();
    let state = lead.state.as_ref().map(|state| state.as_str());
    index_words(name_parts(lead.name.as_str()).chain(email_parts(email)).chain([email]).chain(state))
}

/// The most words of one lead. Replacing all of them, together with the lead, its history entry, its email address and
/// the idempotency record, takes fewer than the 100 actions of one transaction.
pub const MAX_WORDS: usize = 2 * Name::MAX_WORDS + Email::MAX_PARTS + 2;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::base::identity::Actor;
    use crate::leads::domain::{LeadId, NewLead};
    use crate::shared::search::hits;

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

    fn finds(lead: &Lead, typed: &str) -> bool {
        hits(&words_of(lead), &SearchQuery::parse(typed).unwrap().unwrap()) == 1
    }

    #[test]
    fn every_typed_word_must_be_the_start_of_a_word() {
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
    fn punctuation_and_emoji_can_be_searched() {
        let lead = lead("100% 🎉 _x_", "a@example.com", None);
        for typed in ["100%", "🎉", "_x", "x", "100"] {
            assert!(finds(&lead, typed), "{typed}");
        }
    }

    #[test]
    fn a_transaction_can_replace_all_words_of_a_lead() {
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
        fn any_word_prefixes_find_a_lead_once(
            name in "[a-cé]{1,4}( [a-c']{1,4}){0,3}", local in "[a-c]{1,3}([._+-][a-c]{1,3}){0,2}",
            picks in prop::collection::vec((any::<prop::sample::Index>(), 1usize..5), 1..4),
        ) {
            let Ok(name) = name.parse::<Name>() else { return Ok(()) };
            let lead = lead(name.as_str(), &format!("{local}@abc.example.com"), Some("CA"));
            let words = words_of(&lead);
            let typed: Vec<String> = picks.iter()
                .map(|(pick, length)| pick.get(&words).word.chars().take(*length).collect())
                .collect();
            let query = SearchQuery::parse(&typed.join(" ")).unwrap().unwrap();
            prop_assert_eq!(hits(&words, &query), 1);
        }
    }
}
