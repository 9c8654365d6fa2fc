//! What features need to define number types of their own, and to parse lines and optional fields.

use std::str::FromStr;

use crate::base::values::Invalid;

/// Defines a whole-number type with a smallest and a largest value. `$words` is the error message. The numbers are
/// `u32`, or `u64` if the name is followed by `: u64`.
macro_rules! number_type {
    ($(#[$doc:meta])* $type:ident: u64, $($rest:tt)+) => {
        $crate::shared::values::number_type!(@of u64 "u64", $(#[$doc])* $type, $($rest)+);
    };
    (@of $number:ident $name:tt, $(#[$doc:meta])* $type:ident, $least:literal..=$most:literal, $words:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(try_from = $name, into = $name)]
        pub struct $type($number);

        impl $type {
            /// The largest value.
            pub const MAX: $number = $most;

            /// Returns the number.
            pub fn get(self) -> $number {
                self.0
            }
        }

        impl TryFrom<$number> for $type {
            type Error = Invalid;

            fn try_from(number: $number) -> Result<Self, Invalid> {
                if ($least..=$most).contains(&number) { Ok(Self(number)) } else { Err(Invalid::new($words)) }
            }
        }

        impl From<$type> for $number {
            fn from(value: $type) -> Self {
                value.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                text.trim().parse::<$number>().map_err(|_| Invalid::new($words)).and_then(Self::try_from)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
    ($($rest:tt)+) => {
        $crate::shared::values::number_type!(@of u32 "u32", $($rest)+);
    };
}
pub(crate) use number_type;

/// Normalizes one line: trims it and collapses white space. Returns `None` unless it has 1 to `most` characters.
pub fn single_line(text: &str, most: usize) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let fits = (1..=most).contains(&line.chars().count()) && !line.chars().any(char::is_control);
    fits.then_some(line)
}

/// Parses an optional field of a form. An empty text is `None`.
///
/// # Errors
/// The error of the type.
pub fn optional<T: FromStr<Err = Invalid>>(text: &str) -> Result<Option<T>, Invalid> {
    Some(text).filter(|text| !text.is_empty()).map(str::parse).transpose()
}
