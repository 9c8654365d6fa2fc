//! Who may use a route.

use crate::base::identity::Role;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, and who it is does not matter: nothing is read to find out.
    Public,
    /// Anyone. The route learns who it is, if the request says so.
    Anyone,
    /// Anyone who is signed in.
    SignedIn,
    /// Agents and administrators.
    Agent,
    /// Administrators.
    Administrator,
}

impl Access {
    /// Whether somebody, or nobody, may use the route.
    pub fn admits(self, role: Option<Role>) -> bool {
        match self {
            Self::Public | Self::Anyone => true,
            Self::SignedIn => role.is_some(),
            Self::Agent => role >= Some(Role::Agent),
            Self::Administrator => role == Some(Role::Administrator),
        }
    }
}
