//! Transactions: all actions are applied or none, with a reason for each action.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::types::{
    CancellationReason, ConsumedCapacity, ReturnConsumedCapacity, TransactWriteItem,
};
use sha2::{Digest as _, Sha256};

use super::action::{Action, ActionError, Change, Effects, Outcome, PrepareError, Request, request};
use super::capacity::read_units;
use super::codec::{self, Attributes, Damaged, InvalidValue, ItemRef};
use super::error::{EngineError, ErrorCode};
use super::parameters::reject_metrics;
use super::state::WriteContext;
use super::tables::Catalog;
use super::tokens::{Fingerprint, TokenRecord};

const MAX_ACTIONS: usize = 100;
/// The maximum size of a transaction's items in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The maximum length of a client request token in bytes.
const MAX_TOKEN: usize = 36;

/// A transaction that is ready to be evaluated.
pub struct Plan {
    actions: Vec<Result<Action, String>>,
    token: Option<(Fingerprint, Fingerprint)>,
    capacity: Option<ReturnConsumedCapacity>,
}

/// Checks a request and parses its expressions.
pub fn prepare(catalog: &Catalog, input: &TransactWriteItemsInput) -> Result<Plan, EngineError> {
    let items = input.transact_items.as_deref().unwrap_or_default();
    if items.is_empty() || items.len() > MAX_ACTIONS {
        let bound = if items.is_empty() { "greater than or equal to 1" } else { "less than or equal to 100" };
        return Err(EngineError::invalid(format!(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length {bound}"
        )));
    }
    reject_metrics(&input.return_item_collection_metrics)?;
    let token = input.client_request_token.as_deref();
    check_token(token)?;
    let mut actions = Vec::with_capacity(items.len());
    for item in items {
        actions.push(match prepare_action(catalog, item) {
            Ok(action) => Ok(action),
            Err(PrepareError::Action(message)) => Err(message),
            Err(PrepareError::Request(error)) => return Err(error),
        });
    }
    let mut keys = HashSet::new();
    if !actions.iter().flatten().all(|action| keys.insert(&action.key.storage)) {
        return Err(EngineError::invalid(
            "Transaction request cannot include multiple operations on one item",
        ));
    }
    check_size(actions.iter().flatten().map(|action| match &action.change {
        Change::Put(item) => ItemRef(item).size(),
        _ => 0,
    }))?;
    let hash = |token: &str| {
        let mut hasher = Hasher(Sha256::new());
        hasher.text(token);
        fingerprint(items).map(|fingerprint| (hasher.finish(), fingerprint))
    };
    let token = token.map(hash).transpose()?;
    Ok(Plan { actions, token, capacity: input.return_consumed_capacity.clone() })
}

fn check_token(token: Option<&str>) -> Result<(), EngineError> {
    if token.is_none_or(|token| (1..=MAX_TOKEN).contains(&token.len())) {
        return Ok(());
    }
    Err(EngineError::invalid(
        "1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: \
         Member must have length between 1 and 36",
    ))
}

fn check_size(sizes: impl Iterator<Item = usize>) -> Result<(), EngineError> {
    let size: usize = sizes.sum();
    if size > MAX_BYTES {
        let message = format!("Transaction payload size cannot exceed 4MB. Payload Size: {size}");
        return Err(EngineError::invalid(message));
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum ActionKind {
    Put,
    Update,
    Delete,
    Check,
}

/// An action of a request, in a form common to all kinds.
struct RawAction<'a> {
    kind: ActionKind,
    /// The item of a put, or the key of any other action.
    item: &'a Attributes,
    update: Option<&'a str>,
    request: Request<'a>,
}

fn raw_action(item: &TransactWriteItem) -> Result<RawAction<'_>, EngineError> {
    Ok(match (&item.put, &item.update, &item.delete, &item.condition_check) {
        (Some(put), None, None, None) => {
            let request = request!(put, &put.table_name, put.condition_expression.as_deref());
            RawAction { kind: ActionKind::Put, item: &put.item, update: None, request }
        }
        (None, Some(update), None, None) => {
            let request = request!(update, &update.table_name, update.condition_expression.as_deref());
            let expression = Some(update.update_expression.as_str());
            RawAction { kind: ActionKind::Update, item: &update.key, update: expression, request }
        }
        (None, None, Some(delete), None) => {
            let request = request!(delete, &delete.table_name, delete.condition_expression.as_deref());
            RawAction { kind: ActionKind::Delete, item: &delete.key, update: None, request }
        }
        (None, None, None, Some(check)) => {
            let request = request!(check, &check.table_name, Some(check.condition_expression.as_str()));
            RawAction { kind: ActionKind::Check, item: &check.key, update: None, request }
        }
        _ => {
            let message = "TransactItems can only contain one of Check, Put, Update or Delete";
            return Err(EngineError::invalid(message));
        }
    })
}

fn prepare_action(catalog: &Catalog, item: &TransactWriteItem) -> Result<Action, PrepareError> {
    let RawAction { kind, item, update, request } = raw_action(item)?;
    match kind {
        ActionKind::Put => Action::put(catalog, &request, item),
        ActionKind::Update => Action::update(catalog, &request, item, update),
        ActionKind::Delete => Action::by_key(catalog, &request, item, Change::Delete),
        ActionKind::Check => Action::by_key(catalog, &request, item, Change::Check),
    }
}

/// Evaluates a transaction and applies it if every action succeeds.
pub fn execute(plan: Plan, context: &mut WriteContext<'_>) -> Result<TransactWriteItemsOutput, EngineError> {
    let now = context.now;
    if let Some((token, fingerprint)) = &plan.token
        && let Some(known) = context.state.tokens.get(token, now)
    {
        return replay(known, fingerprint, plan.capacity.as_ref(), &context.state.catalog);
    }
    let mut outcomes = Vec::with_capacity(plan.actions.len());
    for action in &plan.actions {
        outcomes.push(match action {
            Ok(action) => action.evaluate(context.read)?.map(|outcome| (action, outcome)),
            Err(message) => Err(ActionError::Invalid(message.clone())),
        });
    }
    if outcomes.iter().any(Result::is_err) {
        return Err(canceled(outcomes)?);
    }
    let outcomes: Vec<(&Action, Outcome)> = outcomes.into_iter().flatten().collect();
    let size = |item: &Option<Vec<u8>>| item.as_deref().map_or(0, |item| ItemRef(item).size());
    check_size(outcomes.iter().map(|(_, outcome)| size(&outcome.new)))?;
    let mut effects = Effects::default();
    let mut reads: BTreeMap<u16, f32> = BTreeMap::new();
    for (action, outcome) in outcomes {
        let units = 2.0 * read_units(size(&outcome.new), true);
        *reads.entry(action.table.id).or_default() += units as f32;
        action.commit(outcome, true, false, &mut effects);
    }
    let usage = std::mem::take(&mut effects.usage);
    context.commit(effects);
    if let Some((token, fingerprint)) = plan.token {
        let record = TokenRecord { fingerprint, at: now, reads: reads.into_iter().collect() };
        context.changes.token = Some((token, record));
    }
    let mut consumed = usage.consumed(plan.capacity.as_ref());
    for one in consumed.iter_mut().flatten() {
        one.write_capacity_units = one.capacity_units;
    }
    Ok(TransactWriteItemsOutput::builder().set_consumed_capacity(consumed).build())
}

fn replay(
    known: &TokenRecord,
    fingerprint: &Fingerprint,
    capacity: Option<&ReturnConsumedCapacity>,
    catalog: &Catalog,
) -> Result<TransactWriteItemsOutput, EngineError> {
    if known.fingerprint != *fingerprint {
        return Err(EngineError::new(
            ErrorCode::IdempotentParameterMismatch,
            "The client request token was used with other parameters",
        ));
    }
    let wanted = matches!(capacity, Some(ReturnConsumedCapacity::Total | ReturnConsumedCapacity::Indexes));
    let consumed = wanted.then(|| {
        let name = |id: u16| catalog.values().find(|table| table.id == id).map(|table| table.name.clone());
        let consumed = known.reads.iter().map(|(table, units)| {
            let consumed = ConsumedCapacity::builder().set_table_name(name(*table));
            consumed.capacity_units(f64::from(*units)).read_capacity_units(f64::from(*units)).build()
        });
        consumed.collect()
    });
    Ok(TransactWriteItemsOutput::builder().set_consumed_capacity(consumed).build())
}

/// Returns the error of a transaction in which at least one action failed.
fn canceled(outcomes: Vec<Result<(&Action, Outcome), ActionError>>) -> Result<EngineError, Damaged> {
    let mut reasons = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        let reason = CancellationReason::builder();
        reasons.push(match outcome {
            Ok(_) => reason.code("None").build(),
            Err(ActionError::Invalid(message)) => reason.code("ValidationError").message(message).build(),
            Err(ActionError::Condition(old)) => {
                let item = old.map(|old| ItemRef(&old).decode()).transpose()?;
                let reason = reason.code("ConditionalCheckFailed").set_item(item);
                reason.message("The conditional request failed").build()
            }
        });
    }
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_deref().unwrap_or("None")).collect();
    let message = "Transaction cancelled, please refer cancellation reasons for specific reasons";
    let message = format!("{message} [{}]", codes.join(", "));
    Ok(EngineError { reasons, ..EngineError::new(ErrorCode::TransactionCanceled, message) })
}

/// Returns a hash of the actions that does not depend on the order of their maps.
fn fingerprint(items: &[TransactWriteItem]) -> Result<Fingerprint, EngineError> {
    let mut hasher = Hasher(Sha256::new());
    for item in items {
        let RawAction { kind, item, update, request } = raw_action(item)?;
        hasher.bytes(&[kind as u8, u8::from(request.returns_old)]);
        hasher.text(request.table);
        hasher.text(update.unwrap_or_default());
        hasher.text(request.condition.unwrap_or_default());
        hasher.names(request.names);
        hasher.map(request.values)?;
        hasher.map(Some(item))?;
    }
    Ok(hasher.finish())
}

struct Hasher(Sha256);

impl Hasher {
    fn finish(self) -> Fingerprint {
        let hash: [u8; 32] = self.0.finalize().into();
        hash.first_chunk().copied().unwrap_or_default()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn names(&mut self, names: Option<&HashMap<String, String>>) {
        let sorted: BTreeMap<_, _> = names.into_iter().flatten().collect();
        self.0.update((sorted.len() as u64).to_be_bytes());
        for (alias, name) in sorted {
            self.text(alias);
            self.text(name);
        }
    }

    fn map(&mut self, map: Option<&Attributes>) -> Result<(), InvalidValue> {
        let bytes = map.map(codec::encode_item).transpose()?;
        self.bytes(&bytes.unwrap_or_default());
        Ok(())
    }
}
