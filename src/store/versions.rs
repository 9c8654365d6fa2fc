//! The numbers of the schema versions, and the attribute that holds them.

use aws_sdk_dynamodb::types::AttributeValue;

/// The current schema.
pub const SCHEMA: u32 = 2;

/// The oldest schema that this program reads.
pub const OLDEST: u32 = SCHEMA - 1;

/// The schema to write if the table names none. It was the current schema when tables began to name one.
pub(super) const DEFAULT_SCHEMA: u32 = 2;

/// The attribute with the number of an item's schema.
pub const ATTRIBUTE: &str = "schema";

/// Returns the number of a schema as an attribute value.
pub(super) fn number(schema: u32) -> AttributeValue {
    AttributeValue::N(schema.to_string())
}
