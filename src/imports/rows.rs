//! Turns a row into a lead, or into the reason why it cannot be one. Pure.

use std::fmt::Display;
use std::str::FromStr;

use super::file::Row;
use super::mapping::{Field, Mapping, RawLead, state_code};
use crate::base::values::{Invalid, UsState};
use crate::leads::domain::{NewLead, Rule, Score, Status};

/// How many characters of a value a reason quotes.
const QUOTED: usize = 60;

/// Returns the lead that a row describes.
///
/// # Errors
/// Everything that is wrong with the row, with the column and the value of each error.
pub fn lead_of(row: &Row, mapping: &Mapping) -> Result<NewLead, String> {
    match &row.fault {
        Some(fault) => Err(fault.to_string()),
        None => parse_lead(&mapping.apply(row)),
    }
}

fn parse_lead(raw: &RawLead) -> Result<NewLead, String> {
    let name = required("Name", &raw.name);
    let email = required(Field::Email.label(), &raw.email);
    let state = optional(Field::State, raw.state.as_deref(), state);
    let score = optional(Field::LeadScore, raw.lead_score.as_deref(), str::parse::<Score>);
    let status = optional(Field::Status, raw.status.as_deref(), str::parse::<Status>);
    match (name, email, state, score, status) {
        (Ok(name), Ok(email), Ok(state), Ok(score), Ok(status)) => {
            let new = NewLead {
                name,
                email,
                state,
                lead_score: score.unwrap_or_default(),
                status: status.unwrap_or_default(),
            };
            match new.status == Status::Converted && new.lead_score < Score::TO_CONVERT {
                true => Err(describe("Status", new.status.as_str(), &Rule::ConvertNeedsScore.words())),
                false => Ok(new),
            }
        }
        (name, email, state, score, status) => {
            let wrong = [name.err(), email.err(), state.err(), score.err(), status.err()];
            Err(wrong.into_iter().flatten().collect::<Vec<_>>().join(" "))
        }
    }
}

fn required<T: FromStr<Err = Invalid>>(column: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|invalid| describe(column, text, &invalid))
}

fn optional<T>(
    field: Field,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Result<Option<T>, String> {
    text.map(|text| parse(text).map_err(|invalid| describe(field.label(), text, &invalid))).transpose()
}

fn state(text: &str) -> Result<UsState, Invalid> {
    state_code(text)
        .ok_or_else(|| Invalid::new("This is not a US state; write for example TX or Texas."))
        .and_then(str::parse)
}

fn describe(column: &str, text: &str, reason: &impl Display) -> String {
    if text.is_empty() {
        return format!("{column} is empty. {reason}");
    }
    let mut quoted: String = text.chars().take(QUOTED).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    format!("{column} “{quoted}”: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(name: &str, email: &str, rest: [&str; 3]) -> RawLead {
        let [state, lead_score, status] = rest.map(|text| (!text.is_empty()).then(|| text.to_owned()));
        RawLead { name: name.to_owned(), email: email.to_owned(), state, lead_score, status }
    }

    #[test]
    fn a_row_becomes_a_lead() {
        let cases = [
            (raw("Ann Lee", "ann@example.com", ["", "", ""]), (None, 0, Status::Prospect)),
            (
                raw("Ann Lee", "ann@example.com", ["Texas", "80", "converted"]),
                (Some("TX"), 80, Status::Converted),
            ),
            (
                raw("Ann Lee", "ann@example.com", ["n.y.", " 7 ", "Qualified"]),
                (Some("NY"), 7, Status::Qualified),
            ),
            (
                raw("Ann Lee", "ann@example.com", ["Washington, D.C.", "100", ""]),
                (Some("DC"), 100, Status::Prospect),
            ),
        ];
        for (raw, (state, score, status)) in cases {
            let new = parse_lead(&raw).unwrap();
            let found = new.state.map(|state| state.as_str());
            assert_eq!((found, new.lead_score.get(), new.status), (state, score, status), "{raw:?}");
        }
    }

    #[test]
    fn a_rejection_names_the_column_the_value_and_the_reason() {
        let long = "x".repeat(200);
        let cases: [(RawLead, &[&str]); 9] = [
            (raw("", "ann@example.com", ["", "", ""]), &["Name is empty. Give a name."]),
            (raw("Ann", "", ["", "", ""]), &["E-mail is empty. Give an email address."]),
            (
                raw("Ann", "ann.example.com", ["", "", ""]),
                &["E-mail “ann.example.com”: This is not an email"],
            ),
            (
                raw("Ann", "a@example.com", ["Atlantis", "", ""]),
                &["State “Atlantis”: This is not a US state"],
            ),
            (
                raw("Ann", "a@example.com", ["", "101", ""]),
                &["Lead score “101”: A lead score is a whole number"],
            ),
            (raw("Ann", "a@example.com", ["", "7.5", ""]), &["Lead score “7.5”"]),
            (raw("Ann", "a@example.com", ["", "", "Hot"]), &["Status “Hot”: A status is PROSPECT"]),
            (raw("Ann", "a@example.com", ["", "79", "CONVERTED"]), &["Status “CONVERTED”: ", "80 or more"]),
            (
                raw("", &long, ["Mars", "-1", "?"]),
                &["Name is", "xxx…”", "State “Mars”", "score “-1”", "Status “?”"],
            ),
        ];
        for (raw, expected) in cases {
            let reason = parse_lead(&raw).unwrap_err();
            assert!(expected.iter().all(|part| reason.contains(part)), "{reason}");
        }
    }

    #[test]
    fn an_unreadable_row_is_rejected_regardless_of_its_cells() {
        let mapping = Mapping::from_slugs(&["full-name", "email"], 2).unwrap();
        let fields = vec!["Ann".to_owned(), "ann@example.com".to_owned()];
        let mut row = Row { number: 2, line: 2, span: 0..1, fields, fault: None };
        assert!(lead_of(&row, &mapping).is_ok());
        row.fault = Some(super::super::file::RowFault::OpenQuote);
        assert!(lead_of(&row, &mapping).unwrap_err().contains("quotation mark"));
    }
}
