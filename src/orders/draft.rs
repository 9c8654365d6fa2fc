//! An order that is being created.

use super::domain::{NewOrder, OrderAction, OrderDetail, OrderEntry, Plan, StateStock};
use super::lease::Lease;
use crate::base::values::{OrderId, Version};
use crate::leads::domain::{Lead, Stock};
use crate::shared::audit::AuditStamp;
use crate::store::idempotency::{Answer, Idempotency};

/// The result of one attempt to create an order.
pub(super) enum Outcome {
    /// The order was created.
    Created(Box<OrderDetail>),
    /// The same request created it before.
    Replayed(Answer),
    /// Another request took a lead or part of a cap first. Nothing was written.
    Lost,
}

/// The input of one attempt to create an order.
pub(super) struct OrderDraft<'a> {
    pub new: &'a NewOrder,
    pub confirmed: bool,
    pub stocks: &'a [StateStock],
    pub plan: &'a Plan,
    pub stamp: &'a AuditStamp,
    pub idempotency: Option<&'a Idempotency<'a, OrderDetail>>,
    pub lease: Option<&'a Lease>,
}

/// Returns a lead after an order takes it.
pub(super) fn assigned(lead: &Lead, order: OrderId, stamp: &AuditStamp) -> Lead {
    lead.moved(Stock::Assigned, Some(order), stamp.at, stamp.actor.clone())
}

/// Returns the history entry of an order's creation.
pub(super) fn creation_entry(stamp: &AuditStamp, version: Version) -> OrderEntry {
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
