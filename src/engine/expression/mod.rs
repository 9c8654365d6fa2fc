//! DynamoDB's expressions: conditions, filters, key conditions, projections and updates.
//!
//! Invariants: an expression is parsed once, before the write that carries it waits in a queue; names and values are put
//! in while parsing, so what is left refers to nothing; every name and value that is given must be used. Conditions are
//! judged on encoded items.

mod ast;
mod condition;
mod key_condition;
mod lexer;
mod parser;
mod path;
mod projection;
mod references;
mod reserved;
mod update;

pub use self::ast::{Comparator, Condition, Update};
pub use self::condition::holds;
pub use self::key_condition::{KeyCondition, SortCondition};
pub use self::projection::Projection;
pub use self::references::References;
pub use self::update::apply;

use super::error::EngineError;

/// The most bytes of an expression.
const MAX_EXPRESSION: usize = 4096;

/// A failure inside an expression, in DynamoDB's words.
fn expression_error(what: &str, message: impl std::fmt::Display) -> EngineError {
    EngineError::invalid(format!("Invalid {what}: {message}"))
}

/// Parses a `ConditionExpression` or `FilterExpression`.
///
/// # Errors
/// A `ValidationException` in DynamoDB's words.
pub fn parse_condition(
    what: &'static str,
    text: &str,
    references: &mut References<'_>,
) -> Result<Condition, EngineError> {
    parser::Parser::new(what, text, references)?.condition()
}

/// Parses an `UpdateExpression`.
///
/// # Errors
/// A `ValidationException` in DynamoDB's words.
pub fn parse_update(text: &str, references: &mut References<'_>) -> Result<Update, EngineError> {
    let update = parser::Parser::new("UpdateExpression", text, references)?.update()?;
    path::check_distinct("UpdateExpression", &update.paths())?;
    Ok(update)
}

/// Parses a `ProjectionExpression`.
///
/// # Errors
/// A `ValidationException` in DynamoDB's words.
pub fn parse_projection(text: &str, references: &mut References<'_>) -> Result<Projection, EngineError> {
    let paths = parser::Parser::new("ProjectionExpression", text, references)?.projection()?;
    path::check_distinct("ProjectionExpression", &paths.iter().collect::<Vec<_>>())?;
    Ok(Projection::new(&paths))
}

#[cfg(test)]
mod tests;
