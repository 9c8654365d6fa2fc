//! DynamoDB's expressions: conditions, filters, key conditions, projections and updates.
//!
//! Invariants:
//! - An expression is parsed once, before its write enters the queue.
//! - The parser resolves names and values, so a parsed expression contains no references.
//! - The expressions of a request must use every name and value that it defines.
//! - Conditions are evaluated on encoded items.

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
pub use self::condition::is_satisfied;
pub use self::key_condition::{KeyCondition, SortCondition};
pub use self::projection::Projection;
pub use self::references::References;
pub use self::update::apply;

use super::error::EngineError;

/// The maximum length of an expression in bytes.
const MAX_EXPRESSION: usize = 4096;

/// Creates the error for an invalid expression, with DynamoDB's message.
fn expression_error(what: &str, message: impl std::fmt::Display) -> EngineError {
    EngineError::invalid(format!("Invalid {what}: {message}"))
}

/// Parses a `ConditionExpression` or `FilterExpression`.
pub fn parse_condition(
    what: &'static str,
    text: &str,
    references: &mut References<'_>,
) -> Result<Condition, EngineError> {
    parser::Parser::new(what, text, references)?.condition()
}

pub fn parse_update(text: &str, references: &mut References<'_>) -> Result<Update, EngineError> {
    let update = parser::Parser::new("UpdateExpression", text, references)?.update()?;
    path::check_distinct("UpdateExpression", &update.paths())?;
    Ok(update)
}

/// Parses a `ProjectionExpression`, if the request has one.
pub fn parse_projection(
    text: Option<&str>,
    references: &mut References<'_>,
) -> Result<Option<Projection>, EngineError> {
    let Some(text) = text else { return Ok(None) };
    let paths = parser::Parser::new("ProjectionExpression", text, references)?.projection()?;
    path::check_distinct("ProjectionExpression", &paths.iter().collect::<Vec<_>>())?;
    Ok(Some(Projection::new(&paths)))
}

#[cfg(test)]
mod tests;
