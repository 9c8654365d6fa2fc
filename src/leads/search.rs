//! The words that find a lead, and how a typed text is split into them. Pure. [`crate::shared::search`] implements the
//! search for all features.
//!
//! Invariants: the typed text is split exactly as the fields are, so what a person copies from a page finds the lead. A
//! lead has at most [`MAX_WORDS`] words in the index, and each takes two write units. Words that nearly all leads share
//! (top-level domains, common mail hosts, legal forms of companies) count as words neither in the index nor in a query.
//! Words that many leads share, those of their state, are not in the index either: the lists of the states have these
//! leads, and the words narrow down what other words find.

mod phone;
mod split;
mod states;

pub use crate::shared::search::{IndexWord, SearchQuery};

use self::phone::{is_phone_only, phone_words, typed_phone};
use self::split::{Domain, domain_words, is_legal_form, pieces, typed_domain_words};
pub(super) use self::states::states_with;
use self::states::{begins_state_word, state_words};
use super::domain::Lead;
use crate::base::values::Invalid;
use crate::shared::search::{fold, index_words};

/// The most words of one lead in the index. Replacing all words of a lead and removing those of another one, which a
/// merge does, takes fewer than the 100 actions of one transaction.
pub const MAX_WORDS: usize = 24;

/// The most words of a company in the index. The others only narrow a search down.
const MOST_COMPANY_WORDS: usize = 4;

/// The words of a lead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadWords {
    /// The words that find the lead, sorted and without duplicates.
    pub indexed: Vec<IndexWord>,
    /// Words that narrow down what another word finds.
    pub others: Vec<String>,
}

impl LeadWords {
    /// Whether one of all words begins with a typed word.
    fn has(&self, typed: &str) -> bool {
        let mut all = self.indexed.iter().map(|indexed| &indexed.word).chain(&self.others);
        all.any(|word| word.starts_with(typed))
    }

    /// Whether a word in the index begins with a typed word.
    fn finds(&self, typed: &str) -> bool {
        self.indexed.iter().any(|indexed| indexed.word.starts_with(typed))
    }
}

/// Returns the words of a lead.
pub fn words_of(lead: &Lead) -> LeadWords {
    let phone = lead.phone.as_ref().map(|phone| phone_words(&phone.digits())).unwrap_or_default();
    let company: Vec<String> = lead.company.iter().flat_map(|name| company_words(name.as_str())).collect();
    // An initial finds too much by itself.
    let (company, initials): (Vec<String>, _) = company.into_iter().partition(|word| word.len() > 1);
    let (first, rest) = company.split_at(company.len().min(MOST_COMPANY_WORDS));
    let mut words = name_words(lead.name.as_str());
    words.extend(phone.indexed);
    words.extend(email_words(lead.email.as_str()));
    words.extend_from_slice(first);
    let indexed = capped(&words);
    let mut others: Vec<String> = lead.state.iter().flat_map(state_words).collect();
    others.extend(phone.others);
    others.extend(initials.into_iter().chain(rest.iter().cloned()).map(|word| fold(&word)));
    others.retain(|word| indexed.iter().all(|indexed| !indexed.word.starts_with(word.as_str())));
    others.sort_unstable();
    others.dedup();
    LeadWords { indexed, others }
}

/// Returns the words of a lead in the second search index, which only unreleased versions wrote: it had items for the
/// state, for the local number and for all words of the company.
pub(super) fn second_words_of(lead: &Lead) -> Vec<IndexWord> {
    let mut words = name_words(lead.name.as_str());
    words.extend(lead.state.iter().flat_map(state_words));
    let digits = lead.phone.as_ref().map(|phone| phone.digits()).unwrap_or_default();
    let local =
        digits.len().checked_sub(7).filter(|start| *start > 0).map(|start| digits[start..].to_owned());
    words.extend(std::iter::once(digits).chain(local));
    words.extend(email_words(lead.email.as_str()));
    words.extend(lead.company.iter().flat_map(|company| company_words(company.as_str())));
    capped(&words)
}

/// Returns the first words for the index, without those that begin another one.
fn capped(words: &[String]) -> Vec<IndexWord> {
    let words: Vec<String> = words.iter().map(|word| fold(word)).filter(|word| !word.is_empty()).collect();
    // The beginning of another word is found by that word.
    let is_covered =
        |word: &&String| words.iter().any(|other| other != *word && other.starts_with(word.as_str()));
    let mut kept: Vec<&str> = Vec::new();
    for word in words.iter().filter(|word| !is_covered(word)) {
        if kept.len() < MAX_WORDS && !kept.contains(&word.as_str()) {
            kept.push(word);
        }
    }
    index_words(kept)
}

/// Returns the words of a name. A word with punctuation is found with and without it: `O'Brien` by `obrien` and by
/// `brien`.
fn name_words(name: &str) -> Vec<String> {
    let words = name.split_whitespace().flat_map(|word| {
        let pieces: Vec<&str> = pieces(word).collect();
        let joined = pieces.concat();
        std::iter::once(joined).chain(pieces.into_iter().skip(1).map(str::to_owned)).collect::<Vec<_>>()
    });
    words.collect()
}

fn company_words(company: &str) -> Vec<String> {
    name_words(company).into_iter().filter(|word| !is_legal_form(word)).collect()
}

fn email_words(email: &str) -> Vec<String> {
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    pieces(local).map(str::to_owned).chain(domain_words(Domain(domain))).collect()
}

/// Parses the text of a search field, or returns `None` if it has no words.
///
/// # Errors
/// [`Invalid`] if it is too long or contains control characters.
pub fn parse_query(typed: &str) -> Result<Option<SearchQuery>, Invalid> {
    SearchQuery::check(typed)?;
    let words = typed_words(typed);
    // Few leads have a word that begins no state, and no item has the whole of a long number.
    let rank = |word: &str| {
        if is_phone_only(word, &words) {
            0
        } else if word.len() == 1 || begins_state_word(word) {
            1
        } else {
            2
        }
    };
    Ok(SearchQuery::of_ranked_words(typed, words.iter().cloned(), rank))
}

/// Splits a typed text into words as [`words_of`] splits fields.
fn typed_words(typed: &str) -> Vec<String> {
    if let Some(words) = typed_phone(typed) {
        return words;
    }
    let mut words = Vec::new();
    for token in typed.split_whitespace() {
        match typed_phone(token) {
            Some(digits) => words.extend(digits),
            None => words.extend(token_words(token)),
        }
    }
    // A text of nothing but words that the index leaves out is looked for as it is.
    if words.iter().any(|word| !is_legal_form(word)) {
        words.retain(|word| !is_legal_form(word));
    }
    words
        .iter()
        .flat_map(|word| fold(word).split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn token_words(token: &str) -> Vec<String> {
    match token.rsplit_once('@') {
        Some((local, domain)) => {
            pieces(local).map(str::to_owned).chain(typed_domain_words(Domain(domain), true)).collect()
        }
        None if token.contains('.') => typed_domain_words(Domain(token), false),
        None => pieces(token).map(str::to_owned).collect(),
    }
}

/// Whether a query finds a lead. The index may be slightly older than the lead.
pub fn finds(lead: &Lead, query: &SearchQuery) -> bool {
    let words = words_of(lead);
    words.has(query.longest()) && query.others().iter().all(|other| words.has(other))
}

/// Whether the index finds a lead, and not only the list of its state.
pub(super) fn index_finds(lead: &Lead, query: &SearchQuery) -> bool {
    words_of(lead).finds(query.longest())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::base::identity::Actor;
    use crate::leads::domain::{LeadId, NewLead};
    use crate::shared::search::hits;

    fn lead(name: &str, email: &str, state: Option<&str>) -> Lead {
        with(name, email, state, None, None)
    }

    fn with(
        name: &str,
        email: &str,
        state: Option<&str>,
        phone: Option<&str>,
        company: Option<&str>,
    ) -> Lead {
        let new = NewLead {
            state: state.map(|code| code.parse().unwrap()),
            phone: phone.map(|phone| phone.parse().unwrap()),
            company: company.map(|company| company.parse().unwrap()),
            ..NewLead::named(name.parse().unwrap(), email.parse().unwrap())
        };
        let id = LeadId::new(Timestamp::UNIX_EPOCH, &[0; 10]);
        new.into_lead(id, Timestamp::UNIX_EPOCH, Actor::new("test")).unwrap()
    }

    fn indexed(lead: &Lead) -> Vec<String> {
        words_of(lead).indexed.into_iter().map(|indexed| indexed.word).collect()
    }

    fn finds(lead: &Lead, typed: &str) -> bool {
        let query = parse_query(typed).unwrap().unwrap();
        let words = words_of(lead);
        let in_state = states_with(query.longest()).any(|state| lead.state == Some(state));
        let by_state = in_state && super::finds(lead, &query) && !index_finds(lead, &query);
        let found = hits(&words.indexed, &words.others, &query) + usize::from(by_state);
        assert!(found <= 1, "{typed} finds a lead {found} times");
        assert_eq!(found == 1, super::finds(lead, &query), "{typed}");
        found == 1
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
            "o'brien",
            "obrien",
            "o’brien",
            "smith",
            "brien-smith",
            "sales",
            "example",
            "ny",
            "NY jo",
            "new york",
            "york jose",
            "jose_brien+sales@mail.example.com",
            "jose_b",
            "br jo",
            "example.com",
            "@example",
            "mail.example",
            "@mail.example.com",
            "sales@",
            "josé o'brien-smith",
        ] {
            assert!(finds(&lead, typed), "{typed}");
        }
        for typed in
            ["ose", "smithy", "nyc", "jose x", "%", "_", "\"", "🎉", "com", "texas", "other.com", "@other"]
        {
            assert!(!finds(&lead, typed), "{typed}");
        }
    }

    #[test]
    fn what_people_copy_and_type_finds_a_lead() {
        let lead = with(
            "John Doe",
            "john.doe@gmail.com",
            Some("TX"),
            Some("+1 (212) 555-0100"),
            Some("Acme Roofing & Sons, Inc."),
        );
        for typed in [
            "john.doe",
            "john.doe@gmail.com",
            "john.d",
            "doe@",
            "texas",
            "TX john",
            "2125550100",
            "(212) 555-0100",
            "212-555-0100",
            "+1 212 555 0100",
            "5550100",
            "555-0100",
            "212-55",
            "acme",
            "acme roofing inc",
            "Acme Roofing & Sons, Inc.",
            "sons",
            "john@gm",
            "john texas acme",
            "212-55501",
            "21255501",
            "john 212-55",
            "tex",
            "sons texas 5550100",
        ] {
            assert!(finds(&lead, typed), "{typed}");
        }
        for typed in ["gmail.com", "gmail", "inc", "555-0199", "0100-555"] {
            assert!(!finds(&lead, typed), "{typed}");
        }
        let roofer = self::lead("Gomez", "info@acme-roofing.com", None);
        for typed in ["acme-roofing.com", "acme-roofing", "info@acme", "gomez", "roofing", "acme-roofing.co"]
        {
            assert!(finds(&roofer, typed), "{typed}");
        }
    }

    #[test]
    fn punctuation_and_emoji_can_be_searched() {
        let lead = lead("100% 🎉 _x_", "a@example.com", None);
        for typed in ["100%", "🎉", "_x example", "100"] {
            assert!(finds(&lead, typed), "{typed}");
        }
    }

    #[test]
    fn one_letter_is_looked_up_in_the_list_and_one_character_of_another_script_in_the_index() {
        for (typed, is_short) in [("j", true), ("7", true), ("o'b", true), ("jo", false), ("李", false)] {
            assert_eq!(parse_query(typed).unwrap().unwrap().is_short(), is_short, "{typed}");
        }
        assert!(finds(&lead("李 小龙", "li@example.com", None), "李"));
        assert_eq!(parse_query("  ").unwrap(), None);
    }

    #[test]
    fn common_words_are_left_out_of_the_index() {
        let lead = with("Ann Lee", "ann@gmail.com", Some("CA"), None, Some("Acme Corp"));
        assert_eq!(indexed(&lead), ["acme", "ann", "lee"]);
        assert_eq!(words_of(&lead).others, ["ca", "california"]);
        let british = self::lead("Ann Lee", "ann@shop.example.co.uk", None);
        assert_eq!(indexed(&british), ["ann", "example", "lee", "shop"]);
    }

    #[test]
    fn a_lead_has_at_most_24_words() {
        let name: Vec<String> = (0..8).map(|n| format!("n{n}x-m{n}x")).collect();
        let local: Vec<String> = (0..12).map(|n| format!("c{n}x")).collect();
        let email = format!("{}@example.com", local.join("."));
        let lead = with(&name.join(" "), &email, Some("NY"), Some("212-555-0100"), Some("Acme Roofing"));
        assert_eq!(words_of(&lead).indexed.len(), MAX_WORDS);
    }

    /// 500 made-up people. Source: Brian Dunning, "Free sample data", <https://www.briandunning.com/sample-data/>.
    const PEOPLE: &str = include_str!("../../tests/fixtures/leads/us-500.csv");

    #[test]
    fn no_partition_of_words_takes_more_than_one_write_unit_for_each_new_lead() {
        let mut units: std::collections::BTreeMap<String, u32> = Default::default();
        let mut rows = csv::Reader::from_reader(PEOPLE.as_bytes());
        let headers = rows.headers().unwrap().clone();
        let (mut leads, mut words) = (0, 0);
        for row in rows.records() {
            let row = row.unwrap();
            let cell = |name: &str| &row[headers.iter().position(|header| header == name).unwrap()];
            let name = format!("{} {}", cell("first_name"), cell("last_name"));
            let company = Some(cell("company_name")).filter(|company| !company.is_empty());
            let lead = with(&name, cell("email"), Some(cell("state")), Some(cell("phone1")), company);
            leads += 1;
            for word in words_of(&lead).indexed {
                words += 1;
                // A put in a transaction takes 2 units for each KB.
                *units.entry(crate::leads::word_index::WORDS.key(&word.word, &lead.id).pk).or_default() += 2;
            }
        }
        let (partition, most) = units.into_iter().max_by_key(|(_, units)| *units).unwrap();
        assert!(most <= leads, "{partition} takes {most} units for {leads} leads");
        // With 18 units for everything else, a creation takes 30 units on average.
        assert!(words <= leads * 6, "{words} words of {leads} leads");
    }

    proptest! {
        #[test]
        fn any_word_prefixes_find_a_lead_once(
            name in "[a-cé]{2,4}( [a-c']{2,4}){0,3}", local in "[a-c]{2,3}([._+-][a-c]{2,3}){0,2}",
            picks in prop::collection::vec((any::<prop::sample::Index>(), 2usize..5), 1..4),
        ) {
            let Ok(name) = name.parse::<crate::base::values::Name>() else { return Ok(()) };
            let lead = lead(name.as_str(), &format!("{local}@abc.example.com"), Some("CA"));
            let words = words_of(&lead);
            let all: Vec<&String> =
                words.indexed.iter().map(|indexed| &indexed.word).chain(&words.others).collect();
            let typed: Vec<String> =
                picks.iter().map(|(pick, length)| pick.get(&all).chars().take(*length).collect()).collect();
            let typed = typed.join(" ");
            if parse_query(&typed).unwrap().is_some() {
                prop_assert!(finds(&lead, &typed), "{}", typed);
            }
        }
    }
}
