//! The name of the person that a row describes.
//!
//! Invariant: a name is never a company's column, an order number or an address. If the row has no name, it is the name
//! beside the email address, or else the part of the address before the @.

use super::emails::Addresses;
use super::reader::{Cell, RowReader, Taken, missing};
use crate::base::text::is_invisible;
use crate::base::values::{Invalid, Name};
use crate::imports::mapping::Field;
use crate::imports::mapping::text::{fold, name_of_invisible, quoted};

/// The custom field with a whole name that is cut.
const WHOLE_NAME: &str = "Full name";
/// The most characters of a word in a name that is cut.
const WORD_CHARS: usize = 60;
/// The fewest digits of a word that is a number: `SO1001`.
const FEWEST_DIGITS: usize = 3;
/// Words before the number of a record.
const RECORDS: [&str; 12] = [
    "bestellung",
    "commande",
    "contact",
    "customer",
    "deal",
    "invoice",
    "kunde",
    "lead",
    "order",
    "pedido",
    "quote",
    "rechnung",
];

pub(super) struct Found {
    pub name: Name,
    /// Whether the row gives it. Otherwise it is a part of the email address.
    pub is_written: bool,
}

/// Returns the name of the person. First and last name are preferred to a full name.
///
/// # Errors
/// The reason that there is none.
pub(super) fn name(reader: &mut RowReader<'_>, addresses: Option<&Addresses>) -> Result<Found, String> {
    let (written, is_written) = match (written(reader), addresses) {
        (Some(written), _) => (written, true),
        (None, Some(addresses)) => from_email(reader, addresses),
        (None, None) => return Err(missing::<Name>("Name")),
    };
    Ok(Found { name: fitting(reader, &written)?, is_written })
}

/// A name or a part of one, without invisible characters.
struct Words {
    text: String,
    removed: Option<char>,
}

type Part = Option<Taken<Words>>;

/// Returns the name that the columns of names give.
fn written(reader: &mut RowReader<'_>) -> Option<String> {
    let part = |cell: &Cell<'_>| Ok(words(&cell.line()));
    let (first, _) = reader.take(Field::FirstName, part);
    let (last, _) = reader.take(Field::LastName, part);
    let (full, _) = reader.take(Field::FullName, |cell| full_name(&cell.line()));
    for part in [&first, &last, &full].into_iter().flatten() {
        if let Some(removed) = part.value.removed {
            let (name, text) = (name_of_invisible(removed), quoted(&part.text));
            reader.warn(format!("Name {text}: The invisible character {name} is removed."));
        }
    }
    choose(reader, first, last, full)
}

/// Chooses between the parts of a name and the full name. What is not chosen is kept.
fn choose(reader: &mut RowReader<'_>, first: Part, last: Part, full: Part) -> Option<String> {
    let text = |part: &Part| part.as_ref().map(|taken| taken.value.text.clone());
    let parts: Vec<String> = [text(&first), text(&last)].into_iter().flatten().collect();
    let joined = Some(parts.join(" ")).filter(|joined| !joined.is_empty());
    let (Some(joined), Some(full)) = (joined.clone(), &full) else {
        return joined.or_else(|| text(&full));
    };
    let whole = &full.value.text;
    if is_preferred(reader, full.at, [&first, &last]) {
        for part in [first, last].into_iter().flatten().filter(|part| !has_words(whole, &part.value.text)) {
            reader.keep(part.at, &part.text);
        }
        return Some(whole.clone());
    }
    if parts.len() == 1 && has_words(whole, &joined) {
        return Some(whole.clone());
    }
    // "Vorname" and "Name", or "Nombre" and "Apellidos".
    if first.is_some() && last.is_none() && !has_column(reader, Field::LastName) {
        return Some(format!("{joined} {whole}"));
    }
    if last.is_some() && first.is_none() && !has_column(reader, Field::FirstName) {
        return Some(format!("{whole} {joined}"));
    }
    if fold(whole) != fold(&joined) {
        reader.keep(full.at, &full.text);
    }
    Some(joined)
}

/// Whether a person named the column of the full name, but not those of its parts.
fn is_preferred(reader: &RowReader<'_>, full: usize, parts: [&Part; 2]) -> bool {
    let is_chosen = |at: usize| reader.mapping.columns().get(at).is_some_and(|column| column.is_chosen());
    is_chosen(full) && !parts.into_iter().flatten().any(|part| is_chosen(part.at))
}

fn has_column(reader: &RowReader<'_>, field: Field) -> bool {
    reader.mapping.columns_of(field).next().is_some()
}

/// Whether all words of `part` are words of `whole`.
fn has_words(whole: &str, part: &str) -> bool {
    let words: Vec<String> = whole.split_whitespace().map(fold).collect();
    part.split_whitespace().map(fold).all(|word| words.contains(&word))
}

/// Returns a full name.
///
/// # Errors
/// [`Invalid`] for an address, and for the number of an order or another record.
fn full_name(line: &str) -> Result<Words, Invalid> {
    if line.contains('@') || is_number(line) {
        return Err(Invalid::new("This isn't a name."));
    }
    Ok(words(line))
}

/// Whether a text is the number of a record: `#1001`, `1001`, `SO1001`, `Order 1001`.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
    let has_letters = text.chars().any(char::is_alphabetic);
    let words: Vec<&str> = text.split_whitespace().collect();
    let has_mark =
        text.split('#').skip(1).any(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    match words.as_slice() {
        _ if has_mark || !has_letters => true,
        [word] => digits(word) >= FEWEST_DIGITS,
        [first, rest @ ..] => {
            RECORDS.contains(&fold(first).as_str()) && rest.iter().any(|word| digits(word) > 0)
        }
        [] => true,
    }
}

/// Removes invisible characters, except joiners, which some scripts need.
fn words(line: &str) -> Words {
    let is_stray = |c: char| is_invisible(c) && !matches!(c, '\u{200c}' | '\u{200d}');
    let text: String = line.chars().filter(|c| !is_stray(*c)).collect();
    Words { text: text.trim().to_owned(), removed: line.chars().find(|c| is_stray(*c)) }
}

/// Returns the name beside the email address, or the part of the address before the @, and whether it is a name.
fn from_email(reader: &mut RowReader<'_>, addresses: &Addresses) -> (String, bool) {
    let display = addresses.display.as_deref().and_then(|display| full_name(display).ok());
    if let Some(display) = display {
        return (display.text, true);
    }
    let name = addresses.first.as_str().split('@').next().unwrap_or_default().to_owned();
    reader.warn(format!("Name is empty; {} is taken from the email.", quoted(&name)));
    (name, false)
}

/// Returns a name with as many words as a name may have. A name that is cut is kept as a custom field.
fn fitting(reader: &mut RowReader<'_>, written: &str) -> Result<Name, String> {
    let invalid = match written.parse::<Name>() {
        Ok(name) => return Ok(name),
        Err(invalid) => invalid,
    };
    let words: Vec<&str> = written.split_whitespace().collect();
    let fewer = (1..words.len()).rev().filter_map(|count| words.get(..count)).map(|words| words.join(" "));
    let first = words.first().copied().unwrap_or_default();
    let shorter = (1..=WORD_CHARS).rev().map(|count| first.chars().take(count).collect::<String>());
    let name = fewer.chain(shorter).find_map(|text| text.parse::<Name>().ok());
    let name = name.ok_or_else(|| format!("Name {}: {invalid}", quoted(written)))?;
    reader.keep_extra(WHOLE_NAME, written);
    let title = quoted(&reader.mapping.unused_title(WHOLE_NAME));
    reader.warn(format!(
        "Name {}: {invalid} It's shortened; the full text is kept as the custom field {title}.",
        quoted(written)
    ));
    Ok(name)
}
