//! Sample leads: 200 fictional people, the same on every run.
//!
//! Invariants: the samples include every state and every status. Every email address uses a domain reserved
//! for examples (RFC 2606), so no email reaches a real person.

use crate::base::identity::Actor;
use crate::base::values::{Invalid, UsState};
use crate::imports::Imports;
use crate::imports::outcome::Counts;
use crate::leads::LeadError;
use crate::leads::domain::{NewLead, Score, Status};

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

const SOURCES: [&str; 4] = ["Web form", "Referral", "Trade show", "Phone call"];

const DOMAINS: [&str; 3] = ["example.com", "example.org", "example.net"];

/// Returns the sample leads. A test shows that all of them are valid.
pub fn leads() -> Vec<NewLead> {
    (0..COUNT).filter_map(|number| lead(number).ok()).collect()
}

/// The strides share no factor with the lengths of the lists, so no two of the 200 people have the same name.
fn lead(number: usize) -> Result<NewLead, Invalid> {
    let first = pick(&FIRST_NAMES, number * 7);
    let last = pick(&LAST_NAMES, number * 5);
    let score = number * 37 % 101;
    let status = match score {
        80.. if !number.is_multiple_of(3) => Status::Converted,
        40.. => Status::Qualified,
        _ => Status::Prospect,
    };
    let states: Vec<UsState> = UsState::all().collect();
    let email = format!("{}.{}@{}", ascii(first), ascii(last), pick(&DOMAINS, number));
    Ok(NewLead {
        phone: Some(format!("({}) 555-{:04}", 201 + number, number).parse()?),
        company: Some(pick(&COMPANIES, number * 3).parse()?),
        source: Some(pick(&SOURCES, number).parse()?),
        state: states.get(number * 20 % states.len().max(1)).copied(),
        lead_score: Score::try_from(i64::try_from(score).unwrap_or_default())?,
        status,
        ..NewLead::named(format!("{first} {last}").parse()?, email.parse()?)
    })
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
    /// Creates the sample leads that do not exist yet.
    ///
    /// # Errors
    /// [`LeadError::Store`] if the store failed. It is safe to repeat the call.
    pub async fn load_samples(&self, by: &Actor) -> Result<Counts, LeadError> {
        let numbered = (1_usize..).zip(leads());
        self.create_all(by, numbered.map(|(number, new)| (format!("sample:{number}"), new)).collect()).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_sample_has_200_valid_people_of_all_states_and_statuses() {
        let sample = leads();
        assert_eq!((sample.len(), &sample), (COUNT, &leads()));
        let emails: HashSet<String> = sample.iter().map(|new| new.email.key()).collect();
        assert_eq!(emails.len(), COUNT);
        assert!(
            emails.iter().all(|email| DOMAINS.iter().any(|domain| email.ends_with(&format!("@{domain}"))))
        );
        let states: HashSet<_> = sample.iter().map(|new| new.state).collect();
        assert_eq!(states.len(), UsState::all().count());
        for status in Status::ALL {
            let of_status = sample.iter().filter(|new| new.status == status);
            assert!(of_status.clone().count() >= 20, "{status}");
            assert!(
                status != Status::Converted
                    || of_status.clone().all(|new| new.lead_score >= Score::TO_CONVERT)
            );
        }
    }
}
