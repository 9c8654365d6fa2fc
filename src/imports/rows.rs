//! Turns a row into a lead, or into the reason why it cannot be one. Pure.
//!
//! Invariants:
//! - A row is rejected only if it cannot be read, or has no email address that can be used.
//! - A cell that a lead's own field cannot hold is kept as a custom field, and a warning says so.
//! - A lead from another country than the US has no US state.

use super::file::Row;
use super::mapping::text::quoted;
use super::mapping::{Field, Mapping, find_score, find_state, find_status, is_other_country};
use crate::base::values::{Email, Invalid, UsState};
use crate::leads::domain::{Company, LeadSource, NewLead, Phone, Score, Status};
use crate::leads::import::Conversion;
use emails::{Addresses, addresses};
use phones::{Phones, phones};
use reader::{Cell, Refused, RowReader};

pub use parsed::ParsedRow;

mod emails;
mod kept;
mod names;
mod parsed;
mod phones;
mod reader;
#[cfg(test)]
mod tests;

/// The custom field with the addresses after the first in an email cell.
const OTHER_EMAILS: &str = "Other emails";
/// The custom field with the numbers after the first in a phone cell.
const OTHER_PHONES: &str = "Other phones";

/// Returns the lead that a row describes.
///
/// # Errors
/// Everything that is wrong with the row, with the column and the value of each error.
pub fn lead_of(row: &Row, mapping: &Mapping) -> Result<ParsedRow, String> {
    if let Some(fault) = &row.fault {
        return Err(fault.to_string());
    }
    let mut reader = RowReader::new(row, mapping);
    let addresses = email(&mut reader);
    let name = names::name(&mut reader, addresses.as_ref().ok());
    match (name, addresses) {
        (Ok(found), Ok(addresses)) => {
            Ok(with_details(reader, NewLead::named(found.name, addresses.first), found.is_written))
        }
        (name, addresses) => {
            let wrong = [name.err(), addresses.err()];
            Err(wrong.into_iter().flatten().collect::<Vec<_>>().join(" "))
        }
    }
}

/// Adds what is optional to a lead.
fn with_details(mut reader: RowReader<'_>, named: NewLead, has_name: bool) -> ParsedRow {
    let phone = phone(&mut reader);
    let company = reader.optional(Field::Company, |cell| cell.line().parse::<Company>());
    let source = reader.optional(Field::Source, |cell| cell.line().parse::<LeadSource>());
    let owner = reader.optional(Field::Owner, |cell| Ok(cell.line()));
    let state = state(&mut reader);
    let score = reader.optional(Field::LeadScore, |cell| find_score(cell.value()));
    let lead_score = score.map(|taken| taken.value).unwrap_or_default();
    let (status, conversion) = status(&mut reader, lead_score);
    reader.keep_the_rest();
    let owner = owner.map(|taken| (taken.value, reader.title(taken.at).to_owned()));
    let (fields, warnings) = reader.finish();
    let company = company.map(|taken| taken.value);
    let source = source.map(|taken| taken.value);
    let lead = NewLead { phone, company, source, state, lead_score, status, fields, ..named };
    let mut parsed = ParsedRow::new(lead, owner, has_name, warnings);
    parsed.conversion = conversion;
    parsed
}

/// Takes the first address of the first column with one, and keeps the others in its cell.
fn email(reader: &mut RowReader<'_>) -> Result<Addresses, String> {
    let (taken, refused) = reader.take(Field::Email, |cell| addresses(cell.value()));
    let Some(taken) = taken else {
        return Err(match refused.into_iter().next() {
            Some(Refused { text, reason, .. }) => {
                format!("{} {}: {reason}", Field::Email.label(), quoted(&text))
            }
            None => reader::missing::<Email>(Field::Email.label()),
        });
    };
    if !taken.value.others.is_empty() {
        reader.keep_extra(OTHER_EMAILS, &taken.value.others.join(", "));
    }
    Ok(taken.value)
}

/// Takes the first number of the first column with one, and keeps the others in its cell.
fn phone(reader: &mut RowReader<'_>) -> Option<Phone> {
    let Phones { first, others } = reader.optional(Field::Phone, |cell| phones(&cell.line()))?.value;
    if !others.is_empty() {
        reader.keep_extra(OTHER_PHONES, &others.join(", "));
    }
    Some(first)
}

/// Takes the state of the first column with a US state, if that place is in the US.
fn state(reader: &mut RowReader<'_>) -> Option<UsState> {
    let (row, mapping) = (reader.row, reader.mapping);
    let read = |cell: &Cell<'_>| match other_country(row, mapping, cell) {
        Some(country) => Err(Invalid::new(format!("This isn't a US state: the country is {country}."))),
        None => find_state(cell.value())
            .ok_or_else(|| Invalid::new("This isn't a US state. Use one such as TX or Texas.")),
    };
    reader.optional(Field::State, read).map(|taken| taken.value)
}

/// Returns the country of a state, quoted, if it is another than the US. A state that a person mapped is in the US.
fn other_country(row: &Row, mapping: &Mapping, cell: &Cell<'_>) -> Option<String> {
    let countries = mapping.columns().get(cell.at).filter(|_| !cell.is_mapped())?.countries();
    let texts = countries.iter().filter_map(|at| row.fields.get(*at)).map(|text| reader::clean(text));
    texts.filter(|text| is_other_country(text)).map(quoted).next()
}

/// Takes the status of the first column with a known one. Without the score for CONVERTED it is QUALIFIED, unless the
/// lead is known already and has that score.
fn status(reader: &mut RowReader<'_>, score: Score) -> (Status, Option<Conversion>) {
    let Some(taken) = reader.optional(Field::Status, |cell| find_status(cell.value())) else {
        return (Status::default(), None);
    };
    if taken.value != Status::Converted || score >= Score::TO_CONVERT {
        return (taken.value, None);
    }
    let reason = "A lead needs a score of 80 or more to be converted, so this one becomes QUALIFIED.";
    let warning = reader.keep_with_reason(taken.at, &taken.text, reason);
    (Status::Qualified, Some(Conversion { field: reader.title(taken.at).to_owned(), warning }))
}
