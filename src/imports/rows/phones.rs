//! The phone numbers in a cell.

use crate::base::values::Invalid;
use crate::leads::domain::Phone;

/// The fewest digits of each number, if a cell has several.
const FEWEST_DIGITS: usize = 7;

pub(super) struct Phones {
    pub first: Phone,
    /// The others, as they were written.
    pub others: Vec<String>,
}

/// Returns the phone numbers in a cell of one line. Removes the marks that programs write before a number (`p:`,
/// `tel:`), and the `.0` that spreadsheets write behind it.
///
/// # Errors
/// [`Invalid`] if the first is no number.
pub(super) fn phones(line: &str) -> Result<Phones, Invalid> {
    if is_rounded(line) {
        return Err(Invalid::new("A spreadsheet rounded this number. Enter it with all its digits."));
    }
    let mut numbers = split(line).into_iter();
    let first = numbers.next().unwrap_or_default().parse()?;
    Ok(Phones { first, others: numbers.map(str::to_owned).collect() })
}

/// Splits a cell at the separators of several numbers, unless a part is too short to be one: `;ext=3`.
fn split(line: &str) -> Vec<&str> {
    for separator in [" ::: ", ";", ",", "|", " / ", " or "] {
        let parts: Vec<&str> = line.split(separator).map(bare).filter(|part| !part.is_empty()).collect();
        let is_number = |part: &&str| part.chars().filter(char::is_ascii_digit).count() >= FEWEST_DIGITS;
        if parts.len() > 1 && parts.iter().all(is_number) {
            return parts;
        }
    }
    vec![bare(line)]
}

fn bare(number: &str) -> &str {
    let number = number.trim();
    let scheme = ["p:", "tel:", "phone:"]
        .into_iter()
        .find(|scheme| number.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let number = number.get(scheme.map_or(0, str::len)..).unwrap_or_default().trim();
    match number.strip_suffix(".0") {
        Some(whole) if whole.chars().all(|c| c.is_ascii_digit()) => whole,
        _ => number,
    }
}

/// Whether a spreadsheet wrote a long number as `1.31256E+10`.
fn is_rounded(text: &str) -> bool {
    let Some((digits, power)) = text.split_once(['E', 'e']) else { return false };
    let is_digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    is_digits(&digits.replace(['.', ','], "")) && power.strip_prefix('+').is_some_and(is_digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_numbers_is_taken() {
        let cases: [(&str, &str, &[&str]); 9] = [
            ("p:+17755550142", "+17755550142", &[]),
            ("tel:775-555-0142", "775-555-0142", &[]),
            ("17755550142.0", "17755550142", &[]),
            ("775-555-0142 ::: 775-555-0143", "775-555-0142", &["775-555-0143"]),
            ("775-555-0142; 775-555-0143; p:7755550144", "775-555-0142", &["775-555-0143", "7755550144"]),
            ("775.555.0142 / 775.555.0143", "775.555.0142", &["775.555.0143"]),
            ("775 555 0142;ext=3", "775 555 0142;ext=3", &[]),
            ("775-555-0142 x12", "775-555-0142 x12", &[]),
            ("555", "555", &[]),
        ];
        for (text, first, others) in cases {
            let found = phones(text).unwrap();
            assert_eq!(found.first.as_str(), first, "{text}");
            assert_eq!(found.others, others, "{text}");
        }
        for text in ["call me", "12", "1.77556E+10", "1,77556e+10"] {
            assert!(phones(text).is_err(), "{text}");
        }
    }
}
