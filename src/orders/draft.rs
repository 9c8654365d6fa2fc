//! An order that is being created.

use super::domain::{NewOrder, OrderAction, OrderDetail, OrderEntry, Plan, StateStock};
use super::lease::Lease;
use crate::base::values::{OrderId, Version};
use crate::leads::domain::{Lead, Stock};
use crate::shared::audit::AuditStamp;
use crate::store::ledger::{Answer, Idempotency};

/// What an attempt came to.
pub(super) enum Outcome {
    /// The order is there.
    Made(Box<OrderDetail>),
    /// The same request had made it before.
    Replayed(Answer),
    /// Somebody was faster with a lead or a cap's room; nothing was written.
    Lost,
}

/// What an attempt is made of.
pub(super) struct OrderDraft<'a> {
    pub new: &'a NewOrder,
    pub confirmed: bool,
    pub stocks: &'a [StateStock],
    pub plan: &'a Plan,
    pub stamp: &'a AuditStamp,
    pub idempotency: Option<&'a Idempotency<'a, OrderDetail>>,
    pub lease: Option<&'a Lease>,
}

/// A lead as an order takes it.
pub(super) fn assigned(lead: &Lead, order: OrderId, stamp: &AuditStamp) -> Lead {
    lead.moved(Stock::Assigned, Some(order), stamp.at, stamp.actor.clone())
}

/// The entry of an order's creation.
pub(super) fn entry_of_creation(stamp: &AuditStamp, version: Version) -> OrderEntry {
    OrderEntry {
        version,
        at: stamp.at,
        by: stamp.actor.clone(),
        action: OrderAction::Created,
        reason: None,
        released: None,
        replacement: None,
    }
}
