//! Sample leads: a file with 200 fictional people, the same on every run, which is imported like any other.
//!
//! Invariants: the samples include every state and every status. Every email address uses a domain reserved
//! for examples (RFC 2606) and every phone number is one of 555-0100 to 555-0199, which are reserved for fiction, so
//! nothing reaches a real person. The source of all of them is [`SOURCE`].

use super::ImportError;
use super::domain::{Import, Start};
use super::mapping::Mapping;
use crate::base::identity::SignedIn;
use crate::base::values::UsState;
use crate::imports::Imports;
use crate::leads::domain::Status;

/// The number of sample leads.
pub const COUNT: usize = 200;

const FIRST_NAMES: [&str; 40] = [
    "Ada", "Amir", "Beatriz", "Bo", "Camille", "Chidi", "Dalia", "Dmitri", "Elena", "Emeka", "Fatima",
    "Finn", "Greta", "Hana", "Hugo", "Imani", "Ivan", "Jia", "José", "Kofi", "Leila", "Luca", "Maeve",
    "Mateo", "Nadia", "Noor", "Olga", "Omar", "Priya", "Quinn", "Rosa", "Ravi", "Saoirse", "Sven", "Tamar",
    "Thabo", "Uma", "Viktor", "Wren", "Zoë",
];

const LAST_NAMES: [&str; 37] = [
    "Abara",
    "Almeida",
    "Andersson",
    "Bianchi",
    "Castillo",
    "Chen",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ibáñez",
    "Ivanova",
    "Johnson",
    "Kaplan",
    "Kowalski",
    "Lindqvist",
    "Maddox",
    "Mbeki",
    "Moreau",
    "Nakamura",
    "Novák",
    "O’Brien",
    "Okafor",
    "Patel",
    "Quispe",
    "Reyes",
    "Rossi",
    "Sato",
    "Silva",
    "Tanaka",
    "Torres",
    "Ueda",
    "Vance",
    "Weiss",
    "Yilmaz",
    "Zhou",
];

const COMPANIES: [&str; 8] = [
    "Alder & Sons",
    "Bluebird Roofing",
    "Cedar Dental",
    "Dune Logistics",
    "Elm Street Bakery",
    "Foxglove Garden Supply",
    "Granite Legal",
    "Harbor Solar",
];

/// The source of every sample lead, by which they can be found.
pub const SOURCE: &str = "Sample";

/// The name of the imported file.
const FILE_NAME: &str = "sample-leads.csv";

const HEADERS: [&str; 8] = ["Name", "Email", "Phone", "Company", "State", "Lead score", "Status", "Source"];

const DOMAINS: [&str; 3] = ["example.com", "example.org", "example.net"];

/// Returns the file of the sample leads. None of its cells needs quotation marks.
pub fn csv() -> String {
    let rows = (0..COUNT).map(|number| row(number).join(","));
    std::iter::once(HEADERS.join(",")).chain(rows).map(|line| line + "\r\n").collect()
}

/// The strides share no factor with the lengths of the lists, so no two of the 200 people have the same name.
fn row(number: usize) -> [String; HEADERS.len()] {
    let first = pick(&FIRST_NAMES, number * 7);
    let last = pick(&LAST_NAMES, number * 5);
    let score = number * 37 % 101;
    let status = match score {
        80.. if !number.is_multiple_of(3) => Status::Converted,
        40.. => Status::Qualified,
        _ => Status::Prospect,
    };
    let states: Vec<UsState> = UsState::all().collect();
    let state = states.get(number * 20 % states.len().max(1)).map(UsState::as_str);
    [
        format!("{first} {last}"),
        format!("{}.{}@{}", ascii(first), ascii(last), pick(&DOMAINS, number)),
        format!("({}) 555-{:04}", 201 + number, 100 + number % 100),
        pick(&COMPANIES, number * 3).to_owned(),
        state.unwrap_or_default().to_owned(),
        score.to_string(),
        status.as_str().to_owned(),
        SOURCE.to_owned(),
    ]
}

fn pick<'a>(list: &[&'a str], number: usize) -> &'a str {
    list.get(number % list.len().max(1)).copied().unwrap_or_default()
}

/// Converts a name for use in an email address: lower case, without accents and punctuation.
fn ascii(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    name.nfd().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect()
}

impl Imports {
    /// Imports the sample leads, and returns the import after its first step. Leads that exist already are skipped, so
    /// loading them twice creates them once, and undoing the import moves them to the trash.
    ///
    /// # Errors
    /// [`ImportError::Store`] if the store failed. It is safe to repeat the call.
    pub async fn load_samples(&self, who: &SignedIn) -> Result<Import, ImportError> {
        let import = self.receive(who, FILE_NAME, csv().as_bytes()).await?;
        let headers = HEADERS.map(str::to_owned);
        let slugs = Mapping::guess(&headers).slugs().into_iter().map(str::to_owned).collect();
        let import = self.start(&import, &Start { slugs, ..Start::default() }, &who.into()).await?;
        self.step(&import, &who.actor()).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::imports::file::{Head, Limits, read_rows};
    use crate::imports::mapping::is_known_header;
    use crate::imports::rows::{ParsedRow, lead_of};
    use crate::leads::domain::Score;

    fn parsed() -> Vec<ParsedRow> {
        let csv = csv();
        let head = Head::detect(csv.as_bytes(), true, &is_known_header).unwrap();
        assert_eq!(head.headers, HEADERS);
        let mapping = Mapping::guess(&head.headers);
        mapping.check().unwrap();
        let start = usize::try_from(head.data.offset).unwrap();
        let all = Limits { rows: usize::MAX, bytes: usize::MAX };
        let batch = read_rows(&head.dialect, head.data, &csv.as_bytes()[start..], true, all);
        batch.rows.iter().map(|row| lead_of(row, &mapping).unwrap()).collect()
    }

    #[test]
    fn the_sample_has_200_valid_people_of_all_states_and_statuses() {
        let sample = parsed();
        assert_eq!((sample.len(), csv()), (COUNT, csv()));
        for row in &sample {
            assert!(row.warnings.is_empty(), "{:?}: {:?}", row.lead, row.warnings);
            assert!(row.has_name && row.lead.fields.iter().next().is_none(), "{:?}", row.lead);
            let source = row.lead.source.as_ref().map(ToString::to_string);
            assert_eq!(source.as_deref(), Some(SOURCE));
            assert!(row.lead.state.is_some() && row.lead.company.is_some(), "{:?}", row.lead);
        }
        let emails: HashSet<String> = sample.iter().map(|row| row.lead.email.key()).collect();
        assert_eq!(emails.len(), COUNT);
        assert!(
            emails.iter().all(|email| DOMAINS.iter().any(|domain| email.ends_with(&format!("@{domain}"))))
        );
        let phones: HashSet<String> =
            sample.iter().map(|row| row.lead.phone.as_ref().unwrap().to_string()).collect();
        assert_eq!(phones.len(), COUNT);
        assert!(phones.iter().all(|phone| phone.contains("555-01")), "{phones:?}");
        let states: HashSet<_> = sample.iter().map(|row| row.lead.state).collect();
        assert_eq!(states.len(), UsState::all().count());
        for status in Status::ALL {
            let of_status = sample.iter().filter(|row| row.lead.status == status);
            assert!(of_status.clone().count() >= 20, "{status}");
            assert!(
                status != Status::Converted
                    || of_status.clone().all(|row| row.lead.lead_score >= Score::TO_CONVERT)
            );
        }
    }
}
