//! Evaluates conditions on encoded items.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::super::codec::{ItemRef, Kind, ValueRef, encode_number};
use super::super::number::Number;
use super::ast::{Comparator, Condition, Operand};

/// Returns whether an item satisfies a condition. A missing item counts as an item without attributes.
pub fn is_satisfied(condition: &Condition, item: ItemRef<'_>) -> bool {
    match condition {
        Condition::Compare(comparator, left, right) => compare(*comparator, left, right, item),
        Condition::Between(value, low, high) => {
            compare(Comparator::GreaterOrEqual, value, low, item)
                && compare(Comparator::LessOrEqual, value, high, item)
        }
        Condition::In(value, operands) => {
            operands.iter().any(|operand| compare(Comparator::Equal, value, operand, item))
        }
        Condition::Exists(path) => path.find(item).is_some(),
        Condition::NotExists(path) => path.find(item).is_none(),
        Condition::HasType(operand, kind) => {
            evaluate(operand, item).is_some_and(|value| ValueRef(&value).kind() == Some(*kind))
        }
        Condition::BeginsWith(value, prefix) => both(value, prefix, item, begins_with),
        Condition::Contains(value, element) => both(value, element, item, contains),
        Condition::And(left, right) => is_satisfied(left, item) && is_satisfied(right, item),
        Condition::Or(left, right) => is_satisfied(left, item) || is_satisfied(right, item),
        Condition::Not(inner) => !is_satisfied(inner, item),
    }
}

fn both(
    left: &Operand,
    right: &Operand,
    item: ItemRef<'_>,
    predicate: impl FnOnce(ValueRef<'_>, ValueRef<'_>) -> bool,
) -> bool {
    match (evaluate(left, item), evaluate(right, item)) {
        (Some(left), Some(right)) => predicate(ValueRef(&left), ValueRef(&right)),
        _ => false,
    }
}

/// Compares two operands. A missing operand is not equal to anything and cannot be ordered.
fn compare(comparator: Comparator, left: &Operand, right: &Operand, item: ItemRef<'_>) -> bool {
    match comparator {
        Comparator::Equal => both(left, right, item, |left, right| left == right),
        Comparator::NotEqual => !both(left, right, item, |left, right| left == right),
        _ => both(left, right, item, |left, right| {
            left.compare(right).is_some_and(|order| in_order(comparator, order))
        }),
    }
}

/// Returns whether a comparator accepts this order of its operands.
pub(super) fn in_order(comparator: Comparator, order: Ordering) -> bool {
    match comparator {
        Comparator::Equal => order.is_eq(),
        Comparator::NotEqual => order.is_ne(),
        Comparator::Less => order.is_lt(),
        Comparator::LessOrEqual => order.is_le(),
        Comparator::Greater => order.is_gt(),
        Comparator::GreaterOrEqual => order.is_ge(),
    }
}

fn evaluate<'a>(operand: &'a Operand, item: ItemRef<'a>) -> Option<Cow<'a, [u8]>> {
    match operand {
        Operand::Path(path) => path.find(item).map(|value| Cow::Borrowed(value.0)),
        Operand::Value(value) => Some(Cow::Borrowed(value)),
        Operand::Size(inner) => {
            let size = size(ValueRef(&evaluate(inner, item)?))?;
            Some(Cow::Owned(encode_number(&Number::from_count(size))))
        }
    }
}

/// Returns the result of the `size` function. DynamoDB Local counts a text in UTF-16 units.
fn size(value: ValueRef<'_>) -> Option<usize> {
    match value.kind()? {
        Kind::S => Some(String::from_utf8_lossy(value.payload()).encode_utf16().count()),
        Kind::B => Some(value.payload().len()),
        Kind::Ss | Kind::Ns | Kind::Bs | Kind::L => Some(value.elements().count()),
        Kind::M => Some(value.entries().attributes().count()),
        Kind::N | Kind::Bool | Kind::Null => None,
    }
}

fn begins_with(value: ValueRef<'_>, prefix: ValueRef<'_>) -> bool {
    let kind = value.kind();
    matches!(kind, Some(Kind::S | Kind::B))
        && prefix.kind() == kind
        && value.payload().starts_with(prefix.payload())
}

fn text(value: ValueRef<'_>) -> Cow<'_, str> {
    String::from_utf8_lossy(value.payload())
}

/// Maps each byte to the character with the same number, because substring search in text takes linear time.
fn bytes_as_text(value: ValueRef<'_>) -> String {
    value.payload().iter().map(|byte| char::from(*byte)).collect()
}

fn contains(value: ValueRef<'_>, element: ValueRef<'_>) -> bool {
    let (Some(kind), Some(element_kind)) = (value.kind(), element.kind()) else { return false };
    match (kind, element_kind) {
        (Kind::S, Kind::S) => text(value).contains(&*text(element)),
        (Kind::B, Kind::B) => bytes_as_text(value).contains(&bytes_as_text(element)),
        (Kind::Ss, Kind::S) | (Kind::Ns, Kind::N) | (Kind::Bs, Kind::B) => {
            value.elements().any(|one| one == element.payload())
        }
        (Kind::L, _) => value.elements().any(|one| one == element.0),
        _ => false,
    }
}
