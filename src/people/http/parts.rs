//! What the pages of people share: new links, the choice of an agent, and messages of refused changes.

use http::{HeaderMap, header};

use crate::accounts::domain::{Account, AccountStatus, LinkPurpose, Secret};
use crate::accounts::{AccountError, link_path};
use crate::people::PeopleError;
use crate::shared::pages::*;

/// The start page of people.
pub(super) const PATH: &str = "/people";

/// Returns the path of a person's page.
pub(super) fn page_of(id: impl std::fmt::Display) -> String {
    format!("{PATH}/{id}")
}

/// A new link, which is shown only once.
pub(super) struct NewLink {
    /// The whole address, if the browser says where it is, otherwise its path.
    pub(super) address: String,
    pub(super) until: Option<DisplayTime>,
    /// Whether it lets an invited person join. Otherwise it sets a new password.
    pub(super) invites: bool,
}

impl NewLink {
    /// Returns the link of an account that was invited or got a reset just now.
    pub(super) fn of(context: &PageContext, headers: &HeaderMap, account: &Account, secret: &Secret) -> Self {
        // A form comes from our own origin, which its browser names.
        let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let origin = origin.filter(|origin| origin.starts_with("http")).unwrap_or_default();
        let link = account.link.as_ref();
        Self {
            address: format!("{origin}{}", context.url(&link_path(secret.reveal()))),
            until: link.map(|link| link.expires_at.into()),
            invites: link.is_some_and(|link| link.purpose == LinkPurpose::Invitation),
        }
    }
}

/// An agent who can get leads.
pub(super) struct AgentChoice {
    pub(super) id: String,
    pub(super) label: String,
}

impl AgentChoice {
    /// Returns all agents except one.
    pub(super) fn all_but(agents: Vec<Account>, except: &Account) -> Vec<Self> {
        let others = agents.into_iter().filter(|agent| agent.id != except.id);
        others.map(|agent| Self { id: agent.id.to_string(), label: agent.label() }).collect()
    }
}

/// Returns the name of the badge's style of a state.
pub(super) fn tone_of(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "good",
        AccountStatus::Invited => "open",
        AccountStatus::Disabled => "bad",
    }
}

/// The part of a person's page where a message is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Profile,
    State,
    Link,
    Sessions,
    Deletion,
}

/// Why a change was refused.
pub(super) struct Refusal {
    pub(super) place: Place,
    pub(super) status: StatusCode,
    pub(super) words: &'static str,
    /// The account as it is now, if the person saw a former version.
    pub(super) fresh: Option<Box<Account>>,
}

impl Refusal {
    /// Returns the refusal that the page shows.
    ///
    /// # Errors
    /// The error itself, if another page answers it.
    pub(super) fn of(place: Place, error: AccountError) -> Result<Self, AccountError> {
        let invalid = StatusCode::UNPROCESSABLE_ENTITY;
        let (status, words, fresh) = match error {
            AccountError::Conflict(fresh) => {
                let words = "This account has changed, and nothing was saved. Check it and try again.";
                (StatusCode::CONFLICT, words, Some(fresh))
            }
            AccountError::LastAdministrator => {
                let words =
                    "This is the last active administrator. Make another person an administrator first.";
                (invalid, words, None)
            }
            AccountError::NotActive => {
                (invalid, "This account can't get a link because it's disabled or a service.", None)
            }
            other => return Err(other),
        };
        Ok(Self { place, status, words, fresh })
    }

    /// Returns the refusal of a deletion that the page shows.
    ///
    /// # Errors
    /// The error itself, if another page answers it.
    pub(super) fn of_deletion(error: PeopleError) -> Result<Self, PeopleError> {
        let place = Place::Deletion;
        match error {
            PeopleError::NoSuchAgent => {
                let words = "This account is no longer an active agent. Choose another one for the leads.";
                Ok(Self { place, status: StatusCode::UNPROCESSABLE_ENTITY, words, fresh: None })
            }
            PeopleError::Account(error) => Ok(Self::of(place, error)?),
            other => Err(other),
        }
    }
}
