//! Values that several features use: email addresses, names of people, US states, versions.
//!
//! Each type has a private field and one fallible constructor, which serde uses too, so every value is valid. Error
//! messages are whole sentences that say what would be right.

mod email;
mod fingerprint;
mod formula;
mod invalid;
pub(crate) mod macros;
mod name;
mod us_state;
mod version;

pub use self::email::{Email, email_parts};
pub use self::fingerprint::fingerprint;
pub use self::formula::begins_formula;
pub use self::invalid::Invalid;
pub(crate) use self::macros::{text_enum, text_type, text_value, time_ordered_id, uuid_id};
pub use self::name::{Name, name_parts};
pub use self::us_state::UsState;
pub use self::version::Version;

time_ordered_id!(
    /// The id of an order. It is defined here because leads store it too.
    OrderId,
    "an order"
);
