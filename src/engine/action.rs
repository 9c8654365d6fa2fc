//! A write to one item: parsed before it enters the queue, evaluated against the stored item, and turned into
//! storage changes.

use std::sync::Arc;

use super::capacity::{Usage, write_units};
use super::codec::{self, Attributes, Damaged, ItemRef};
use super::error::{EngineError, ErrorCode};
use super::expression::{self, Condition, References, Update};
use super::storage::{Batch, Read, Space};
use super::stream::LoggedChange;
use super::tables::{Catalog, ItemKey, KeyError, Table};
use super::{expiry, index};

/// The maximum size of an item in bytes, as DynamoDB counts it.
pub const MAX_ITEM: usize = 400 * 1024;

type Names = std::collections::HashMap<String, String>;

/// The parameters of one write, common to all write operations.
#[derive(Default)]
pub struct Request<'a> {
    pub table: &'a str,
    pub condition: Option<&'a str>,
    pub names: Option<&'a Names>,
    pub values: Option<&'a Attributes>,
    /// Whether a failed condition returns the stored item.
    pub returns_old: bool,
}

/// Creates a [`Request`] from an input of the SDK, its table and its condition.
macro_rules! request {
    ($input:expr, $table:expr, $condition:expr) => {
        $crate::engine::action::Request {
            table: $table,
            condition: $condition,
            names: $input.expression_attribute_names.as_ref(),
            values: $input.expression_attribute_values.as_ref(),
            returns_old: $input.return_values_on_condition_check_failure
                == Some(aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld),
        }
    };
}
pub(super) use request;

/// A write that is ready to be evaluated.
pub struct Action {
    pub table: Arc<Table>,
    pub key: ItemKey,
    pub change: Change,
    condition: Option<Condition>,
    returns_old: bool,
}

/// The change that a write makes to its item.
pub enum Change {
    /// Replaces the item with this encoded one.
    Put(Vec<u8>),
    Update(Update),
    Delete,
    /// Changes nothing and only checks the condition.
    Check,
}

/// Why a write cannot be applied.
pub enum ActionError {
    /// The condition is false. Contains the stored item if the request asks for it and the item exists.
    Condition(Option<Vec<u8>>),
    /// The write does not fit the table or the stored item.
    Invalid(String),
}

impl From<ActionError> for EngineError {
    /// Creates the error of an operation with a single action.
    fn from(error: ActionError) -> Self {
        let old = match error {
            ActionError::Invalid(message) => return Self::invalid(message),
            ActionError::Condition(old) => old,
        };
        match old.map(|old| ItemRef(&old).decode()).transpose() {
            Ok(item) => {
                let code = ErrorCode::ConditionalCheckFailed;
                Self { item, ..Self::new(code, "The conditional request failed") }
            }
            Err(damaged) => damaged.into(),
        }
    }
}

/// Why a request is rejected before it is evaluated.
pub enum PrepareError {
    /// The whole request is rejected.
    Request(EngineError),
    /// Only this action is rejected. The other actions of the transaction are still evaluated.
    Action(String),
}

impl From<EngineError> for PrepareError {
    fn from(error: EngineError) -> Self {
        Self::Request(error)
    }
}

impl From<KeyError> for PrepareError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Malformed(message) => Self::Request(EngineError::invalid(message)),
            KeyError::Mismatch(message) => Self::Action(message),
        }
    }
}

impl From<PrepareError> for EngineError {
    /// Creates the error of an operation with a single action.
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Request(error) => error,
            PrepareError::Action(message) => Self::invalid(message),
        }
    }
}

/// The encoded item before and after a successful write, or `None` where it does not exist.
pub struct Outcome {
    pub old: Option<Vec<u8>>,
    pub new: Option<Vec<u8>>,
}

pub fn find_table<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Arc<Table>, EngineError> {
    let not_found = || EngineError::new(ErrorCode::ResourceNotFound, "Requested resource not found");
    catalog.get(name).ok_or_else(not_found)
}

fn parse<T>(
    request: &Request<'_>,
    expression: impl FnOnce(&mut References<'_>) -> Result<T, EngineError>,
) -> Result<(T, Option<Condition>), EngineError> {
    let mut references = References::new(request.names, request.values)?;
    let parsed = expression(&mut references)?;
    let condition = request.condition;
    let condition =
        condition.map(|text| expression::parse_condition("ConditionExpression", text, &mut references));
    let condition = condition.transpose()?;
    references.finish()?;
    Ok((parsed, condition))
}

impl Action {
    pub fn put(catalog: &Catalog, request: &Request<'_>, item: &Attributes) -> Result<Self, PrepareError> {
        let item = codec::encode_item(item).map_err(EngineError::from)?;
        let ((), condition) = parse(request, |_| Ok(()))?;
        if ItemRef(&item).size() > MAX_ITEM {
            return Err(EngineError::invalid("Item size has exceeded the maximum allowed size").into());
        }
        let table = find_table(catalog, request.table)?;
        let key = table.key_of(ItemRef(&item))?;
        index::check_keys(table, ItemRef(&item)).map_err(PrepareError::Action)?;
        Ok(Self::new(table, key, Change::Put(item), condition, request))
    }

    pub fn update(
        catalog: &Catalog,
        request: &Request<'_>,
        key: &Attributes,
        update: Option<&str>,
    ) -> Result<Self, PrepareError> {
        let (update, condition) = parse(request, |references| match update {
            Some(text) => expression::parse_update(text, references),
            None => Ok(Update::default()),
        })?;
        let table = find_table(catalog, request.table)?;
        let key = table.key(key)?;
        if let Some(path) = update.paths().into_iter().find(|path| table.keys.contains(&path.attribute)) {
            return Err(PrepareError::Action(format!(
                "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key",
                path.attribute
            )));
        }
        Ok(Self::new(table, key, Change::Update(update), condition, request))
    }

    /// Prepares a deletion or a check of the item with this key.
    pub fn by_key(
        catalog: &Catalog,
        request: &Request<'_>,
        key: &Attributes,
        change: Change,
    ) -> Result<Self, PrepareError> {
        let ((), condition) = parse(request, |_| Ok(()))?;
        let table = find_table(catalog, request.table)?;
        let key = table.key(key)?;
        Ok(Self::new(table, key, change, condition, request))
    }

    /// Creates a deletion that the engine itself performs.
    pub fn deletion(table: &Arc<Table>, key: ItemKey) -> Self {
        Self::new(table, key, Change::Delete, None, &Request::default())
    }

    fn new(
        table: &Arc<Table>,
        key: ItemKey,
        change: Change,
        condition: Option<Condition>,
        request: &Request<'_>,
    ) -> Self {
        Self { table: table.clone(), key, change, condition, returns_old: request.returns_old }
    }

    /// Evaluates the write against the stored item. The inner error says that the write cannot be applied.
    pub fn evaluate(&self, read: &dyn Read) -> Result<Result<Outcome, ActionError>, EngineError> {
        let old = load(read, &self.key)?;
        let stored = ItemRef(old.as_deref().unwrap_or_default());
        if self.condition.as_ref().is_some_and(|condition| !expression::is_satisfied(condition, stored)) {
            return Ok(Err(ActionError::Condition(if self.returns_old { old } else { None })));
        }
        let new = match &self.change {
            Change::Put(item) => Some(item.clone()),
            Change::Delete => None,
            Change::Check => old.clone(),
            Change::Update(update) => match self.updated(update, old.as_deref()) {
                Ok(new) => Some(new),
                Err(message) => return Ok(Err(ActionError::Invalid(message))),
            },
        };
        Ok(Ok(Outcome { old, new }))
    }

    fn updated(&self, update: &Update, old: Option<&[u8]>) -> Result<Vec<u8>, String> {
        let old = ItemRef(old.unwrap_or(&self.key.attributes));
        let new = expression::apply(update, old).map_err(|error| error.to_string())?;
        if ItemRef(&new).size() > MAX_ITEM {
            return Err("Item size to update has exceeded the maximum allowed size".to_owned());
        }
        index::check_keys(&self.table, ItemRef(&new))?;
        Ok(new)
    }

    /// Adds the outcome to `into`: the changes of the storage, the cost, and the change for the table's stream.
    pub fn commit(&self, outcome: Outcome, transactional: bool, by_service: bool, into: &mut Effects) {
        let Outcome { old, new } = outcome;
        let (old_item, new_item) = (old.as_deref().map(ItemRef), new.as_deref().map(ItemRef));
        let size = |item: Option<ItemRef<'_>>| item.map_or(0, ItemRef::size);
        let units = write_units(size(old_item).max(size(new_item)), transactional);
        into.usage.table(&self.table.name, units);
        if old == new || matches!(self.change, Change::Check) {
            return;
        }
        for index in &self.table.indexes {
            let Some(change) = index::difference(&self.table, index, &self.key, old_item, new_item) else {
                continue;
            };
            into.usage.index(&self.table.name, &index.name, change.units);
            if let Some(key) = change.delete {
                into.batch.delete(Space::Index, key);
            }
            if let Some(entry) = change.put {
                into.batch.put_sealed(Space::Index, entry.key, &entry.value);
            }
        }
        expiry::difference(&self.table, &self.key, old_item, new_item, &mut into.batch);
        let key = self.key.storage.clone();
        match &new {
            Some(item) => {
                let value = codec::seal_item(&key, item);
                into.batch.put(Space::Items, key, value);
            }
            None => into.batch.delete(Space::Items, key),
        }
        if self.table.stream.is_some() {
            into.changes.push(LoggedChange { table: self.table.id, old, new, by_service });
        }
    }
}

/// The effects of writes that are committed together: changes of the storage, changes for the stream, and the consumed
/// capacity.
#[derive(Debug, Default)]
pub struct Effects {
    pub batch: Batch,
    pub changes: Vec<LoggedChange>,
    pub usage: Usage,
}

/// Reads the item with this key, encoded.
pub fn load(read: &dyn Read, key: &ItemKey) -> Result<Option<Vec<u8>>, EngineError> {
    let Some(sealed) = read.get(Space::Items, &key.storage)? else { return Ok(None) };
    Ok(Some(codec::unseal_item(&key.storage, &sealed)?.into_owned()))
}

/// Decodes some attributes of an item.
pub fn pick<'a>(item: &[u8], names: impl Iterator<Item = &'a str>) -> Result<Attributes, Damaged> {
    let found = names.filter_map(|name| Some((name, ItemRef(item).get(name)?)));
    found.map(|(name, value)| value.decode().map(|value| (name.to_owned(), value))).collect()
}
