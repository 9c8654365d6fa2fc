//! The pieces of which an order's transactions are made.

use super::domain::{NewOrder, Order, OrderStatus, Plan, StateStock};
use super::items::{CapItem, ShardLead, cap_key, lead_update, with_cause};
use crate::base::values::{OrderId, UsState, Version};
use crate::leads::domain::{Action, HistoryEntry, Lead, Reason, StoredLead};
use crate::leads::items::{history_item, lead_key, requeue};
use crate::reservations::Reservation;
use crate::shared::audit::AuditStamp;
use crate::shared::audit::Cause;
use crate::store::{Condition, GuardedWrite, StoreError, Update, to_attribute, to_item};

/// A new order with what a plan gives it.
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

/// One lead's change by an order: from how it is written to how it will stand.
pub(super) struct Transition<'a> {
    pub before: &'a StoredLead,
    pub after: &'a Lead,
    pub reservation: Option<&'a Reservation>,
    pub action: Action,
    pub order: OrderId,
    pub reason: Option<Reason>,
    pub cause: Option<&'a Cause>,
}

/// Adds a lead's change with its history entry and its place in the queue: three actions at the most.
pub(super) fn transition_lead(write: GuardedWrite, one: &Transition<'_>) -> Result<GuardedWrite, StoreError> {
    let (before, after) = (&one.before.lead, one.after);
    let same = Condition::is_number("version", before.version.get())
        .and(Condition::is("stock", before.stock.as_str()));
    let update = lead_update(before, after, one.reservation, one.cause)?;
    let entry = HistoryEntry::of_change(before, after, one.action, one.reason.clone()).about(one.order);
    let write = write.update("lead", &lead_key(before.id), &update, same).put(
        "lead history",
        history_item(before.id, &entry)?,
        Condition::Absent,
    );
    requeue(write, Some(before), Some(after))
}

/// What changes of a state's counter.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CapDelta {
    pub out: i64,
    pub remaining: i64,
}

/// Takes `number` from what a state's cap leaves, if it leaves that many; `visible` ones are out at once.
pub(super) fn take_remaining(
    write: GuardedWrite,
    stock: &StateStock,
    number: u32,
    visible: bool,
    cause: Option<&Cause>,
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
    let count = CapDelta { out: out.into(), remaining: -i64::from(number) };
    Ok(write.update("cap", &key, &counted(count, cause)?, enough))
}

/// Changes a state's counter by what its orders guard themselves.
pub(super) fn count(
    write: GuardedWrite,
    state: UsState,
    count: CapDelta,
    cause: Option<&Cause>,
) -> Result<GuardedWrite, StoreError> {
    Ok(write.update("cap", &cap_key(state), &counted(count, cause)?, Condition::Exists))
}

fn counted(count: CapDelta, cause: Option<&Cause>) -> Result<Update, StoreError> {
    let mut update = Update::default();
    if count.out != 0 {
        update = update.add("out", count.out);
    }
    if count.remaining != 0 {
        update = update.add("room", count.remaining);
    }
    with_cause(update, cause)
}

/// A lead as an order's part names it.
pub(super) fn shard_lead(lead: &Lead) -> Option<ShardLead> {
    Some(ShardLead { id: lead.id, state: lead.state? })
}
