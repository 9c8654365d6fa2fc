//! Why a request about people fails.

use http::StatusCode;

use crate::accounts::AccountError;
use crate::base::values::Invalid;
use crate::leads::LeadError;
use crate::store::StoreError;
use crate::store::idempotency::KeyReused;
use crate::web::error::WebError;
use crate::web::problem::{IntoProblem, Problem};

/// Why a request about people failed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// A change of an account failed.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A change of a lead failed.
    #[error(transparent)]
    Lead(#[from] LeadError),
    /// The leads were to be given to an account that is not an active agent, or to the one that is deleted.
    #[error("the leads need another active agent")]
    NoSuchAgent,
    /// There is no deletion to continue.
    #[error("the deletion was canceled")]
    NotPending,
    /// A person creates tokens for themselves; administrators only do it for services.
    #[error("only services get tokens from an administrator")]
    NotAService,
}

impl From<StoreError> for PeopleError {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

impl From<KeyReused> for PeopleError {
    fn from(error: KeyReused) -> Self {
        Self::Account(error.into())
    }
}

impl IntoProblem for PeopleError {
    fn into_problem(self) -> Problem {
        match self {
            Self::Account(error) => error.into_problem(),
            Self::Lead(error) => error.into_problem(),
            Self::NoSuchAgent => {
                let message = "Choose another active agent or administrator.";
                WebError::field("leadsTo", &Invalid::new(message)).into_problem()
            }
            Self::NotPending => Problem::new(
                StatusCode::CONFLICT,
                "conflict",
                "The deletion was canceled",
                "An administrator enabled it, which canceled the deletion. Leads that already moved stay with their new owner.",
            ),
            Self::NotAService => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "not-a-service",
                "Administrators can create tokens only for services",
                "People create their own tokens on the account page.",
            ),
        }
    }
}
