//! Who does something: accounts' ids, roles, the sender of a request, and the actor that a history names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::values::{Email, Invalid, Name, text_value, time_ordered_id};

time_ordered_id!(
    /// An account's id.
    AccountId,
    "an account"
);

impl AccountId {
    /// The id that no account has.
    pub(crate) const NOBODY: Self = Self(uuid::Uuid::nil());
}

/// What an account may do. Each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Role {
    /// Takes part in raffles and sees nothing else.
    Participant,
    /// Works with leads and orders.
    Agent,
    /// Works with everything, and reopens what is closed.
    Administrator,
}

impl Role {
    /// All, from the one that may least.
    pub const ALL: [Self; 3] = [Self::Participant, Self::Agent, Self::Administrator];

    /// The name everywhere.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Participant => "participant",
            Self::Agent => "agent",
            Self::Administrator => "administrator",
        }
    }
}

impl FromStr for Role {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Invalid::new("A role is administrator, agent or participant."))
    }
}

text_value!(Role);

/// How a request showed who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A browser's session.
    Session,
    /// An API token of this name.
    Token(String),
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The account.
    pub id: AccountId,
    /// The person's name.
    pub name: Name,
    /// The address they sign in with.
    pub email: Email,
    /// What they may do.
    pub role: Role,
    /// How they showed it.
    pub via: Via,
}

impl SignedIn {
    /// Who did something, as a history names them.
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

    /// Whether they work with leads and orders.
    pub fn is_agent(&self) -> bool {
        self.role >= Role::Agent
    }
}

/// Who did something, as the history names them: an account's name, or a program's beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// Someone by this name.
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
