//! The words of phone numbers.
//!
//! The index has one word for a number with an area code: the local digits, followed by the area code. A shorter number
//! is also in the index as it is. A search for seven digits, a local number, finds the start of a word. Any other number
//! is searched by the digits after its first three, and then all its digits are compared with the leads that were found.

/// The digits of an area code.
const AREA: usize = 3;
/// The digits of a local number.
const LOCAL: usize = 7;
/// The fewest digits that are a phone number and not another word.
const FEWEST: usize = 5;

/// The words of a phone number.
#[derive(Default)]
pub(super) struct PhoneWords {
    /// The words in the index.
    pub(super) indexed: Vec<String>,
    /// The words that narrow a search down.
    pub(super) others: Vec<String>,
}

/// Returns the words of a stored number.
pub(super) fn phone_words(digits: &str) -> PhoneWords {
    let whole = || vec![digits.to_owned()];
    match digits.len() {
        ..FEWEST => PhoneWords { indexed: whole(), others: Vec::new() },
        // The number has no area code, so it is also found by itself.
        FEWEST..=LOCAL => PhoneWords { indexed: vec![digits.to_owned(), turned(digits)], others: Vec::new() },
        _ => PhoneWords { indexed: vec![turned(digits)], others: whole() },
    }
}

fn turned(digits: &str) -> String {
    let (area, rest) = digits.split_at(AREA);
    format!("{rest}{area}")
}

/// Returns the words of a text that is nothing but a telephone number with at least five digits.
pub(super) fn typed_phone(typed: &str) -> Option<Vec<String>> {
    let is_phone = typed.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-()./".contains(c));
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    let marked = typed.chars().any(|c| !c.is_ascii_digit()) || digits.len() >= LOCAL;
    if !is_phone || !marked || digits.len() < FEWEST {
        return None;
    }
    let digits = match digits.strip_prefix('1') {
        Some(national) if national.len() == 10 => national.to_owned(),
        _ => digits,
    };
    if digits.len() == LOCAL {
        return Some(vec![digits]);
    }
    let local = digits.get(AREA..).unwrap_or_default().to_owned();
    Some(vec![local, digits])
}

/// Whether a typed word is a number with an area code. Its local digits, which are another word, are looked up instead.
pub(super) fn is_phone_only(word: &str, words: &[String]) -> bool {
    word.len() != LOCAL
        && word.len() >= FEWEST
        && word.chars().all(|c| c.is_ascii_digit())
        && words.iter().any(|local| word.get(AREA..) == Some(local))
}
