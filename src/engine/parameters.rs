//! Checks of required and unsupported parameters.

use aws_sdk_dynamodb::types::ReturnItemCollectionMetrics;

use super::error::EngineError;

/// Rejects the parameters that are set.
pub(super) fn reject_unsupported(parameters: &[(&str, bool)]) -> Result<(), EngineError> {
    match parameters.iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(EngineError::unsupported(name)),
        None => Ok(()),
    }
}

pub(super) fn reject_metrics(wanted: &Option<ReturnItemCollectionMetrics>) -> Result<(), EngineError> {
    let is_set = wanted == &Some(ReturnItemCollectionMetrics::Size);
    reject_unsupported(&[("ReturnItemCollectionMetrics", is_set)])
}

/// Returns a required parameter.
pub(super) fn required<'a, T>(parameter: &'a Option<T>, name: &str) -> Result<&'a T, EngineError> {
    parameter.as_ref().ok_or_else(|| {
        EngineError::invalid(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    })
}
