//! Transactions: all actions are applied or none, with a reason for each action.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::types::{
    CancellationReason, ConsumedCapacity, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem,
};
use sha2::{Digest as _, Sha256};

use super::action::{self, Action, ActionError, Change, Effects, Outcome, PrepareError, Request};
use super::capacity::read_units;
use super::codec::{self, Attributes, ItemRef};
use super::error::{EngineError, ErrorCode};
use super::parameters::{reject_unsupported, wants_metrics};
use super::state::WriteContext;
use super::tables::Catalog;
use super::tokens::{Fingerprint, TokenRecord};

/// The maximum number of actions in a transaction.
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
///
/// # Errors
/// [`EngineError`] with DynamoDB's message.
pub fn prepare(catalog: &Catalog, input: &TransactWriteItemsInput) -> Result<Plan, EngineError> {
    let items = input.transact_items.as_deref().unwrap_or_default();
    if items.is_empty() || items.len() > MAX_ACTIONS {
        let bound = if items.is_empty() { "greater than or equal to 1" } else { "less than or equal to 100" };
        return Err(EngineError::invalid(format!(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length {bound}"
        )));
    }
    reject_unsupported(&[(
        "ReturnItemCollectionMetrics",
        wants_metrics(&input.return_item_collection_metrics),
    )])?;
    let token = input.client_request_token.clone();
    if token.as_ref().is_some_and(|token| token.is_empty() || token.len() > MAX_TOKEN) {
        return Err(EngineError::invalid(
            "1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: \
             Member must have length between 1 and 36",
        ));
    }
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
    let hash = |token: String| {
        let mut hasher = Hasher(Sha256::new());
        hasher.text(&token);
        Ok::<_, EngineError>((hasher.finish(), fingerprint(items)?))
    };
    let token = token.map(hash).transpose()?;
    Ok(Plan { actions, token, capacity: input.return_consumed_capacity.clone() })
}

fn check_size(sizes: impl Iterator<Item = usize>) -> Result<(), EngineError> {
    let size: usize = sizes.sum();
    if size > MAX_BYTES {
        let message = format!("Transaction payload size cannot exceed 4MB. Payload Size: {size}");
        return Err(EngineError::invalid(message));
    }
    Ok(())
}

/// The kind of an action.
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
    macro_rules! raw_action {
        ($kind:expr, $action:expr, $item:expr, $update:expr, $condition:expr) => {
            RawAction {
                kind: $kind,
                item: $item,
                update: $update,
                request: Request {
                    table: &$action.table_name,
                    condition: $condition,
                    names: $action.expression_attribute_names.as_ref(),
                    values: $action.expression_attribute_values.as_ref(),
                    returns_old: $action.return_values_on_condition_check_failure
                        == Some(ReturnValuesOnConditionCheckFailure::AllOld),
                },
            }
        };
    }
    Ok(match (&item.put, &item.update, &item.delete, &item.condition_check) {
        (Some(put), None, None, None) => {
            raw_action!(ActionKind::Put, put, &put.item, None, put.condition_expression.as_deref())
        }
        (None, Some(update), None, None) => {
            let expression = Some(update.update_expression.as_str());
            raw_action!(
                ActionKind::Update,
                update,
                &update.key,
                expression,
                update.condition_expression.as_deref()
            )
        }
        (None, None, Some(delete), None) => {
            raw_action!(ActionKind::Delete, delete, &delete.key, None, delete.condition_expression.as_deref())
        }
        (None, None, None, Some(check)) => {
            raw_action!(ActionKind::Check, check, &check.key, None, Some(check.condition_expression.as_str()))
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
        ActionKind::Delete => Action::delete(catalog, &request, item),
        ActionKind::Check => Action::check(catalog, &request, item),
    }
}

/// Evaluates a transaction and applies it if every action succeeds.
///
/// # Errors
/// `TransactionCanceledException` with reasons, `IdempotentParameterMismatchException`, or a storage error.
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
    let consumed = usage.consumed(plan.capacity.as_ref());
    let consumed = consumed.map(|all| {
        let mut all = all;
        all.iter_mut().for_each(|one| one.write_capacity_units = one.capacity_units);
        all
    });
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
fn canceled(outcomes: Vec<Result<(&Action, Outcome), ActionError>>) -> Result<EngineError, EngineError> {
    let mut reasons = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        let reason = CancellationReason::builder();
        reasons.push(match outcome {
            Ok(_) => reason.code("None").build(),
            Err(ActionError::Invalid(message)) => reason.code("ValidationError").message(message).build(),
            Err(ActionError::Condition(old)) => {
                let item = old.as_deref().map(action::decode).transpose()?;
                reason
                    .code("ConditionalCheckFailed")
                    .message("The conditional request failed")
                    .set_item(item)
                    .build()
            }
        });
    }
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_deref().unwrap_or("None")).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    let mut error = EngineError::new(ErrorCode::TransactionCanceled, message);
    error.reasons = reasons;
    Ok(error)
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

    fn map(&mut self, map: Option<&Attributes>) -> Result<(), EngineError> {
        let bytes = map.map(codec::encode_item).transpose();
        let bytes = bytes.map_err(|error| EngineError::invalid(error.to_string()))?;
        self.bytes(&bytes.unwrap_or_default());
        Ok(())
    }
}
