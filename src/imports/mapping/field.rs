//! The meanings that a column can have.

use serde::{Deserialize, Serialize};

use super::text::fold;

/// The meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// The column is ignored.
    Ignore,
    /// The column is kept as a custom field.
    Keep,
    /// The full name.
    FullName,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// The email address.
    Email,
    /// The phone number.
    Phone,
    /// The organization that the person belongs to.
    Company,
    /// Where the lead comes from.
    Source,
    /// The agent who looks after the lead.
    Owner,
    /// The US state, as a code or a name.
    State,
    /// The country. It decides whether a state is a US state, and is kept as a custom field.
    Country,
    /// The lead score.
    LeadScore,
    /// The status.
    Status,
}

impl Field {
    /// All fields, in the order in which a form offers them.
    pub const ALL: [Self; 14] = [
        Self::Ignore,
        Self::Keep,
        Self::FullName,
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::Phone,
        Self::Company,
        Self::Source,
        Self::Owner,
        Self::State,
        Self::Country,
        Self::LeadScore,
        Self::Status,
    ];
    /// The fields whose values can be mapped.
    pub const WITH_VALUES: [Self; 4] = [Self::Status, Self::State, Self::LeadScore, Self::Source];

    /// Returns the name shown to people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ignore => "Ignore",
            Self::Keep => "Keep as a custom field",
            Self::FullName => "Full name",
            Self::FirstName => "First name",
            Self::LastName => "Last name",
            Self::Email => "Email",
            Self::Phone => "Phone",
            Self::Company => "Company",
            Self::Source => "Source",
            Self::Owner => "Owner",
            Self::State => "State",
            Self::Country => "Country",
            Self::LeadScore => "Lead score",
            Self::Status => "Status",
        }
    }

    /// Returns the name in forms, on the command line and in the table.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Keep => "keep",
            Self::FullName => "full-name",
            Self::FirstName => "first-name",
            Self::LastName => "last-name",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Company => "company",
            Self::Source => "source",
            Self::Owner => "owner",
            Self::State => "state",
            Self::Country => "country",
            Self::LeadScore => "lead-score",
            Self::Status => "status",
        }
    }

    /// Returns the field with this slug.
    pub fn parse(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.slug() == slug)
    }

    /// Returns the field that a person names: by its slug, its label, or its name in JSON, in any spelling.
    pub fn named(text: &str) -> Option<Self> {
        let name = fold(text);
        let short = match name.as_str() {
            "name" => Some(Self::FullName),
            "score" => Some(Self::LeadScore),
            _ => None,
        };
        let is_named = |field: &Self| fold(field.slug()) == name || fold(field.label()) == name;
        short.or_else(|| Self::ALL.into_iter().find(is_named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_unique_slug_which_is_also_its_name_in_the_table() {
        for field in Field::ALL {
            assert_eq!(Field::parse(field.slug()), Some(field));
            assert_eq!(serde_json::to_string(&field).unwrap(), format!("\"{}\"", field.slug()));
            assert_eq!((Field::named(field.label()), Field::named(field.slug())), (Some(field), Some(field)));
        }
        assert_eq!(Field::parse("Email"), None);
    }

    #[test]
    fn a_person_may_name_a_field_in_any_spelling() {
        let names =
            [("name", Field::FullName), ("leadScore", Field::LeadScore), ("First_Name", Field::FirstName)];
        for (text, field) in names {
            assert_eq!(Field::named(text), Some(field), "{text}");
        }
        assert_eq!(Field::named("shoe size"), None);
    }
}
