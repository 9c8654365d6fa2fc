//! What can be wrong with a request about orders and caps.

use http::StatusCode;
use serde_json::{Value, json};

use super::domain::{DefaultCap, Given, OrderRule, StateCap};
use crate::base::telemetry::tally;
use crate::base::values::OrderId;
use crate::leads::LeadError;
use crate::orders::domain::{OrderDetail, Preview};
use crate::store::{CursorError, DeadlineExceeded, StoreError};
use crate::web::problem::{IntoProblem, Problem};

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
    Contention,
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
        Self::Contention
    }
}

impl OrderError {
    /// This rule forbids what was asked, which is counted.
    pub(super) fn violation(rule: OrderRule) -> Self {
        tally::rule_violation();
        Self::RuleViolation(rule)
    }
}

impl IntoProblem for OrderError {
    fn into_problem(self) -> Problem {
        use StatusCode as S;
        let stale = |what: &'static str, fresh: Value| {
            let detail =
                "Nothing was written. `fresh` is as it is now; send the change again with its version.";
            Problem::new(S::CONFLICT, "conflict", what, detail).with("fresh", fresh)
        };
        match self {
            OrderError::NotFound(_) => Problem::new(
                S::NOT_FOUND,
                "not-found",
                "There is no such order",
                "It was deleted, or never was. Look for it in the list.",
            ),
            OrderError::Conflict(fresh) => stale("The order has changed since it was read", json!(fresh)),
            OrderError::CapConflict(fresh) => stale("The cap has changed since it was read", json!(fresh)),
            OrderError::DefaultCapConflict(fresh) => {
                stale("The default cap has changed since it was read", json!(fresh))
            }
            OrderError::PreviewOutdated(preview) => Problem::new(
                S::CONFLICT,
                "preview-outdated",
                "Other leads would be given by now",
                "No order was created. `preview` is what would be given now; confirm its fingerprint.",
            )
            .with("preview", json!(preview)),
            OrderError::RuleViolation(rule) => {
                Problem::new(S::UNPROCESSABLE_ENTITY, "rule-violation", "A rule forbids this change", rule.words())
                    .with("rule", rule.name().into())
                    .with("field", rule.field().into())
                    .with("errors", json!([{ "field": rule.field(), "message": rule.words() }]))
            }
            OrderError::NothingToGive(given) => Problem::new(
                S::UNPROCESSABLE_ENTITY,
                "nothing-to-give",
                "There is nothing to give",
                "No order was created: no requested state has a free lead under its cap. `given` says why, state by state.",
            )
            .with("given", json!(given)),
            OrderError::Contention => {
                tracing::warn!(error = %self, "an order gave way");
                Problem::busy("Others were faster until the deadline. Nothing was written; trying again in a moment is safe.")
            }
            OrderError::KeyOfAnotherRequest => Problem::key_reused(),
            OrderError::Lead(error) => error.into_problem(),
            OrderError::Cursor(error) => error.into_problem(),
            OrderError::Store(error) => error.into_problem(),
        }
    }
}
