//! The numbers of the forms of items, and the attribute that holds them.

use aws_sdk_dynamodb::types::AttributeValue;

/// The present form.
pub const SCHEMA: u32 = 2;

/// The oldest form that this program reads.
pub const OLDEST: u32 = SCHEMA - 1;

/// The form that is written where the table does not say: the last one before tables said it.
pub(super) const UNSAID: u32 = 2;

/// The attribute with the number of an item's form.
pub const ATTRIBUTE: &str = "schema";

/// The number of a form, as an item holds it.
pub(super) fn number(schema: u32) -> AttributeValue {
    AttributeValue::N(schema.to_string())
}
