//! Identity: account ids, roles, the sender of a request, and the actor in a history.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::calendar::ZoneName;
use super::values::{Email, Name, text_enum, time_ordered_id};

time_ordered_id!(
    /// An account's id.
    AccountId,
    "an account"
);

impl AccountId {
    /// An id that no account has.
    pub(crate) const NONE: Self = Self(uuid::Uuid::nil());
}

text_enum! {
    /// What an account may do. Each role includes the permissions of the roles before it.
    pub enum Role, "The role must be administrator, agent, viewer, or participant.";
    /// Takes part in raffles, and has no other access.
    Participant = "participant",
    /// Sees leads, orders and stock, and changes none of them.
    Viewer = "viewer",
    /// Works with leads and orders.
    Agent = "agent",
    /// Works with all features, manages people, and reopens closed records.
    Administrator = "administrator",
}

impl Role {
    /// Returns the name of the role where it is not part of a sentence.
    pub fn label(self) -> &'static str {
        match self {
            Self::Participant => "Participant",
            Self::Viewer => "Viewer",
            Self::Agent => "Agent",
            Self::Administrator => "Administrator",
        }
    }

    /// Returns what the role may do, in one sentence, for pages and documents where a role is chosen.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Participant => "Takes part in raffles. No other access.",
            Self::Viewer => {
                "Views leads, orders, stock, and rules without changing them, and takes part in raffles."
            }
            Self::Agent => "Works with leads, imports, orders, caps, stock, and commands, and views rules.",
            Self::Administrator => {
                "Full access. Also manages people, rules, and raffles, and reopens converted leads."
            }
        }
    }
}

/// How a request was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// By a browser's session.
    Session,
    /// By the API token with this name.
    Token(String),
}

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The account.
    pub id: AccountId,
    /// The person's name.
    pub name: Name,
    /// The address that they sign in with.
    pub email: Email,
    /// Their role.
    pub role: Role,
    /// How the request was authenticated.
    pub via: Via,
    /// The address that the request came from, if the host knows it.
    pub address: Option<IpAddr>,
    /// The time zone in which this person sees times, or `None` for the workspace's.
    pub time_zone: Option<ZoneName>,
}

impl SignedIn {
    /// Creates the sender of a request that came from an unknown address, with the workspace's time zone.
    pub fn new(id: AccountId, name: Name, email: Email, role: Role, via: Via) -> Self {
        Self { id, name, email, role, via, address: None, time_zone: None }
    }

    /// Returns the actor that a history names.
    pub fn actor(&self) -> Actor {
        match &self.via {
            Via::Session => Actor::new(self.name.as_str()),
            Via::Token(token) => Actor::new(format!("{} ({token})", self.name)),
        }
    }

    /// Whether they are an administrator.
    pub fn is_administrator(&self) -> bool {
        self.role == Role::Administrator
    }

    /// Whether they may see leads and orders.
    pub fn is_viewer(&self) -> bool {
        self.role >= Role::Viewer
    }

    /// Whether they may work with leads and orders.
    pub fn is_agent(&self) -> bool {
        self.role >= Role::Agent
    }
}

/// The name of an actor in a history: a person, with the program's name in parentheses if a token was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// Creates an actor with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
