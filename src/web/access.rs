//! The access of routes.

use crate::base::identity::Role;

/// The senders that may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without authentication.
    Public,
    /// Anyone. The request is authenticated if it has credentials.
    Anyone,
    /// Signed-in senders.
    SignedIn,
    /// Viewers, agents and administrators.
    Viewer,
    /// Agents and administrators.
    Agent,
    /// Administrators.
    Administrator,
}

impl Access {
    /// Whether a sender with this role, or without an account, may use the route.
    pub fn admits(self, role: Option<Role>) -> bool {
        match self {
            Self::Public | Self::Anyone => true,
            Self::SignedIn => role.is_some(),
            Self::Viewer => role >= Some(Role::Viewer),
            Self::Agent => role >= Some(Role::Agent),
            Self::Administrator => role == Some(Role::Administrator),
        }
    }
}
