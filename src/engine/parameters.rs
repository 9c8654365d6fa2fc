//! Checks that requests of all kinds share: which parameters they must have, and which they must not.

use aws_sdk_dynamodb::types::ReturnItemCollectionMetrics;

use super::error::EngineError;

/// Refuses the parameters that are set.
pub(super) fn refuse_unsupported(parameters: &[(&str, bool)]) -> Result<(), EngineError> {
    match parameters.iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(EngineError::unsupported(name)),
        None => Ok(()),
    }
}

pub(super) fn wants_metrics(metrics: &Option<ReturnItemCollectionMetrics>) -> bool {
    metrics == &Some(ReturnItemCollectionMetrics::Size)
}

/// A parameter that must be there.
pub(super) fn required<'a, T>(parameter: &'a Option<T>, name: &str) -> Result<&'a T, EngineError> {
    parameter.as_ref().ok_or_else(|| {
        EngineError::invalid(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    })
}
