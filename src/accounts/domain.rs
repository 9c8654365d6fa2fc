//! Accounts, API tokens, links and secrets. Pure.

mod account;
mod secret;
mod session;
mod token;

pub use account::{Account, AccountKind, AccountLink, AccountStatus, LinkPurpose};
pub use secret::Secret;
pub use session::{ListedSession, Session, SessionId, SessionLimits};
pub use token::{Token, TokenDays, TokenDraft, TokenId, TokenName};
