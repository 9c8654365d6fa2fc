//! The parts of an order's transactions.

use super::domain::{NewOrder, Order, OrderStatus, Plan, StateStock};
use super::items::{CapItem, ShardLead, cap_key, lead_update, with_cause};
use crate::base::values::{OrderId, UsState, Version};
use crate::leads::domain::{Action, HistoryEntry, Lead, Reason, StoredLead};
use crate::leads::items::{history_item, lead_key, requeue};
use crate::reservations::Reservation;
use crate::shared::audit::{AuditStamp, RuleCause};
use crate::store::{Condition, GuardedWrite, StoreError, Update, to_attribute, to_item};

/// Returns a new order with the leads of a plan.
pub(super) fn new_order(id: OrderId, new: &NewOrder, plan: &Plan, stamp: &AuditStamp) -> Order {
    Order {
        id,
        customer_name: new.customer_name.clone(),
        customer_email: new.customer_email.clone(),
        requested_states: new.requested_states.clone(),
        quantity_per_state: new.quantity_per_state,
        given: plan.given.clone(),
        lead_count: u32::try_from(plan.leads.len()).unwrap_or(u32::MAX),
        status: OrderStatus::Open,
        version: Version::FIRST,
        created_at: stamp.at,
        created_by: stamp.actor.clone(),
        updated_at: stamp.at,
        updated_by: stamp.actor.clone(),
        fulfilled_at: None,
        cause: stamp.cause.clone(),
    }
}

/// The change of one lead by an order.
pub(super) struct Transition<'a> {
    pub before: &'a StoredLead,
    pub after: &'a Lead,
    pub reservation: Option<&'a Reservation>,
    pub action: Action,
    pub order: OrderId,
    pub reason: Option<Reason>,
    pub cause: Option<&'a RuleCause>,
}

impl<'a> Transition<'a> {
    /// Creates a change without a reservation and without a reason.
    pub fn new(
        before: &'a StoredLead,
        after: &'a Lead,
        action: Action,
        order: OrderId,
        cause: Option<&'a RuleCause>,
    ) -> Self {
        Self { before, after, reservation: None, action, order, reason: None, cause }
    }
}

/// Adds the change of a lead, its history entry and its place in the queue: at most three actions.
pub(super) fn transition_lead(write: GuardedWrite, one: Transition<'_>) -> Result<GuardedWrite, StoreError> {
    let (before, after) = (&one.before.lead, one.after);
    let same = Condition::is_number("version", before.version.get())
        .and(Condition::is("stock", before.stock.as_str()));
    let update = lead_update(before, after, one.reservation, one.cause)?;
    let entry = HistoryEntry::of_change(before, after, one.action, one.reason).about(one.order);
    let write = write.update("lead", &lead_key(before.id), &update, same).put(
        "lead history",
        history_item(before.id, &entry)?,
        Condition::Absent,
    );
    requeue(write, Some(before), Some(after))
}

/// The change of a cap's counters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CapDelta {
    pub out: i64,
    pub remaining: i64,
}

/// Takes `number` leads from what a state's cap leaves, if it leaves that many. `visible` leads count as out
/// at once.
pub(super) fn take_remaining(
    write: GuardedWrite,
    stock: &StateStock,
    number: u32,
    visible: bool,
    cause: Option<&RuleCause>,
) -> Result<GuardedWrite, StoreError> {
    let out = if visible { number } else { 0 };
    let key = cap_key(stock.state);
    if !stock.stored {
        let mut cap = CapItem::initial(stock.state);
        cap.out = out;
        cap.remaining -= i64::from(number);
        let mut item = to_item(&key, &cap)?;
        if let Some(cause) = cause {
            item.insert("cause".to_owned(), to_attribute(cause)?);
        }
        return Ok(write.put("cap", item, Condition::Absent));
    }
    let enough = Condition::AtLeast("room", to_attribute(number)?);
    let delta = CapDelta { out: out.into(), remaining: -i64::from(number) };
    Ok(write.update("cap", &key, &cap_update(delta, cause)?, enough))
}

/// Changes the counters of a cap. The order's own condition guards this change.
pub(super) fn change_cap(
    write: GuardedWrite,
    state: UsState,
    delta: CapDelta,
    cause: Option<&RuleCause>,
) -> Result<GuardedWrite, StoreError> {
    Ok(write.update("cap", &cap_key(state), &cap_update(delta, cause)?, Condition::Exists))
}

fn cap_update(delta: CapDelta, cause: Option<&RuleCause>) -> Result<Update, StoreError> {
    let mut update = Update::default();
    if delta.out != 0 {
        update = update.add("out", delta.out);
    }
    if delta.remaining != 0 {
        update = update.add("room", delta.remaining);
    }
    with_cause(update, cause)
}

/// Returns a lead as a shard stores it, or `None` if it has no state.
pub(super) fn shard_lead(lead: &Lead) -> Option<ShardLead> {
    Some(ShardLead { id: lead.id, state: lead.state? })
}
