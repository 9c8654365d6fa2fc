//! The words that headers consist of, `header_words.csv`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::field::Field;
use super::text::fold;

/// The words of headers, for people to read and extend.
pub const HEADER_WORDS_CSV: &str = include_str!("../header_words.csv");

/// The highest rank of a word that names a place by itself.
const NAMES_A_PLACE: u32 = 2;

/// What a word is in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A record, as in `Lead: Email`.
    Record,
    /// One of several addresses, as in `Home State`.
    Kind,
    /// What an address is for, as in `Billing State`.
    Purpose,
    /// A company, as in `Company State`.
    Organization,
    /// A name, as in `Name (First)`.
    Name,
    /// A state.
    State,
    /// A country.
    Country,
    /// A detail of a place, as in `State code`.
    Detail,
    /// A word between others, as in `Country of residence`.
    Link,
    /// What makes a header no country, as in `Phone country code`.
    NoCountry,
}

/// Where a word is removed from a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before the rest.
    Before,
    /// Behind the rest.
    Behind,
    /// Behind the rest and a link.
    Linked,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeaderWord {
    /// What the word is in a header.
    pub role: Role,
    /// How much later a column with the word is taken, or how well it names a place.
    pub rank: u32,
    /// The word.
    pub word: String,
    /// The language.
    pub from: String,
}

/// A word of the table, folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What the word is in a header.
    pub role: Role,
    /// The rank.
    pub rank: u32,
    /// The word.
    pub text: String,
}

impl Word {
    /// Whether a header of this field may have the word around it.
    pub fn goes_with(&self, field: Field, place: Place) -> bool {
        let is_of_person = matches!(
            field,
            Field::FullName | Field::FirstName | Field::LastName | Field::Email | Field::Phone
        );
        let is_of_address = has_kinds(field);
        match (self.role, place) {
            (Role::Record, Place::Before) => true,
            // "Estado del cliente" is a status.
            (Role::Record, Place::Linked) => field != Field::State,
            (Role::Record, Place::Behind) => is_of_person,
            (Role::Kind, _) => is_of_address,
            (Role::Purpose, _) => is_of_address || is_of_person || field == Field::Company,
            (Role::Organization, _) => is_of_address && field != Field::Email,
            _ => false,
        }
    }

    /// Returns how much later a column with this word is taken.
    pub fn cost(&self) -> u32 {
        if self.role == Role::Record { 0 } else { self.rank }
    }
}

/// Whether a person may have several values of a field, of which headers say the kind.
pub fn has_kinds(field: Field) -> bool {
    matches!(field, Field::Email | Field::Phone | Field::State | Field::Country)
}

static TABLE: LazyLock<Vec<HeaderWord>> = LazyLock::new(|| {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(HEADER_WORDS_CSV.as_bytes());
    reader.deserialize().filter_map(Result::ok).collect()
});

static WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| {
    let word = |line: &HeaderWord| Word { role: line.role, rank: line.rank, text: fold(&line.word) };
    TABLE.iter().map(word).collect()
});

/// Returns the words of headers, in the order of the table.
pub fn header_words() -> &'static [HeaderWord] {
    &TABLE
}

/// Returns the folded words of these roles.
pub fn words_of(roles: &[Role]) -> impl Iterator<Item = &'static Word> {
    WORDS.iter().filter(move |word| roles.contains(&word.role))
}

/// Returns the lowest rank of the words of these roles that a folded text consists of. `None` says that it has other
/// parts, or is empty.
pub fn lowest_rank(text: &str, roles: &[Role]) -> Option<u32> {
    // The lowest rank of the words up to each position.
    let mut ranks = vec![None; text.len() + 1];
    if let Some(start) = ranks.first_mut().filter(|_| !text.is_empty()) {
        *start = Some(u32::MAX);
    }
    for at in 0..text.len() {
        let Some(rank) = ranks.get(at).copied().flatten() else { continue };
        let rest = text.get(at..).unwrap_or_default();
        for word in words_of(roles).filter(|word| rest.starts_with(&word.text)) {
            if let Some(known) = ranks.get_mut(at + word.text.len()) {
                *known = Some(known.unwrap_or(u32::MAX).min(rank).min(word.rank));
            }
        }
    }
    ranks.pop().flatten()
}

/// Returns the place that a folded text names with nothing but the words of the table: `estadoprovincia`, `codepays`.
pub fn place(text: &str) -> Option<(Field, u32)> {
    let rank = |role: Role| {
        let rank = lowest_rank(text, &[role, Role::Detail, Role::Link]);
        rank.filter(|rank| *rank <= NAMES_A_PLACE)
    };
    let state = rank(Role::State).map(|rank| (Field::State, rank));
    state.or_else(|| rank(Role::Country).map(|rank| (Field::Country, rank)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_has_no_word_twice_and_names_its_languages() {
        let lines = HEADER_WORDS_CSV.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(
            header_words().len(),
            lines - 1,
            "every line is read: its role is known, its rank a number"
        );
        let order = |word: &HeaderWord| (word.role, word.rank, fold(&word.word));
        for pair in header_words().windows(2) {
            assert!(order(&pair[0]) < order(&pair[1]), "{} comes after {}", pair[0].word, pair[1].word);
        }
        for word in header_words() {
            let same = |other: &&HeaderWord| other.role == word.role && fold(&other.word) == fold(&word.word);
            assert_eq!(header_words().iter().filter(same).count(), 1, "{word:?}");
            assert!((1..=3).contains(&word.rank) && !word.from.is_empty() && !fold(&word.word).is_empty());
        }
    }

    #[test]
    fn a_place_consists_of_words_of_one_kind() {
        let cases = [
            ("estadoprovincia", Some((Field::State, 1))),
            ("provinciaoregion", Some((Field::State, 2))),
            ("codedeletat", Some((Field::State, 1))),
            ("etatprovinceregion", Some((Field::State, 1))),
            ("landregion", Some((Field::Country, 1))),
            ("nombredelpais", Some((Field::Country, 1))),
            ("region", None),
            ("county", None),
            ("estadocivil", None),
            ("estados", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(place(text), expected, "{text}");
        }
        let long = format!("{}x", "dela".repeat(40));
        assert_eq!(lowest_rank(&long, &[Role::Link]), None, "no text takes long");
    }
}
