//! Creates tokens of services, which cannot sign in to do it.

use super::PeopleError;
use crate::accounts::AccountError;
use crate::accounts::change::Operator;
use crate::accounts::domain::{AccountKind, Secret, Token};
use crate::accounts::token_view::TokenInput;
use crate::base::identity::{AccountId, SignedIn, Via};
use crate::people::People;
use crate::store::idempotency::{Done, Idempotency};

impl People {
    /// Creates a token of a service. Without a role, it gets that of the service.
    ///
    /// # Errors
    /// [`PeopleError::NotAService`]; [`AccountError::SessionNeeded`] if the administrator uses a token; and the errors
    /// of [`create_token`](crate::accounts::Accounts::create_token).
    pub async fn create_service_token(
        &self,
        id: AccountId,
        input: TokenInput,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, Token>>,
    ) -> Result<Done<(Token, Secret)>, PeopleError> {
        if who.via != Via::Session {
            // A leaked token must not create another one that outlives it, as for a person's own tokens.
            return Err(AccountError::SessionNeeded.into());
        }
        let service = self.accounts.find(id).await?;
        if service.kind != AccountKind::Service {
            return Err(PeopleError::NotAService);
        }
        let (draft, operator) = (input.draft(service.role), Operator::Administrator(who));
        Ok(self.accounts.create_token(id, draft, operator, idempotency).await?)
    }
}
