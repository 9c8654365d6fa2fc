//! What administrators and commands do with accounts. Every change is one guarded write with a version.

mod edit;
mod end_sessions;
mod invite;

pub use self::edit::AccountChanges;
pub(super) use self::edit::changed;
pub use self::invite::{AccountDraft, WithLink};
