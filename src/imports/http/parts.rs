//! What the pages of imports share: the address of an import, and numbers for people.

use axum::response::Response;

use crate::imports::domain::Import;
use crate::web::problem::Problem;

/// The answer of a page.
pub(super) type Answer = Result<Response, Problem>;

pub(super) fn address_of(import: &Import) -> String {
    format!("/leads/imports/{}", import.id)
}

/// Formats a number with separators: 50,000.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 999, 1_000, 50_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "50,000", "1,234,567"]);
    }
}
