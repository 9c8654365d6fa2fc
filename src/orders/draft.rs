//! An order that is being created.

use super::domain::{NewOrder, OrderDetail, Plan, StateStock};
use super::lease::Lease;
use crate::base::values::OrderId;
use crate::leads::domain::{Lead, Stock};
use crate::reservations::Reservation;
use crate::shared::audit::AuditStamp;
use crate::store::idempotency::Idempotency;

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

impl OrderDraft<'_> {
    /// Returns how many leads the plan takes from each stock that gives any.
    pub(super) fn giving_stocks(&self) -> impl Iterator<Item = (u32, &StateStock)> {
        let pairs = self.plan.given.iter().map(|given| given.given).zip(self.stocks);
        pairs.filter(|(given, _)| *given > 0)
    }
}

/// Returns a lead after an order takes it.
pub(super) fn assigned(lead: &Lead, order: OrderId, stamp: &AuditStamp) -> Lead {
    lead.moved(Stock::Assigned, Some(order), stamp.at, stamp.actor.clone())
}

/// Returns the reservation of a lead that a shard of a large order takes.
pub(super) fn reservation_of(lead: &Lead, shard: u32) -> Reservation {
    Reservation { shard, updated_at: lead.updated_at, updated_by: lead.updated_by.clone() }
}
