//! Numbers as people read them.

use std::fmt::Display;

/// Formats a number with separators: 50,000.
pub fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a count with its noun: `1 lead`, `2 leads`, `50,000 leads`.
pub fn counted(count: impl TryInto<u128>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u128::MAX);
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// The units of [`compact`], the largest first.
const UNITS: [(u128, &str); 5] = [
    (1_000_000_000_000_000, "Q"),
    (1_000_000_000_000, "T"),
    (1_000_000_000, "B"),
    (1_000_000, "M"),
    (1_000, "K"),
];

/// Formats a number for a place with room for a few characters: 9,500, then 12.5K and 3M. Digits that do not fit are
/// cut off.
pub fn compact(number: impl Into<u128>) -> String {
    let number = number.into();
    match UNITS.iter().find(|(unit, _)| number >= *unit && number >= 10_000) {
        None => grouped(number),
        Some((unit, name)) => {
            let (whole, tenth) = (number / unit, number % unit * 10 / unit);
            let tenth: &dyn Display = if tenth == 0 { &"" } else { &format!(".{tenth}") };
            format!("{}{tenth}{name}", grouped(whole))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0_u64, 999, 1_000, 50_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "50,000", "1,234,567"]);
    }

    #[test]
    fn a_count_has_its_noun() {
        let texts = [0, 1, 2, 50_000].map(|count: usize| counted(count, "entry", "entries"));
        assert_eq!(texts, ["0 entries", "1 entry", "2 entries", "50,000 entries"]);
    }

    #[test]
    fn a_compact_number_has_a_few_characters() {
        let texts = [0, 9_999, 10_000, 12_500, 999_999, 3_000_000, 7_500_000_000, u64::MAX].map(compact);
        assert_eq!(texts, ["0", "9,999", "10K", "12.5K", "999.9K", "3M", "7.5B", "18,446.7Q"]);
    }
}
