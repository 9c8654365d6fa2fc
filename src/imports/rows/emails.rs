//! The email addresses in a cell.
//!
//! Invariant: an address is never guessed from a text with a stray space or comma in it, because it would be another
//! person's. Such a cell has no address.

use crate::base::values::{Email, Invalid};
use crate::imports::mapping::text::{clean, is_blank, is_hidden, name_of_invisible, one_line, quoted};

/// Words between two addresses.
const LINKS: [&str; 8] = ["&", "+", "and", "et", "o", "oder", "or", "und"];

/// The email addresses in a cell.
#[derive(Debug)]
pub(super) struct Addresses {
    /// The first valid address.
    pub first: Email,
    /// The name beside it, as in `Ann Lee <ann@example.com>`.
    pub display: Option<String>,
    /// The other addresses, as they were written.
    pub others: Vec<String>,
}

/// An address in a cell, not yet checked.
struct Candidate {
    address: String,
    display: Option<String>,
}

/// Returns the addresses in a cell.
///
/// # Errors
/// [`Invalid`] if no address in it is valid, with what is wrong with the first.
pub(super) fn addresses(cell: &str) -> Result<Addresses, Invalid> {
    let whole = bare(cell);
    if let Ok(first) = email(whole) {
        return Ok(Addresses { first, display: None, others: Vec::new() });
    }
    let mut others = Vec::new();
    let mut found: Option<(Email, Option<String>)> = None;
    let mut wrong = None;
    for candidate in candidates(cell) {
        match email(&candidate.address) {
            Ok(address) if found.is_none() => found = Some((address, candidate.display)),
            Ok(address) => others.push(address.as_str().to_owned()),
            Err(invalid) => {
                wrong.get_or_insert(invalid);
                others.push(candidate.address);
            }
        }
    }
    match found {
        Some((first, display)) => {
            others.retain(|other| !other.eq_ignore_ascii_case(first.as_str()));
            Ok(Addresses { first, display, others })
        }
        None => Err(match wrong {
            Some(invalid) => invalid,
            None => email(whole).err().unwrap_or_else(|| Invalid::new("This isn't a valid email.")),
        }),
    }
}

fn email(text: &str) -> Result<Email, Invalid> {
    match text.char_indices().find(|(_, c)| is_hidden(*c)) {
        Some((at, c)) => {
            let name = name_of_invisible(c);
            let before = quoted(&text[..at]);
            Err(Invalid::new(format!(
                "The email contains the invisible character {name} after {before}. Remove it."
            )))
        }
        None => text.parse(),
    }
}

/// Splits a cell into addresses. Words before an address belong to it, so that it is invalid unless they are a name
/// before an address in brackets.
fn candidates(cell: &str) -> Vec<Candidate> {
    let cell = cell.replace(":::", ";");
    let has_several = cell.matches('@').count() > 1;
    let is_separator =
        |c: char| matches!(c, ',' | ';' | '|' | '\n' | '\r' | '\t') || (c == '/' && has_several);
    let mut candidates = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    for segment in cell.split(is_separator).map(str::trim).filter(|segment| !is_blank(segment)) {
        words.push(segment);
        if segment.contains('@') {
            candidates.extend(in_segment(&words.join(", ")));
            words.clear();
        }
    }
    candidates
}

/// Returns the addresses in a part of a cell without separators.
fn in_segment(segment: &str) -> Vec<Candidate> {
    let pairs = [('<', '>'), ('[', ']'), ('(', ')')];
    for (open, close) in pairs {
        let groups: Vec<&str> = segment.split_inclusive(close).filter(|group| !is_blank(group)).collect();
        let in_brackets = |group: &&str| {
            let (display, address) = group.strip_suffix(close)?.rsplit_once(open)?;
            let display = one_line(display.trim_matches(is_quote));
            let display = Some(display.trim_matches(is_quote).to_owned()).filter(|name| !is_blank(name));
            address.contains('@').then(|| Candidate { address: bare(address).to_owned(), display })
        };
        let found: Option<Vec<Candidate>> = groups.iter().map(in_brackets).collect();
        if let Some(found) = found.filter(|found| !found.is_empty()) {
            return found;
        }
    }
    let text = without_remarks(segment);
    let plain = |address: &str| Candidate { address: bare(address).to_owned(), display: None };
    let has_several = text.matches('@').count() > 1;
    let is_link =
        |word: &str| word.ends_with(':') || (has_several && LINKS.contains(&word.to_lowercase().as_str()));
    let words: Vec<&str> = text.split_whitespace().filter(|word| !is_link(word)).collect();
    match words.iter().all(|word| word.contains('@')) {
        true => words.into_iter().map(plain).collect(),
        false => vec![plain(&text)],
    }
}

/// Removes remarks in parentheses, as in `ann@example.com (work)`.
fn without_remarks(text: &str) -> String {
    match (text.find('('), text.rfind(')')) {
        (Some(from), Some(to)) if from < to && !text[from..to].contains('@') => {
            format!("{} {}", &text[..from], &text[to + 1..])
        }
        _ => text.to_owned(),
    }
}

/// Removes what programs write around an address: `mailto:`, quotation marks, a final dot.
fn bare(text: &str) -> &str {
    let text = clean(text).trim_start_matches(is_quote).trim_end_matches(is_end);
    let scheme = "mailto:";
    let text = match text.get(..scheme.len()) {
        Some(start) if start.eq_ignore_ascii_case(scheme) => {
            let address = &text[scheme.len()..];
            address.split_once('?').map_or(address, |(address, _)| address)
        }
        _ => text,
    };
    clean(text)
}

fn is_end(c: char) -> bool {
    is_quote(c) || matches!(c, '.' | ',' | ';')
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '“' | '”' | '‘' | '’' | '`' | '<' | '>') || c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_is_taken_and_the_others_are_returned() {
        let cases: [(&str, &str, &[&str]); 15] = [
            ("kim@example.com and kim@example.org", "kim@example.com", &["kim@example.org"]),
            ("kim@example.com", "kim@example.com", &[]),
            ("kim@example.com, kim@example.org", "kim@example.com", &["kim@example.org"]),
            ("kim@example.com;kim@example.org;", "kim@example.com", &["kim@example.org"]),
            (
                "kim@example.com ::: kim@example.org ::: k@example.net",
                "kim@example.com",
                &["kim@example.org", "k@example.net"],
            ),
            ("kim@example.com\r\nkim@example.org", "kim@example.com", &["kim@example.org"]),
            ("kim@example.com / kim@example.org", "kim@example.com", &["kim@example.org"]),
            ("kim@example.com/kim@example.org", "kim@example.com", &["kim@example.org"]),
            ("kim@example.com | KIM@example.com", "kim@example.com", &[]),
            ("kim@example.com kim@example.org", "kim@example.com", &["kim@example.org"]),
            ("kim@, kim@example.com", "kim@example.com", &["kim@"]),
            ("mailto:kim@example.com?subject=Hi", "kim@example.com", &[]),
            ("Work: kim@example.com (office)", "kim@example.com", &[]),
            ("\"kim@example.com\".", "kim@example.com", &[]),
            ("n/a; kim@example.com", "kim@example.com", &[]),
        ];
        for (text, first, others) in cases {
            let found = addresses(text).unwrap();
            assert_eq!(found.first.as_str(), first, "{text}");
            assert_eq!(found.others, others, "{text}");
        }
    }

    #[test]
    fn a_display_name_comes_before_brackets() {
        let cases = [
            ("Kim Osei <kim@example.com>", Some("Kim Osei")),
            ("\"Osei, Kim\" <kim@example.com>", Some("Osei, Kim")),
            ("Osei, Kim <MAILTO:kim@example.com>", Some("Osei, Kim")),
            ("Kim Osei (kim@example.com)", Some("Kim Osei")),
            ("'Kim' [kim@example.com]", Some("Kim")),
            ("<kim@example.com>", None),
            ("Kim Osei <kim@example.com>; Jo <jo@example.com>", Some("Kim Osei")),
        ];
        for (text, display) in cases {
            let found = addresses(text).unwrap();
            assert_eq!(
                (found.first.as_str(), found.display.as_deref()),
                ("kim@example.com", display),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_is_never_guessed_from_a_text_with_a_mistake() {
        let mistakes = [
            "kim",
            "kim osei@example.com",
            "kim,osei@example.com",
            "kim@ example.com",
            "kim@example.co m",
            "kim@localhost",
            "kim(at)example.com",
            "Kim Osei <kim>",
            "@example.com",
            "kim@@example.com",
        ];
        for text in mistakes {
            let reason = addresses(text).unwrap_err().to_string();
            assert!(reason.contains("isn't a valid email"), "{text}: {reason}");
        }
    }

    #[test]
    fn invisible_characters_are_removed_at_the_ends_and_named_inside() {
        for text in [
            "\u{200e}kim@example.com",
            "kim@example.com\u{202c}",
            "<\u{feff}kim@example.com\u{200b}>",
            "\u{a0}kim@example.com",
        ] {
            assert_eq!(addresses(text).unwrap().first.as_str(), "kim@example.com", "{text:?}");
        }
        let reason = addresses("kim\u{a0}@example.com").unwrap_err().to_string();
        assert!(reason.contains("U+00A0 (no-break space) after “kim”"), "{reason}");
        let reason = addresses("kim\u{200b}@example.com").unwrap_err().to_string();
        assert_eq!(
            reason,
            "The email contains the invisible character U+200B (zero-width space) after “kim”. Remove it."
        );
    }
}
