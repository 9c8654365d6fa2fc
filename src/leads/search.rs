//! The words that find a lead, and how a typed text is split into them. Pure. [`crate::shared::search`] implements the
//! search for all features.
//!
//! Invariants: the typed text is split exactly as the fields are, so what a person copies from a page finds the lead. A
//! lead has at most [`MAX_WORDS`] words. Words that nearly all leads share (top-level domains, common mail hosts, legal
//! forms of companies) count as words neither in the index nor in a query.

mod split;

pub use crate::shared::search::{IndexWord, SearchQuery};

use self::split::{Domain, domain_words, is_legal_form, pieces, typed_domain_words};
use super::domain::Lead;
use crate::base::values::{Invalid, UsState};
use crate::shared::search::{fold, index_words};

/// The most words of one lead. Replacing all words of a lead and removing those of another one, which a merge does,
/// takes fewer than the 100 actions of one transaction.
pub const MAX_WORDS: usize = 24;

/// The digits with which a local telephone number is found.
const LOCAL_DIGITS: usize = 7;

/// Returns the words that find a lead, sorted and without duplicates.
pub fn words_of(lead: &Lead) -> Vec<IndexWord> {
    let mut words: Vec<String> = Vec::new();
    words.extend(name_words(lead.name.as_str()));
    words.extend(lead.state.iter().flat_map(state_words));
    words.extend(lead.phone.iter().flat_map(|phone| phone_words(&phone.digits())));
    words.extend(email_words(lead.email.as_str()));
    words.extend(lead.company.iter().flat_map(|company| company_words(company.as_str())));
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

fn state_words(state: &UsState) -> Vec<String> {
    std::iter::once(state.as_str()).chain(state.name().split(' ')).map(str::to_owned).collect()
}

fn phone_words(digits: &str) -> Vec<String> {
    let local =
        digits.len().checked_sub(LOCAL_DIGITS).filter(|start| *start > 0).map(|start| &digits[start..]);
    std::iter::once(digits).chain(local).map(str::to_owned).collect()
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
    Ok(SearchQuery::of_words(typed, typed_words(typed)))
}

/// Splits a typed text into words as [`words_of`] splits fields.
fn typed_words(typed: &str) -> Vec<String> {
    if let Some(digits) = typed_phone(typed) {
        return vec![digits];
    }
    let mut words = Vec::new();
    for token in typed.split_whitespace() {
        match typed_phone(token) {
            Some(digits) => words.push(digits),
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

/// Returns the digits of a text that is nothing but a telephone number with at least five digits.
fn typed_phone(typed: &str) -> Option<String> {
    let is_phone = typed.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-()./".contains(c));
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    let marked = typed.chars().any(|c| !c.is_ascii_digit()) || digits.len() >= LOCAL_DIGITS;
    if !is_phone || !marked || digits.len() < 5 {
        return None;
    }
    match digits.strip_prefix('1') {
        Some(national) if national.len() == 10 => Some(national.to_owned()),
        _ => Some(digits),
    }
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
    let has = |typed: &str| words.iter().any(|indexed| indexed.word.starts_with(typed));
    has(query.longest()) && query.others().iter().all(|other| has(other))
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

    fn finds(lead: &Lead, typed: &str) -> bool {
        let query = parse_query(typed).unwrap().unwrap();
        let found = hits(&words_of(lead), &query);
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
        let words: Vec<String> = words_of(&lead).into_iter().map(|word| word.word).collect();
        assert_eq!(words, ["acme", "ann", "california", "lee"], "the code of the state begins its name");
        let british = self::lead("Ann Lee", "ann@shop.example.co.uk", None);
        let words: Vec<String> = words_of(&british).into_iter().map(|word| word.word).collect();
        assert_eq!(words, ["ann", "example", "lee", "shop"]);
    }

    #[test]
    fn a_lead_has_at_most_24_words() {
        let name: Vec<String> = (0..8).map(|n| format!("n{n}x-m{n}x")).collect();
        let local: Vec<String> = (0..12).map(|n| format!("c{n}x")).collect();
        let email = format!("{}@example.com", local.join("."));
        let lead = with(&name.join(" "), &email, Some("NY"), Some("212-555-0100"), Some("Acme Roofing"));
        assert_eq!(words_of(&lead).len(), MAX_WORDS);
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
            for word in words_of(&lead) {
                words += 1;
                // A put in a transaction takes 2 units for each KB.
                *units.entry(crate::leads::word_index::WORDS.key(&word.word, &lead.id).pk).or_default() += 2;
            }
        }
        let (partition, most) = units.into_iter().max_by_key(|(_, units)| *units).unwrap();
        assert!(most <= leads, "{partition} takes {most} units for {leads} leads");
        assert!(words <= leads * 12, "{words} words of {leads} leads");
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
            let typed: Vec<String> = picks.iter()
                .map(|(pick, length)| pick.get(&words).word.chars().take(*length).collect())
                .collect();
            let Ok(Some(query)) = parse_query(&typed.join(" ")) else { return Ok(()) };
            prop_assert_eq!(hits(&words, &query), 1);
        }
    }
}
