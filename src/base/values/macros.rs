//! Macros that define types of values.

/// Implements serde's conversions and `Display` for a text type. Its one constructor is `FromStr`.
macro_rules! text_value {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = $crate::base::values::Invalid;

            fn try_from(text: String) -> Result<Self, $crate::base::values::Invalid> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use text_value;

/// Defines a text type. `$read` normalizes the text or returns the error. If all errors have the same message, the
/// message follows as `$words`, and `$read` returns `None` instead.
macro_rules! text_type {
    ($(#[$doc:meta])* $type:ident, $read:expr, $words:literal) => {
        $crate::base::values::macros::text_type!($(#[$doc])* $type, |text| {
            let read: fn(&str) -> Option<String> = $read;
            read(text).ok_or_else(|| $crate::base::values::Invalid::new($words))
        });
    };
    ($(#[$doc:meta])* $type:ident, $read:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::base::values::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let read: fn(&str) -> Result<String, $crate::base::values::Invalid> = $read;
                read(text).map(Self)
            }
        }

        $crate::base::values::macros::text_value!($type);
    };
}
pub(crate) use text_type;

/// Defines an enum whose values are texts in JSON, in the table, in forms and in URLs. `$message` is the error for any
/// other text. Parsing ignores surrounding white space and the case of letters, unless the enum is `exact`.
macro_rules! text_enum {
    (
        $(#[$doc:meta])*
        $vis:vis enum $type:ident $(, $exact:ident)?, $message:literal;
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+
    ) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(try_from = "String", into = "String")]
        $vis enum $type {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $type {
            /// All values, in order.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// Returns the text of this value.
            pub fn as_str(&self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::base::values::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let is_exact = [$(stringify!($exact))?].contains(&"exact");
                let is_text = |value: &Self| match is_exact {
                    true => value.as_str() == text,
                    false => value.as_str().eq_ignore_ascii_case(text.trim()),
                };
                let value = Self::ALL.into_iter().find(is_text);
                value.ok_or_else(|| $crate::base::values::Invalid::new($message))
            }
        }

        $crate::base::values::macros::text_value!($type);
    };
}
pub(crate) use text_enum;

/// Defines the id type of a record: a UUID. `$what` names the record in error messages, for example "an order".
macro_rules! uuid_id {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $type(uuid::Uuid);

        impl std::str::FromStr for $type {
            type Err = $crate::base::values::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let invalid = concat!(
                    "The ID of ",
                    $what,
                    " is a UUID, for example 019f0000-0000-7000-8000-000000000000."
                );
                uuid::Uuid::try_parse(text).map(Self).map_err(|_| $crate::base::values::Invalid::new(invalid))
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
pub(crate) use uuid_id;

/// Defines the id type of a record: a UUIDv7, so ids sort by creation time. `$what` names the record as in [`uuid_id`].
macro_rules! time_ordered_id {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $crate::base::values::macros::uuid_id!($(#[$doc])* $type, $what);

        impl $type {
            /// Creates an id from the time `now` and ten random bytes.
            pub fn new(now: jiff::Timestamp, random: &[u8; 10]) -> Self {
                let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
                Self(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
            }
        }
    };
}
pub(crate) use time_ordered_id;
