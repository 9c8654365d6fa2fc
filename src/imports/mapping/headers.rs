//! The table of known headers, `headers.csv`.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::field::Field;
use super::text::fold;

/// The table of known headers, for people to read and extend.
pub const HEADERS_CSV: &str = include_str!("../headers.csv");

/// Words for a record, which many programs put before a header: `Lead Email`, `Contact: Phone`.
const RECORDS: [&str; 14] = [
    "applicant",
    "attendee",
    "buyer",
    "client",
    "contact",
    "contacts",
    "customer",
    "kontakt",
    "lead",
    "leads",
    "people",
    "person",
    "prospect",
    "subscriber",
];

/// Words for one of several addresses, before or behind what it is: `Physical State`, `Phone - Office`.
const KINDS: [&str; 14] = [
    "address",
    "billing",
    "business",
    "current",
    "home",
    "mailing",
    "office",
    "personal",
    "physical",
    "postal",
    "primary",
    "residence",
    "residential",
    "work",
];
/// Words for another address than the usual one.
const OTHER_KINDS: [&str; 4] = ["alternate", "other", "secondary", "shipping"];

/// The most such words in a header.
const MOST_KINDS: usize = 3;

/// What a header with `country` in it may be about besides where a person lives.
const NOT_A_PLACE: [&str; 6] = ["phone", "mobile", "dial", "calling", "ip", "currency"];

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

/// A way to find a folded header in the table.
type LookUp = fn(&str) -> Vec<Meaning>;

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
    !meanings(cell).is_empty()
}

/// Returns what a header can mean. Only headers such as `Nombre` mean two fields.
pub fn meanings(header: &str) -> Vec<Meaning> {
    let (whole, bare) = (fold(header), fold(&without_remark(header)));
    let attempts: [(&str, LookUp); 7] = [
        (&whole, look_up),
        (&whole, without_record),
        (&bare, look_up),
        (&bare, without_record),
        (&whole, without_kind),
        (&bare, without_kind),
        (&whole, country),
    ];
    let found = (0..).zip(attempts).map(|(penalty, (folded, find))| later(find(folded), penalty * 1000));
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

fn look_up(folded: &str) -> Vec<Meaning> {
    let (key, number) = key(folded);
    let found = BY_KEY.get(&key).map(Vec::as_slice).unwrap_or_default();
    found.iter().map(|meaning| Meaning { rank: meaning.rank * RANK + number, ..*meaning }).collect()
}

/// Looks a header up without the word for the record before it.
fn without_record(folded: &str) -> Vec<Meaning> {
    let rest = RECORDS.iter().filter_map(|record| folded.strip_prefix(record));
    rest.map(look_up).find(|meanings| !meanings.is_empty()).unwrap_or_default()
}

/// Looks a header of an email address, a phone or a place up without the words for one of several.
fn without_kind(folded: &str) -> Vec<Meaning> {
    let has_kinds = |meaning: &Meaning| {
        matches!(meaning.field, Field::Email | Field::Phone | Field::State | Field::Country)
    };
    let (mut rest, mut ranks) = (folded, 0);
    for _ in 0..MOST_KINDS {
        let Some((shorter, rank)) = without_one_kind(rest) else { break };
        (rest, ranks) = (shorter, ranks + rank);
        let found: Vec<Meaning> = look_up(rest).into_iter().filter(has_kinds).collect();
        if !found.is_empty() {
            return later(found, ranks * RANK);
        }
    }
    Vec::new()
}

/// Removes a word for one of several, with the ranks that it costs.
fn without_one_kind(folded: &str) -> Option<(&str, u32)> {
    let kinds = KINDS.iter().map(|kind| (kind, 1)).chain(OTHER_KINDS.iter().map(|kind| (kind, 2)));
    let mut rests = kinds.filter_map(|(kind, rank)| {
        let rest = folded.strip_prefix(kind).or_else(|| folded.strip_suffix(kind))?;
        Some((rest, rank))
    });
    rests.next()
}

/// Removes a remark in parentheses: `Email (required)`.
fn without_remark(header: &str) -> String {
    match (header.find('('), header.rfind(')')) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &header[..from], &header[to + 1..]),
        _ => header.to_owned(),
    }
}

/// A header that begins or ends with "country" names one: a lead from abroad must never be sold as one from the US.
fn country(folded: &str) -> Vec<Meaning> {
    let names_one = folded.starts_with("country") || folded.ends_with("country");
    let names_another_thing = NOT_A_PLACE.iter().any(|word| folded.contains(word));
    let country = Meaning { rank: 4 * RANK, field: Field::Country };
    if names_one && !names_another_thing { vec![country] } else { Vec::new() }
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
mod tests {
    use super::*;

    fn field(header: &str) -> Option<Field> {
        meanings(header).into_iter().min().map(|meaning| meaning.field)
    }

    #[test]
    fn the_table_is_sorted_has_no_header_twice_and_names_its_sources() {
        let lines = HEADERS_CSV.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(
            known_headers().len(),
            lines - 1,
            "every line is read: its field is known and its rank a number"
        );
        let order = |known: &KnownHeader| (known.field, known.rank, fold(&known.header));
        for pair in known_headers().windows(2) {
            assert!(order(&pair[0]) < order(&pair[1]), "{} comes after {}", pair[0].header, pair[1].header);
        }
        assert!(known_headers().iter().all(|known| (1..=3).contains(&known.rank) && !known.from.is_empty()));
        let both = |fields: &[Field]| {
            matches!(fields, [Field::FullName, Field::FirstName] | [Field::FullName, Field::LastName])
        };
        for (key, meanings) in BY_KEY.iter() {
            let fields: Vec<Field> = meanings.iter().map(|meaning| meaning.field).collect();
            assert!(fields.len() == 1 || both(&fields), "{key}: {fields:?}");
        }
    }

    #[test]
    fn a_header_is_known_in_any_spelling_with_a_record_before_it_or_a_remark_behind_it() {
        let cases = [
            ("E-MAIL 3 - value", Field::Email),
            ("Lead: Email", Field::Email),
            ("Leads_First Name", Field::FirstName),
            ("customerPhone", Field::Phone),
            ("Email (required)", Field::Email),
            ("Contact state (home)", Field::State),
            ("Country of residence", Field::Country),
            ("Residence country", Field::Country),
            ("PRENOM", Field::FirstName),
            ("Email *", Field::Email),
            ("E-mail 2 - Type", Field::Keep),
            ("Physical address: State", Field::State),
            ("Shipping State/Province", Field::State),
            ("Phone - Office", Field::Phone),
            ("postal_country", Field::Country),
        ];
        for (header, expected) in cases {
            assert_eq!(field(header), Some(expected), "{header}");
        }
    }

    #[test]
    fn other_headers_are_not_known() {
        let others = [
            "",
            "1",
            "address",
            "city",
            "county",
            "zip",
            "Fax",
            "Company ID",
            "Email Opt Out",
            "State Tax",
            "Row",
            "Reason",
            "Notes:",
            "Job Title",
            "Latitude",
            "Converted",
            "Financial Status",
            "Phone Country Code",
            "IP Country",
            "Leadership email 2 of 3",
            "Connected On",
            "Email Domain",
            "Lead",
            "Contact ID",
            "Work",
            "Home Address",
            "Primary Name",
            "Home Fax",
            "Office",
        ];
        for header in others {
            assert_eq!(field(header), None, "{header}");
        }
    }

    #[test]
    fn a_precise_header_ranks_before_a_vague_one_and_a_number_ranks_later() {
        let before = [("Email", "E-mail 1 - Value"), ("Email 1", "Email 2"), ("Email 2", "Work Email")];
        for (first, second) in before {
            assert!(rank(first, Field::Email) < rank(second, Field::Email), "{first}, {second}");
        }
        assert!(rank("contact_name", Field::FullName) < rank("name", Field::FullName));
        assert!(rank("State", Field::State) < rank("Contact State", Field::State));
        assert!(rank("Physical State", Field::State) < rank("Shipping State", Field::State));
        assert_eq!(rank("Email", Field::State), u32::MAX);
    }
}
