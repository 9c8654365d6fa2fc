//! Errors of orders and caps, and the problem documents that they become.

use http::StatusCode;
use serde_json::json;

use super::domain::{DefaultCap, Given, OrderDetail, OrderRule, Preview, StateCap};
use crate::accounts::authority::NoLongerAllowed;
use crate::base::telemetry::metrics;
use crate::base::values::OrderId;
use crate::leads::LeadError;
use crate::shared::problems::{not_found, stale};
use crate::store::idempotency::KeyReused;
use crate::store::{CursorError, DeadlineExceeded, StoreError};
use crate::web::problem::{IntoProblem, Problem};

/// Why a request about orders or caps failed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The order does not exist, or was deleted.
    #[error("there is no order {0}")]
    NotFound(OrderId),
    /// The version sent is not the stored version. Contains the current order.
    #[error("the order has changed since it was read")]
    Conflict(Box<OrderDetail>),
    /// The version is right, but a rule forbids the change.
    #[error("{}", .0.words())]
    RuleViolation(OrderRule),
    /// No state gives a lead. Contains the reason for each state.
    #[error("no requested state has a lead to give")]
    NothingToGive(Vec<Given>),
    /// Other requests took leads of the preview before it was confirmed. Contains a new preview.
    #[error("the leads of the preview are no longer the oldest free ones")]
    PreviewOutdated(Box<Preview>),
    /// The version sent is not the stored version of the state's cap. Contains the current cap.
    #[error("the cap has changed since it was read")]
    CapConflict(StateCap),
    /// The version sent is not the stored version of the default cap. Contains the current default.
    #[error("the default cap has changed since it was read")]
    DefaultCapConflict(DefaultCap),
    /// Other requests changed the same leads and caps until the deadline. Nothing was written.
    #[error("other requests kept changing the same leads and caps until the deadline")]
    Contention,
    /// The idempotency key was used for another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// An error of one of the order's leads.
    #[error(transparent)]
    Lead(#[from] LeadError),
    /// The cursor does not belong to this list.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The sender was disabled, or lost the role that the change requires.
    #[error(transparent)]
    NoLongerAllowed(#[from] NoLongerAllowed),
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
    /// Returns the error for a broken rule, and counts it.
    pub(super) fn violation(rule: OrderRule) -> Self {
        metrics::rule_violation();
        Self::RuleViolation(rule)
    }
}

impl IntoProblem for OrderError {
    fn into_problem(self) -> Problem {
        use StatusCode as S;
        match self {
            Self::NotFound(_) => not_found("Order not found", "It was deleted or never existed."),
            Self::Conflict(fresh) => stale("This order has changed", &fresh),
            Self::CapConflict(fresh) => stale("The cap has changed", &fresh),
            Self::DefaultCapConflict(fresh) => stale("The default cap has changed", &fresh),
            Self::PreviewOutdated(preview) => Problem::new(
                S::CONFLICT,
                "preview-outdated",
                "The preview is out of date",
                "No order was created. `preview` shows what's available now; confirm its fingerprint.",
            )
            .with("preview", json!(preview)),
            Self::RuleViolation(rule) => rule_violation(rule),
            Self::NothingToGive(given) => Problem::new(
                S::UNPROCESSABLE_ENTITY,
                "nothing-to-give",
                "No leads available in these states",
                "No order was created. `given` has the reason for each state.",
            )
            .with("given", json!(given)),
            Self::Contention => {
                tracing::warn!(error = %self, "an order request ran out of time");
                Problem::busy("Other requests kept changing the same data. Nothing was saved; try again.")
            }
            Self::KeyReused(error) => error.into_problem(),
            Self::Lead(error) => error.into_problem(),
            Self::Cursor(error) => error.into_problem(),
            Self::NoLongerAllowed(error) => error.into_problem(),
            Self::Store(error) => error.into_problem(),
        }
    }
}

fn rule_violation(rule: OrderRule) -> Problem {
    let title = "A rule doesn't allow this change";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "rule-violation", title, rule.words())
        .with("rule", rule.name().into())
        .with("field", rule.field().into())
        .with("errors", json!([{ "field": rule.field(), "message": rule.words() }]))
}
