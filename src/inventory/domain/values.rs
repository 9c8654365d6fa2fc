//! Value types of products and messages.

use crate::base::values::{Invalid, text_type};
use crate::shared::values::{number_type, single_line};

fn visible(text: &str, most: usize) -> Option<String> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

text_type!(
    /// The id of a product, case-insensitive: 1 to 40 letters, digits and the marks `- . _`, stored in upper case. At
    /// least one letter or digit is required, because a URL cannot end in `..`.
    Sku,
    |text| {
        let sku = text.trim().to_ascii_uppercase();
        let fits = (1..=40).contains(&sku.len())
            && sku.bytes().any(|byte| byte.is_ascii_alphanumeric())
            && sku.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        fits.then_some(sku)
    },
    "A SKU must have 1 to 40 letters, digits, or - . _, with at least one letter or digit, for example 85123A."
);
text_type!(
    /// The name of a product: one line of 1 to 120 characters.
    ProductName,
    |text| single_line(text, 120),
    "A product name must be one line of 1 to 120 characters."
);
impl From<&Sku> for ProductName {
    /// The default name of a product. A sku is one line and shorter than the longest name.
    fn from(sku: &Sku) -> Self {
        Self(sku.0.clone())
    }
}

text_type!(
    /// The unique id of a message: 1 to 200 visible ASCII characters.
    MessageId,
    |text| visible(text, 200),
    "A messageId must have 1 to 200 visible ASCII characters."
);
text_type!(
    /// A reference of a message, such as an invoice: one line of 1 to 120 characters.
    Reference,
    |text| single_line(text, 120),
    "A reference must be one line of 1 to 120 characters."
);

number_type!(
    /// A number of pieces, in a stock or a change.
    #[derive(Default)]
    Units: u64,
    0..=1_000_000_000,
    "A quantity must be a whole number from 0 to 1,000,000,000."
);
number_type!(
    /// The low-stock mark: a stock at or below it is low. With 0, a stock is low only if nothing is left.
    #[derive(Default)]
    LowMark: u64,
    0..=1_000_000_000,
    "A low-stock threshold must be a whole number from 0 to 1,000,000,000."
);

impl Units {
    /// Returns the sum, or `None` if it exceeds the largest value.
    pub fn plus(self, other: Self) -> Option<Self> {
        Self::try_from(self.0 + other.0).ok()
    }

    /// Returns the difference, or `None` if it would be below zero.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_case_insensitive() {
        assert_eq!(" 15056bl ".parse::<Sku>().unwrap().as_str(), "15056BL");
        for text in ["", " ", "a b", "a#b", "é", "a/b", ".", "..", "-", &"x".repeat(41)] {
            assert!(text.parse::<Sku>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn units_stay_in_range() {
        let units = |number: u64| Units::try_from(number).unwrap();
        assert_eq!(units(3).minus(units(3)), Some(units(0)));
        assert_eq!(units(3).minus(units(4)), None);
        assert_eq!(units(Units::MAX).plus(units(1)), None);
        for text in ["-1", "1.5", "", "1000000001", "1e3"] {
            assert!(text.parse::<Units>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn texts_must_be_one_line_of_valid_length() {
        assert_eq!("  WHITE  METAL LANTERN ".parse::<ProductName>().unwrap().as_str(), "WHITE METAL LANTERN");
        assert!("\u{0}".parse::<ProductName>().is_err());
        assert!("a b".parse::<MessageId>().is_err() && "x".repeat(201).parse::<MessageId>().is_err());
        assert!("online-retail:1:17".parse::<MessageId>().is_ok());
    }
}
