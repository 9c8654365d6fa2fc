//! Accounts, API tokens, links and secrets. Pure.

mod account;
mod secret;
mod token;

pub use account::{Account, AccountKind, AccountLink, AccountStatus, LinkPurpose};
pub use secret::Secret;
pub use token::{Token, TokenDays, TokenDraft, TokenId, TokenName};
