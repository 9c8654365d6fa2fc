//! What can be wrong with a request about orders and caps.

use super::domain::{DefaultCap, Given, OrderRule, StateCap};
use super::store::{OrderDetail, Preview};
use crate::dynamo::{CursorError, DeadlineExceeded, StoreError};
use crate::leads::LeadError;
use crate::telemetry::tally;
use crate::values::OrderId;

/// Why a request about orders or caps was not done.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// There is no such order, or no longer.
    #[error("there is no order {0}")]
    NotFound(OrderId),
    /// The version sent is not the version stored; this is the order as it is now.
    #[error("the order has changed since it was read")]
    Conflict(Box<OrderDetail>),
    /// The version is right and a rule forbids the change.
    #[error("{}", .0.words())]
    RuleViolation(OrderRule),
    /// No state gives a lead, and this is why.
    #[error("there is nothing to give in any of the states")]
    NothingToGive(Vec<Given>),
    /// Somebody was faster than the confirmation of a preview; this is the new one.
    #[error("the leads of the preview are no longer the oldest free ones")]
    PreviewOutdated(Box<Preview>),
    /// The version sent is not the state's cap's.
    #[error("the cap has changed since it was read")]
    CapConflict(StateCap),
    /// The version sent is not the default cap's.
    #[error("the default cap has changed since it was read")]
    DefaultCapConflict(DefaultCap),
    /// Others change the same leads and caps so fast that no attempt came through in time. Nothing was written.
    #[error("others were faster until the deadline")]
    Crowded,
    /// The idempotency key was used for another request.
    #[error("the idempotency key belongs to another request")]
    KeyOfAnotherRequest,
    /// About the order's leads.
    #[error(transparent)]
    Lead(#[from] LeadError),
    /// The cursor is none of this list's.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DeadlineExceeded> for OrderError {
    fn from(_: DeadlineExceeded) -> Self {
        Self::Crowded
    }
}

impl OrderError {
    /// This rule forbids what was asked, which is counted.
    pub(super) fn violation(rule: OrderRule) -> Self {
        tally::rule_violation();
        Self::RuleViolation(rule)
    }
}
