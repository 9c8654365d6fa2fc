//! Conditions and updates as values, rendered in DynamoDB's expression language. Every name and value has an alias, so
//! reserved words cannot break an expression and values cannot change it. The same value always renders to the same
//! text, because a retried request must carry the same bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use super::schema::PK;
use super::{Item, versions};

/// A condition on an item as it was before the transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The item exists.
    Exists,
    /// The key has no item.
    Absent,
    /// The attribute has this value.
    Equals(&'static str, AttributeValue),
    /// The attribute has another value or is missing.
    NotEquals(&'static str, AttributeValue),
    /// The attribute is this or greater.
    AtLeast(&'static str, AttributeValue),
    /// The attribute is less than this.
    LessThan(&'static str, AttributeValue),
    /// The string attribute contains this text.
    Contains(&'static str, AttributeValue),
    /// The string attribute exists and does not contain this text.
    Lacks(&'static str, AttributeValue),
    /// All of these conditions hold.
    All(Vec<Condition>),
    /// At least one of these conditions holds.
    Any(Vec<Condition>),
    /// These attributes have these values, or are missing where the value is `None`.
    Same(Vec<(String, Option<AttributeValue>)>),
}

impl Condition {
    /// The string attribute has this value.
    pub fn is(attribute: &'static str, text: impl Into<String>) -> Self {
        Self::Equals(attribute, AttributeValue::S(text.into()))
    }

    /// The string attribute has another value or is missing.
    pub fn is_not(attribute: &'static str, text: impl Into<String>) -> Self {
        Self::NotEquals(attribute, AttributeValue::S(text.into()))
    }

    /// The number attribute has this value.
    pub fn is_number(attribute: &'static str, number: u64) -> Self {
        Self::Equals(attribute, AttributeValue::N(number.to_string()))
    }

    /// Both conditions hold.
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::All(mut all) => {
                all.push(other);
                Self::All(all)
            }
            one => Self::All(vec![one, other]),
        }
    }

    pub(super) fn render(&self, into: &mut Expression) -> String {
        let mut compare = |name: &str, operator: &str, value: &AttributeValue| {
            format!("{} {operator} {}", into.name(name), into.value(value))
        };
        match self {
            Self::Exists => format!("attribute_exists({})", into.name(PK)),
            Self::Absent => format!("attribute_not_exists({})", into.name(PK)),
            Self::Equals(name, value) => compare(name, "=", value),
            Self::NotEquals(name, value) => compare(name, "<>", value),
            Self::AtLeast(name, value) => compare(name, ">=", value),
            Self::LessThan(name, value) => compare(name, "<", value),
            Self::Contains(name, value) => format!("contains({}, {})", into.name(name), into.value(value)),
            Self::Lacks(name, value) => {
                let (name, value) = (into.name(name), into.value(value));
                format!("(attribute_exists({name}) AND NOT contains({name}, {value}))")
            }
            Self::All(all) => {
                let parts: Vec<String> = all.iter().map(|condition| condition.render(into)).collect();
                parts.join(" AND ")
            }
            Self::Any(any) => {
                let parts: Vec<String> = any.iter().map(|condition| condition.render(into)).collect();
                format!("({})", parts.join(" OR "))
            }
            Self::Same(attributes) => {
                let same = |(name, value): &(String, Option<AttributeValue>)| match value {
                    Some(value) => format!("{} = {}", into.name(name), into.value(value)),
                    None => format!("attribute_not_exists({})", into.name(name)),
                };
                attributes.iter().map(same).collect::<Vec<_>>().join(" AND ")
            }
        }
    }
}

/// New values for some attributes of an item. The other attributes stay.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Update {
    changes: Vec<(String, Option<AttributeValue>)>,
    sums: Vec<(String, i64)>,
}

impl Update {
    /// Sets an attribute to this value.
    pub fn set(mut self, attribute: &str, value: AttributeValue) -> Self {
        self.changes.push((attribute.to_owned(), Some(value)));
        self
    }

    /// Removes an attribute, if the item has it.
    pub fn remove(mut self, attribute: &str) -> Self {
        self.changes.push((attribute.to_owned(), None));
        self
    }

    /// Adds a number, possibly negative, to an attribute. A missing attribute counts as zero.
    pub fn add(mut self, attribute: &str, number: i64) -> Self {
        self.sums.push((attribute.to_owned(), number));
        self
    }

    /// Returns the update that turns one item into another, in the order of the attributes' names.
    pub fn between(before: &Item, after: &Item) -> Self {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
        let changes = changed.map(|name| (name.clone(), after.get(name).cloned())).collect();
        Self { changes, sums: Vec::new() }
    }

    /// Returns the condition that every attribute of the update still has its value in `before`.
    pub fn untouched(&self, before: &Item) -> Condition {
        let values = self.changes.iter().map(|(name, _)| (name.clone(), before.get(name).cloned()));
        Condition::Same(values.collect())
    }

    /// Converts the update's values with `convert` and the names of its other attributes with `name_of`.
    pub(super) fn converted(&self, convert: fn(&mut Item), name_of: impl Fn(&str) -> String) -> Self {
        let set = self.changes.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        let mut set: Item = set.collect();
        convert(&mut set);
        let removed = self.changes.iter().filter(|(_, value)| value.is_none());
        let removed = removed.map(|(name, _)| (name_of(name), None));
        let changes: BTreeMap<String, Option<AttributeValue>> =
            removed.chain(set.into_iter().map(|(name, value)| (name, Some(value)))).collect();
        let sums = self.sums.iter().map(|(name, number)| (name_of(name), *number)).collect();
        Self { changes: changes.into_iter().collect(), sums }
    }

    /// Renders the update. It also sets the schema version if the item has none, because an update may create the
    /// item.
    pub(super) fn render(&self, into: &mut Expression, schema: u32) -> String {
        let mut sets = Vec::new();
        let mut removes = Vec::new();
        for (attribute, value) in &self.changes {
            let name = into.name(attribute);
            match value {
                Some(value) => sets.push(format!("{name} = {}", into.value(value))),
                None => removes.push(name),
            }
        }
        if !self.changes.iter().any(|(attribute, _)| attribute == versions::ATTRIBUTE) {
            let name = into.name(versions::ATTRIBUTE);
            sets.push(format!("{name} = if_not_exists({name}, {})", into.value(&versions::number(schema))));
        }
        let mut sum = |(attribute, number): &(String, i64)| {
            let name = into.name(attribute);
            format!("{name} {}", into.value(&AttributeValue::N(number.to_string())))
        };
        let sums = self.sums.iter().map(&mut sum).collect();
        let clause = |verb: &str, parts: Vec<String>| {
            (!parts.is_empty()).then(|| format!("{verb} {}", parts.join(", ")))
        };
        let clauses = [clause("SET", sets), clause("REMOVE", removes), clause("ADD", sums)];
        clauses.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// The names and values that rendered expressions refer to.
#[derive(Debug, Default)]
pub(super) struct Expression {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expression {
    pub(super) fn name(&mut self, attribute: &str) -> String {
        let alias = format!("#{attribute}");
        self.names.insert(alias.clone(), attribute.to_owned());
        alias
    }

    pub(super) fn value(&mut self, value: &AttributeValue) -> String {
        let alias = format!(":v{}", self.values.len());
        self.values.insert(alias.clone(), value.clone());
        alias
    }

    /// Returns the names, or `None` if there are none: DynamoDB rejects an empty map.
    pub(super) fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    /// Returns the values, or `None` if there are none.
    pub(super) fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_renders_with_aliases_in_order() {
        let mut into = Expression::default();
        let text = Condition::is_number("version", 3)
            .and(Condition::is_not("status", "CONVERTED"))
            .render(&mut into);
        assert_eq!(text, "#version = :v0 AND #status <> :v1");
        assert_eq!(into.values().unwrap()[":v1"], AttributeValue::S("CONVERTED".into()));
    }

    #[test]
    fn an_update_sets_removes_and_adds() {
        let mut into = Expression::default();
        let text = AttributeValue::S("NY".into());
        let update = Update::default().set("state", text).remove("cause").add("room", -3).add("out", 3);
        assert_eq!(
            update.render(&mut into, versions::SCHEMA),
            "SET #state = :v0, #schema = if_not_exists(#schema, :v1) REMOVE #cause ADD #room :v2, #out :v3"
        );
        assert_eq!(into.values().unwrap()[":v2"], AttributeValue::N("-3".into()));
    }

    #[test]
    fn alternative_conditions_are_rendered_in_parentheses() {
        let mut into = Expression::default();
        let either =
            Condition::Any(vec![Condition::is("state", "NY"), Condition::is_not("stock", "ASSIGNED")]);
        let text = Condition::is_number("version", 3).and(either).render(&mut into);
        assert_eq!(text, "#version = :v0 AND (#state = :v1 OR #stock <> :v2)");
    }

    #[test]
    fn an_update_between_two_items_contains_only_their_differences_sorted_by_name() {
        let item = |pairs: &[(&str, &str)]| -> Item {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), AttributeValue::S((*text).into()))).collect()
        };
        let before = item(&[("pk", "LEAD#1"), ("state", "NY"), ("name", "Ann")]);
        let after = item(&[("pk", "LEAD#1"), ("name", "Bob"), ("email", "b@example.com")]);
        let mut into = Expression::default();
        let text = Update::between(&before, &after).render(&mut into, versions::SCHEMA);
        assert_eq!(
            text,
            "SET #email = :v0, #name = :v1, #schema = if_not_exists(#schema, :v2) REMOVE #state"
        );
        assert_eq!(into.values().unwrap()[":v1"], AttributeValue::S("Bob".into()));
    }
}
