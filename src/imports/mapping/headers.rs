//! The table of known headers, `headers.csv`.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::field::Field;
use super::places::words;
use super::text::fold;
use super::vocabulary::{Place, Role, Word, has_kinds, lowest_rank, place, words_of};

/// The table of known headers, for people to read and extend.
pub const HEADERS_CSV: &str = include_str!("../headers.csv");

/// The most words around a header that are removed to find it.
const MOST_AROUND: usize = 4;
/// The most ways of removing words that are looked at.
const MOST_RESTS: usize = 64;
/// The most bytes of a known header.
const LONGEST: usize = 200;
/// The most words of a header that is a country because of one of them.
const MOST_WORDS: usize = 10;
/// The word for a country that may be a part of a longer word.
const COUNTRY: &str = "country";
/// The word for a country that is an English word for something else.
const LAND: &str = "land";
/// The fewest letters of a word that makes a longer word no country.
const LONG_WORD: usize = 5;

/// A rank is the table's rank times this, plus the number in the header.
const RANK: u32 = 10_000;

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KnownHeader {
    /// What a column with this header means.
    pub field: Field,
    /// 1 if the header says just this, 2 if it says one of several, 3 if it is vague.
    pub rank: u32,
    /// The header.
    pub header: String,
    /// The product or the language that the header is from.
    pub from: String,
}

/// What a header can mean, and how well it says so; lower is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meaning {
    /// How well the header says it.
    pub rank: u32,
    /// The field.
    pub field: Field,
}

static TABLE: LazyLock<Vec<KnownHeader>> = LazyLock::new(|| {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(HEADERS_CSV.as_bytes());
    reader.deserialize().filter_map(Result::ok).collect()
});

static BY_KEY: LazyLock<HashMap<String, Vec<Meaning>>> = LazyLock::new(|| {
    let mut by_key: HashMap<String, Vec<Meaning>> = HashMap::new();
    for known in TABLE.iter() {
        let (key, _) = key(&fold(&known.header));
        by_key.entry(key).or_default().push(Meaning { rank: known.rank, field: known.field });
    }
    by_key
});

/// Returns the known headers, in the order of the table.
pub fn known_headers() -> &'static [KnownHeader] {
    &TABLE
}

/// Whether a cell is a known header, so that its row is probably the header row.
pub fn is_known_header(cell: &str) -> bool {
    !known_meanings(cell).is_empty()
}

/// Returns what a header can mean. Only headers such as `Nombre` mean two fields.
pub fn meanings(header: &str) -> Vec<Meaning> {
    let known = known_meanings(header);
    if known.is_empty() { country(header) } else { known }
}

/// Returns the meanings in the tables. A later table ranks higher.
fn known_meanings(header: &str) -> Vec<Meaning> {
    if header.len() > LONGEST {
        return Vec::new();
    }
    let (bare, remark) = without_remark(header);
    let (whole, bare, remark) = (&fold(header), &fold(&bare), &fold(&remark));
    let attempts: [&dyn Fn() -> Vec<Meaning>; 8] = [
        &|| look_up(whole),
        &|| without_record(whole),
        &|| in_remark(bare, remark),
        &|| later(look_up(bare), cost(remark) * RANK),
        &|| later(without_record(bare), cost(remark) * RANK),
        &|| without_words(whole),
        &|| later(without_words(bare), cost(remark) * RANK),
        &|| part_of_name(whole),
    ];
    let found = (0..).zip(attempts).map(|(penalty, find)| later(find(), penalty * 1000));
    found.into_iter().find(|meanings| !meanings.is_empty()).unwrap_or_default()
}

fn later(meanings: Vec<Meaning>, penalty: u32) -> Vec<Meaning> {
    meanings.into_iter().map(|meaning| Meaning { rank: meaning.rank + penalty, ..meaning }).collect()
}

/// Returns the rank of a header for a field.
pub fn rank(header: &str, field: Field) -> u32 {
    let found = meanings(header).into_iter().find(|meaning| meaning.field == field);
    found.map_or(u32::MAX, |meaning| meaning.rank)
}

/// Finds a folded header in the table, or a place that its words name.
fn look_up(folded: &str) -> Vec<Meaning> {
    let (key, number) = key(folded);
    let with_number = |field: Field, rank: u32| Meaning { rank: rank * RANK + number, field };
    match BY_KEY.get(&key) {
        Some(found) => found.iter().map(|meaning| with_number(meaning.field, meaning.rank)).collect(),
        None => place(&key).map(|(field, rank)| with_number(field, rank)).into_iter().collect(),
    }
}

/// Looks a header up without the word for the record before it.
fn without_record(folded: &str) -> Vec<Meaning> {
    let rest = words_of(&[Role::Record]).filter_map(|record| folded.strip_prefix(&record.text));
    rest.map(look_up).find(|meanings| !meanings.is_empty()).unwrap_or_default()
}

/// Looks a header up without the words around it: `Correo de trabajo`, `Person - Email - Home`.
fn without_words(folded: &str) -> Vec<Meaning> {
    let mut rests = vec![Rest { text: folded, removed: Vec::new() }];
    for _ in 0..MOST_AROUND {
        rests = rests.iter().flat_map(Rest::shorter).take(MOST_RESTS).collect();
        let found = rests.iter().map(Rest::meanings).filter(|meanings| !meanings.is_empty());
        if let Some(best) = found.min_by_key(|meanings| meanings.iter().map(|meaning| meaning.rank).min()) {
            return best;
        }
    }
    Vec::new()
}

/// What is left of a folded header, and what was removed from it.
struct Rest<'a> {
    text: &'a str,
    removed: Vec<(&'static Word, Place)>,
}

impl<'a> Rest<'a> {
    fn shorter(&self) -> Vec<Self> {
        let links = || words_of(&[Role::Link]).map(|link| link.text.as_str());
        let mut shorter = Vec::new();
        for word in words_of(&[Role::Record, Role::Kind, Role::Purpose, Role::Organization]) {
            if let Some(text) = self.text.strip_prefix(&word.text) {
                // "Dirección de envío: Provincia"
                let linked = links().filter_map(|link| text.strip_prefix(link));
                let texts = std::iter::once(text).chain(linked);
                shorter.extend(texts.map(|text| self.without(text, word, Place::Before)));
            }
            if let Some(text) = self.text.strip_suffix(&word.text) {
                shorter.push(self.without(text, word, Place::Behind));
                let linked = links().filter_map(|link| text.strip_suffix(link));
                shorter.extend(linked.map(|text| self.without(text, word, Place::Linked)));
            }
        }
        shorter
    }

    fn without(&self, text: &'a str, word: &'static Word, place: Place) -> Self {
        Self { text, removed: [&self.removed[..], &[(word, place)]].concat() }
    }

    fn meanings(&self) -> Vec<Meaning> {
        let fits = |meaning: &Meaning| {
            self.removed.iter().all(|(word, place)| word.goes_with(meaning.field, *place))
        };
        let found = look_up(self.text).into_iter().filter(fits).collect();
        later(found, self.removed.iter().map(|(word, _)| word.cost()).sum::<u32>() * RANK)
    }
}

/// Looks up the remark behind a word for an address, a record or a name: `Adresse (Land)`, `Name (Vorname)`.
fn in_remark(bare: &str, remark: &str) -> Vec<Meaning> {
    let (letters, number) = key(bare);
    let is_of = |roles: &[Role]| lowest_rank(&letters, roles).is_some();
    let around = [Role::Record, Role::Kind, Role::Purpose, Role::Link];
    let is_name = || look_up(bare).iter().any(|meaning| meaning.field == Field::FullName);
    let may_be: fn(Field) -> bool = if is_of(&[Role::Record]) {
        |_| true
    } else if is_of(&around) {
        has_kinds
    } else if is_of(&[Role::Record, Role::Name, Role::Link]) || is_name() {
        is_part_of_name
    } else {
        return Vec::new();
    };
    let attempts: [fn(&str) -> Vec<Meaning>; 2] = [look_up, without_words];
    let fits = |meanings: &Vec<Meaning>| meanings.iter().any(|meaning| may_be(meaning.field));
    // "Nom (Nom)" may be the whole name as well.
    later(attempts.iter().map(|find| find(remark)).find(fits).unwrap_or_default(), number)
}

/// Looks up a part of a name behind a word for the name: `Nombre / Apellido`. It may be the whole name as well.
fn part_of_name(folded: &str) -> Vec<Meaning> {
    let rests = words_of(&[Role::Name]).filter_map(|name| folded.strip_prefix(&name.text));
    let part = rests.flat_map(look_up).find(|meaning| is_part_of_name(meaning.field));
    part.into_iter().flat_map(|part| [Meaning { field: Field::FullName, ..part }, part]).collect()
}

fn is_part_of_name(field: Field) -> bool {
    matches!(field, Field::FirstName | Field::LastName)
}

/// Returns how much later a column is taken because of its remark: `Nombre (envío)`.
fn cost(remark: &str) -> u32 {
    let around = [Role::Kind, Role::Purpose];
    let words = words_of(&around).filter(|word| remark.contains(&word.text));
    match lowest_rank(remark, &around) {
        Some(_) => words.map(|word| word.rank).max().unwrap_or_default(),
        None => 0,
    }
}

/// Splits a header into what is outside and what is inside of parentheses: `Email (required)`.
fn without_remark(header: &str) -> (String, String) {
    match (header.find('('), header.rfind(')')) {
        (Some(from), Some(to)) if from < to => {
            let remark = header.get(from + 1..to).unwrap_or_default();
            let (before, behind) = (header.get(..from), header.get(to + 1..));
            (format!("{}{}", before.unwrap_or_default(), behind.unwrap_or_default()), remark.to_owned())
        }
        _ => (header.to_owned(), String::new()),
    }
}

/// A header with a word for a country names one: a lead from abroad must never be sold as one from the US.
fn country(header: &str) -> Vec<Meaning> {
    let words: Vec<String> = words(header).into_iter().filter(|word| !word.is_empty()).collect();
    let is_joined = |word: &&String| word.starts_with(COUNTRY) || word.ends_with(COUNTRY);
    let is_country = |word: &&String| {
        let is_same = |known: &Word| known.rank == 1 && known.text == **word;
        is_joined(word) || words_of(&[Role::Country]).any(is_same)
    };
    let found: Vec<&String> = words.iter().filter(is_country).collect();
    let is_only_land = found.iter().all(|word| *word == LAND);
    let mut others = words_of(&[Role::NoCountry]).filter(|other| is_only_land || other.rank == 1);
    let is_another_thing = others.any(|other| words.iter().any(|word| is_about(word, &other.text)));
    let country = Meaning { rank: 4 * RANK + 9000, field: Field::Country };
    let is_one = !found.is_empty() && !is_another_thing && words.len() <= MOST_WORDS;
    if is_one { vec![country] } else { Vec::new() }
}

/// Whether a word of a header is about this, also as a part: `phonecountrycode`, `ipcountry`.
fn is_about(word: &str, other: &str) -> bool {
    let is_part = other.len() >= LONG_WORD && (word.starts_with(other) || word.ends_with(other));
    is_part || word == other || word.strip_suffix(COUNTRY) == Some(other)
}

/// Splits a folded header into its letters and the one number in it: "E-mail 2 - Value" has the number 2. A header with
/// several numbers is not split.
fn key(folded: &str) -> (String, u32) {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut numbers = folded.split(|c| !is_digit(c)).filter(|number| !number.is_empty());
    match (numbers.next(), numbers.next()) {
        (Some(number), None) => {
            let letters = folded.chars().filter(|c| !is_digit(*c)).collect();
            (letters, number.parse().unwrap_or(u32::MAX).min(999))
        }
        _ => (folded.to_owned(), 0),
    }
}

#[cfg(test)]
mod tests;
