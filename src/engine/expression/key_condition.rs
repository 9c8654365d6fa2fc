//! Key conditions: one partition, and at most one condition on the sort key.

use super::super::codec::ValueRef;
use super::super::error::EngineError;
use super::ast::{Comparator, Condition, Operand, Path};
use super::condition::in_order;

/// The range that a query selects. All values are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCondition {
    pub partition: Vec<u8>,
    pub sort: SortCondition,
}

/// The sort keys that a query selects. All values are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortCondition {
    All,
    Compare(Comparator, Vec<u8>),
    /// Keys from the first value to the second, inclusive.
    Between(Vec<u8>, Vec<u8>),
    BeginsWith(Vec<u8>),
}

impl SortCondition {
    /// Returns whether an encoded sort key is selected.
    pub fn accepts(&self, sort: ValueRef<'_>) -> bool {
        let compares = |comparator, value: &[u8]| {
            sort.compare(ValueRef(value)).is_some_and(|order| in_order(comparator, order))
        };
        match self {
            Self::All => true,
            Self::Compare(comparator, value) => compares(*comparator, value),
            Self::Between(low, high) => {
                compares(Comparator::GreaterOrEqual, low) && compares(Comparator::LessOrEqual, high)
            }
            Self::BeginsWith(prefix) => sort.0.starts_with(prefix),
        }
    }

    /// Returns the last sort key of the range in the order of reading, if the condition contains it. A page
    /// that ends with this key is the last page.
    pub fn last(&self, backward: bool) -> Option<&[u8]> {
        match self {
            Self::Between(low, high) => Some(if backward { low } else { high }),
            Self::Compare(Comparator::LessOrEqual, value) if !backward => Some(value),
            Self::Compare(Comparator::GreaterOrEqual, value) if backward => Some(value),
            _ => None,
        }
    }

    pub fn values(&self) -> impl Iterator<Item = ValueRef<'_>> {
        let values = match self {
            Self::All => [None, None],
            Self::Compare(_, value) | Self::BeginsWith(value) => [Some(value), None],
            Self::Between(low, high) => [Some(low), Some(high)],
        };
        values.into_iter().flatten().map(|value| ValueRef(value))
    }
}

impl KeyCondition {
    /// Converts a parsed condition to a condition on the key attributes `partition` and `sort`.
    pub fn new(condition: Condition, partition: &str, sort: Option<&str>) -> Result<Self, EngineError> {
        let mut parts = Vec::new();
        flatten(condition, &mut parts)?;
        let mut found = (None, None);
        for (path, part) in parts {
            if !path.inner.is_empty() {
                let message = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key:";
                return Err(EngineError::invalid(format!("{message} {}", path.attribute)));
            }
            let slot = match &*path.attribute {
                name if name == partition => &mut found.0,
                name if Some(name) == sort => &mut found.1,
                _ => return Err(EngineError::invalid("Query condition missed key schema element")),
            };
            if slot.replace(part).is_some() {
                return Err(EngineError::invalid(
                    "KeyConditionExpressions must only contain one condition per key",
                ));
            }
        }
        match found {
            (Some(SortCondition::Compare(Comparator::Equal, partition)), sort) => {
                Ok(Self { partition, sort: sort.unwrap_or(SortCondition::All) })
            }
            (Some(_), _) => Err(EngineError::invalid("Query key condition not supported")),
            (None, _) => {
                Err(EngineError::invalid(format!("Query condition missed key schema element: {partition}")))
            }
        }
    }
}

fn flatten(condition: Condition, into: &mut Vec<(Path, SortCondition)>) -> Result<(), EngineError> {
    let operator = |name: &str| {
        Err(EngineError::invalid(format!("Invalid operator used in KeyConditionExpression: {name}")))
    };
    let part = match condition {
        Condition::And(left, right) => {
            flatten(*left, into)?;
            return flatten(*right, into);
        }
        Condition::Compare(Comparator::NotEqual, ..) => return operator("<>"),
        Condition::Compare(comparator, Operand::Path(path), Operand::Value(value)) => {
            (path, SortCondition::Compare(comparator, value))
        }
        Condition::Compare(comparator, Operand::Value(value), Operand::Path(path)) => {
            (path, SortCondition::Compare(comparator.mirrored(), value))
        }
        Condition::Between(Operand::Path(path), Operand::Value(low), Operand::Value(high)) => {
            (path, SortCondition::Between(low, high))
        }
        Condition::BeginsWith(Operand::Path(path), Operand::Value(prefix)) => {
            (path, SortCondition::BeginsWith(prefix))
        }
        Condition::Or(..) => return operator("OR"),
        Condition::Not(..) => return operator("NOT"),
        Condition::In(..) => return operator("IN"),
        Condition::Contains(..) => return operator("contains"),
        Condition::Exists(..) => return operator("attribute_exists"),
        Condition::NotExists(..) => return operator("attribute_not_exists"),
        Condition::HasType(..) => return operator("attribute_type"),
        _ => {
            return Err(EngineError::invalid(
                "Invalid condition in KeyConditionExpression: a key is compared with a value",
            ));
        }
    };
    into.push(part);
    Ok(())
}
