//! The meaning of the columns of an uploaded file, and the file of rejected rows.
//!
//! Invariants:
//! - A field of a lead comes from at most one column. A name comes either from a full-name column or from
//!   first and last name, never from both.
//! - A [`RawLead`] is unchecked text. The types of the leads feature decide what is valid.
//! - The file of rejected rows can be corrected and imported again, and no cell of it runs as a formula.

use serde::{Deserialize, Serialize};

use super::file::Row;
use crate::web::csv::undefuse;

pub use rejected::rejected_csv;
pub use states::state_code;

mod rejected;
mod states;
#[cfg(test)]
mod tests;

/// The meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The column is ignored.
    Ignore,
    /// The full name.
    FullName,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// The email address.
    Email,
    /// The US state, as a code or a name.
    State,
    /// The lead score.
    LeadScore,
    /// The status.
    Status,
}

impl Field {
    /// All fields, in the order in which a form offers them.
    pub const ALL: [Self; 8] = [
        Self::Ignore,
        Self::FullName,
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::State,
        Self::LeadScore,
        Self::Status,
    ];

    /// Returns the name shown to people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ignore => "Ignore",
            Self::FullName => "Full name",
            Self::FirstName => "First name",
            Self::LastName => "Last name",
            Self::Email => "E-mail",
            Self::State => "State",
            Self::LeadScore => "Lead score",
            Self::Status => "Status",
        }
    }

    /// Returns the name in forms and in the table.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::FullName => "full-name",
            Self::FirstName => "first-name",
            Self::LastName => "last-name",
            Self::Email => "email",
            Self::State => "state",
            Self::LeadScore => "lead-score",
            Self::Status => "status",
        }
    }

    /// Returns the field with this slug.
    pub fn parse(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.slug() == slug)
    }

    /// Returns the headers that mean this field, folded by [`fold`], the best match first.
    fn headers(self) -> &'static [&'static str] {
        match self {
            Self::Ignore => &[],
            Self::FullName => &[
                "fullname",
                "name",
                "contactname",
                "leadname",
                "customername",
                "clientname",
                "personname",
                "displayname",
                "contact",
            ],
            Self::FirstName => {
                &["firstname", "givenname", "fname", "first", "forename", "given", "contactfirstname"]
            }
            Self::LastName => &["lastname", "surname", "familyname", "lname", "last", "contactlastname"],
            Self::Email => &[
                "email",
                "emailaddress",
                "mail",
                "primaryemail",
                "contactemail",
                "workemail",
                "businessemail",
                "email1value",
                "personalemail",
                "homeemail",
            ],
            Self::State => &[
                "state",
                "usstate",
                "statecode",
                "stateprovince",
                "stateorprovince",
                "stateregion",
                "provincestate",
                "statename",
                "stateabbreviation",
                "st",
                "mailingstate",
                "mailingstateprovince",
                "billingstate",
                "billingstateprovince",
                "businessstate",
                "homestate",
                "province",
                "region",
            ],
            Self::LeadScore => &["leadscore", "score"],
            Self::Status => &[
                "status",
                "leadstatus",
                "stage",
                "leadstage",
                "pipelinestage",
                "lifecyclestage",
                "salesstage",
                "dealstage",
            ],
        }
    }

    /// Ranks how well a folded header matches this field; lower is better. A header with a number ("Email 2")
    /// ranks after all headers without one.
    fn rank(self, folded: &str) -> Option<usize> {
        let rank = |name: &str| self.headers().iter().position(|known| *known == name);
        rank(folded).or_else(|| {
            let name = folded.trim_end_matches(|c: char| c.is_ascii_digit());
            let number: usize = folded.strip_prefix(name)?.parse().ok()?;
            Some(rank(name)? + 100 * number.clamp(1, 100))
        })
    }
}

/// Removes what people write differently in a header: letter case, white space and punctuation.
fn fold(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Why a mapping is invalid. The messages are shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// No column is mapped to the email address.
    #[error("No column is mapped to “E-mail”. Choose the column with the e-mail addresses.")]
    NoEmail,
    /// No column is mapped to a name.
    #[error(
        "No column is mapped to a name. Choose “Full name” for one column, or “First name” and “Last name” for two."
    )]
    NoName,
    /// Both a full name and a part of a name are mapped.
    #[error(
        "The name is mapped twice: to “Full name” and to “{0}”. Keep one and set the other to “Ignore”.",
        part.label()
    )]
    NameTwice {
        /// The first or the last name.
        part: Field,
    },
    /// Two columns are mapped to the same field.
    #[error(
        "Columns {first} and {second} are both mapped to “{0}”. Set one of them to “Ignore”.",
        field.label()
    )]
    Twice {
        /// The field.
        field: Field,
        /// The position of the first of the two columns, counted from 1.
        first: usize,
        /// The position of the second one.
        second: usize,
    },
    /// The slug is unknown.
    #[error("Column {column} is mapped to “{slug}”, which is not one of the choices.")]
    Unknown {
        /// The position of the column, counted from 1.
        column: usize,
        /// The slug that was sent.
        slug: String,
    },
    /// There are more or fewer fields than columns.
    #[error("The file has {expected} columns, but {found} were mapped. Map every column once.")]
    Count {
        /// The number of columns in the file.
        expected: usize,
        /// The number of fields that were sent.
        found: usize,
    },
}

/// The field of each column, in the order of the file. It is stored as slugs and checked when it is read
/// again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Mapping {
    fields: Vec<Field>,
}

impl Mapping {
    /// Guesses the fields from the headers, in any order, case and punctuation.
    ///
    /// Each field goes to the column that matches best, and to the first of equal matches. First and last
    /// name together take precedence over a full name, which in such files is often a company's. A full name
    /// takes precedence over only one of them. The guess may be incomplete: see [`Mapping::check`].
    pub fn guess(headers: &[String]) -> Self {
        let folded: Vec<String> = headers.iter().map(|header| fold(header)).collect();
        let best = |field: Field| {
            let ranked = folded.iter().enumerate();
            let ranked = ranked.filter_map(|(at, header)| Some((field.rank(header)?, at)));
            ranked.min().map(|(_, at)| at)
        };
        let (full, first, last) = (best(Field::FullName), best(Field::FirstName), best(Field::LastName));
        let in_parts = (first.is_some() && last.is_some()) || full.is_none();
        let mut fields = vec![Field::Ignore; headers.len()];
        for field in Field::ALL {
            let wanted = match field {
                Field::FirstName | Field::LastName => in_parts,
                Field::FullName => !in_parts,
                _ => true,
            };
            if let Some(slot) = best(field).filter(|_| wanted).and_then(|at| fields.get_mut(at)) {
                *slot = field;
            }
        }
        Self { fields }
    }

    /// Creates the mapping that a person chose: one slug for each of the file's `columns`, in their order.
    ///
    /// # Errors
    /// A [`MappingError`] if a slug is unknown or the number of slugs is wrong, and the errors of
    /// [`Mapping::check`].
    pub fn from_slugs<S: AsRef<str>>(slugs: &[S], columns: usize) -> Result<Self, MappingError> {
        if slugs.len() != columns {
            return Err(MappingError::Count { expected: columns, found: slugs.len() });
        }
        let parse = |(at, slug): (usize, &S)| {
            let slug = slug.as_ref();
            let unknown = || MappingError::Unknown { column: at + 1, slug: slug.to_owned() };
            Field::parse(slug).ok_or_else(unknown)
        };
        let fields = slugs.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        let mapping = Self { fields };
        mapping.check()?;
        Ok(mapping)
    }

    /// Checks that rows can become leads: an email address and one kind of name are mapped, and no field is
    /// mapped twice.
    ///
    /// # Errors
    /// The first problem found.
    pub fn check(&self) -> Result<(), MappingError> {
        for field in Field::ALL.into_iter().filter(|field| *field != Field::Ignore) {
            let columns = self.fields.iter().enumerate().filter(|(_, other)| **other == field);
            let mut columns = columns.map(|(at, _)| at + 1);
            if let (Some(first), Some(second)) = (columns.next(), columns.next()) {
                return Err(MappingError::Twice { field, first, second });
            }
        }
        let has = |field: &Field| self.fields.contains(field);
        let part = [Field::FirstName, Field::LastName].into_iter().find(has);
        match (has(&Field::FullName), part) {
            (true, Some(part)) => Err(MappingError::NameTwice { part }),
            (false, None) => Err(MappingError::NoName),
            _ if !has(&Field::Email) => Err(MappingError::NoEmail),
            _ => Ok(()),
        }
    }

    /// Returns the field of each column.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Returns the slug of each column's field, to be stored and read again by [`Mapping::from_slugs`].
    pub fn slugs(&self) -> Vec<&'static str> {
        self.fields.iter().map(|field| field.slug()).collect()
    }

    /// Assigns the cells of a row to the fields of a lead. Removes the apostrophe that
    /// [`escape_formula`](crate::web::csv::escape_formula) adds.
    pub fn apply(&self, row: &Row) -> RawLead {
        let cell = |field: Field| {
            let at = self.fields.iter().position(|other| *other == field)?;
            let text = undefuse(row.fields.get(at)?);
            (!text.is_empty()).then(|| text.to_owned())
        };
        let names = [Field::FullName, Field::FirstName, Field::LastName];
        let names: Vec<String> = names.into_iter().filter_map(cell).collect();
        RawLead {
            name: names.join(" "),
            email: cell(Field::Email).unwrap_or_default(),
            state: cell(Field::State),
            lead_score: cell(Field::LeadScore),
            status: cell(Field::Status),
        }
    }
}

impl TryFrom<Vec<String>> for Mapping {
    type Error = MappingError;

    fn try_from(slugs: Vec<String>) -> Result<Self, MappingError> {
        Self::from_slugs(&slugs, slugs.len())
    }
}

impl From<Mapping> for Vec<String> {
    fn from(mapping: Mapping) -> Self {
        mapping.slugs().into_iter().map(str::to_owned).collect()
    }
}

/// A lead as written in the file. It is not validated, and blank cells stay empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLead {
    /// The name. First and last name are joined by a space.
    pub name: String,
    /// The email address.
    pub email: String,
    /// The state as written, as a code or a name. See [`state_code`].
    pub state: Option<String>,
    /// The lead score as written.
    pub lead_score: Option<String>,
    /// The status as written.
    pub status: Option<String>,
}
