//! The page of one person or service: what it shows.

use futures_util::future::{try_join, try_join3};

use super::parts::{AgentChoice, NewLink, Place, Refusal, page_of, tone_of};
use super::profile::{ConflictField, ProfileErrors, ProfileFields};
use crate::accounts::deletion::PendingDeletion;
use crate::accounts::domain::{Account, AccountKind, AccountStatus, LinkPurpose, Token, TokenName};
use crate::accounts::session_view::SessionSection;
use crate::accounts::sessions::ListedSession;
use crate::accounts::token_view::{TokenForm, TokenSection};
use crate::accounts::{AccountError, HistoryEntry};
use crate::base::identity::{AccountId, Role};
use crate::people::People;
use crate::shared::pages::*;
use crate::web::lists::Listed;
use crate::web::query::address;

/// The number of sessions, and of tokens, on one page.
const ROWS: u16 = 50;
/// The number of history entries on one page.
const HISTORY: u16 = 20;

/// Shows the history of a deleted account.
pub(super) async fn gone(
    people: &People,
    context: PageContext,
    id: AccountId,
    history: Option<&str>,
) -> PageAnswer {
    let page = people.accounts.history(id, HISTORY, history).await?;
    if page.items.is_empty() {
        return Err(AccountError::NoSuchAccount.into());
    }
    let older = page.next.map(|cursor| page_after(id, "history", cursor));
    let history = page.items.into_iter().map(Into::into).collect();
    html(StatusCode::GONE, &GonePage { context, id: id.to_string(), history, older })
}

/// Returns the path of the page where a list continues after a cursor.
fn page_after(id: AccountId, list: &'static str, cursor: String) -> String {
    address(&page_of(id), [(list, cursor)])
}

/// Where the lists of a page continue. `None` is the beginning.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursors<'a> {
    pub(super) history: Option<&'a str>,
    pub(super) tokens: Option<&'a str>,
    pub(super) sessions: Option<&'a str>,
}

/// Reads the page of an account, or shows the given state of it.
pub(super) async fn person_page(
    people: &People,
    context: PageContext,
    who: &SignedIn,
    id: AccountId,
    known: Option<Account>,
) -> Result<PersonPage, AccountError> {
    let account = match known {
        Some(account) => account,
        None => people.accounts.find(id).await?,
    };
    page_with(people, context, who, account, Cursors::default()).await
}

/// Reads what the page of an account shows beside it.
pub(super) async fn page_with(
    people: &People,
    context: PageContext,
    who: &SignedIn,
    account: Account,
    cursors: Cursors<'_>,
) -> Result<PersonPage, AccountError> {
    let (accounts, id) = (&people.accounts, account.id);
    let lists = try_join3(
        accounts.tokens(id, ROWS, cursors.tokens),
        accounts.sessions(&account, ROWS, cursors.sessions),
        accounts.history(id, HISTORY, cursors.history),
    );
    let pending = async { Ok(accounts.pending_deletion(id).await?) };
    let ((tokens, sessions, history), (agents, pending)) =
        try_join(lists, try_join(accounts.agents(), pending)).await?;
    Ok(PersonPage {
        profile: ProfileFields::of(&account),
        errors: ProfileErrors::default(),
        conflict: Vec::new(),
        refusal: None,
        new_link: None,
        is_self: who.id == id,
        pending: pending.map(Into::into),
        agents: AgentChoice::all_but(agents, &account),
        sessions: session_section(id, sessions),
        tokens: token_section(people, &account, tokens),
        history: history.items.into_iter().map(Into::into).collect(),
        older: history.next.map(|cursor| page_after(id, "history", cursor)),
        context,
        account,
    })
}

fn session_section(id: AccountId, sessions: Listed<ListedSession>) -> SessionSection {
    let warning = "The person must sign in again there.";
    let more = |cursor| page_after(id, "sessions", cursor);
    SessionSection::new(format!("{}/sessions", page_of(id)), sessions, None, warning, more)
}

/// Returns the tokens of an account. Administrators create only those of services.
fn token_section(people: &People, account: &Account, tokens: Listed<Token>) -> TokenSection {
    let (id, is_service) = (account.id, account.kind == AccountKind::Service);
    let none =
        if is_service { "No tokens." } else { "No tokens. People create tokens on their own account page." };
    let older = |cursor| page_after(id, "tokens", cursor);
    let section = TokenSection::new(format!("{}/tokens", page_of(id)), tokens, none, older);
    let may_create = is_service && account.status != AccountStatus::Disabled;
    let form = may_create.then(|| TokenForm::new(account.role, people.rng.uuid().to_string()));
    TokenSection { form, ..section }
}

/// Shows the page with the reason why a change was refused.
pub(super) async fn show_refusal(
    people: &People,
    context: PageContext,
    who: &SignedIn,
    id: AccountId,
    refusal: Refusal,
) -> PageAnswer {
    let fresh = refusal.fresh.clone().map(|fresh| *fresh);
    let page = person_page(people, context, who, id, fresh).await?;
    html(refusal.status, &PersonPage { refusal: Some(refusal), ..page })
}

/// The page of one person or service.
#[derive(Template)]
#[template(path = "people/person.html", config = "templates/askama.toml")]
pub(super) struct PersonPage {
    pub(super) context: PageContext,
    pub(super) account: Account,
    pub(super) profile: ProfileFields,
    pub(super) errors: ProfileErrors,
    /// The fields that another person changed while this one typed.
    pub(super) conflict: Vec<ConflictField>,
    pub(super) refusal: Option<Refusal>,
    pub(super) new_link: Option<NewLink>,
    pub(super) sessions: SessionSection,
    pub(super) tokens: TokenSection,
    pub(super) history: Vec<HistoryRow>,
    /// The path of the page with older history.
    pub(super) older: Option<String>,
    /// The agents who can get the leads of a deleted account.
    pub(super) agents: Vec<AgentChoice>,
    /// A deletion that was interrupted.
    pub(super) pending: Option<PendingRow>,
    /// Whether it is the administrator's own account.
    pub(super) is_self: bool,
}

impl PersonPage {
    /// Shows a new link.
    pub(super) fn with_link(self, link: NewLink) -> Self {
        Self { new_link: Some(link), ..self }
    }

    fn is_service(&self) -> bool {
        self.account.kind == AccountKind::Service
    }

    fn is_disabled(&self) -> bool {
        self.account.status == AccountStatus::Disabled
    }

    fn is_invited(&self) -> bool {
        self.account.status == AccountStatus::Invited
    }

    fn tone(&self) -> &'static str {
        tone_of(self.account.status)
    }

    fn last_sign_in(&self) -> Option<DisplayTime> {
        self.account.last_sign_in_at.map(Into::into)
    }

    fn created(&self) -> DisplayTime {
        self.account.created_at.into()
    }

    /// Describes the link that was not used yet.
    fn open_link(&self) -> Option<(&'static str, DisplayTime)> {
        let link = self.account.link.as_ref()?;
        let what = match link.purpose {
            LinkPurpose::Invitation => "An invitation",
            _ => "A password reset link",
        };
        Some((what, link.expires_at.into()))
    }

    /// The roles to choose from.
    fn roles(&self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().rev()
    }

    /// Returns the message about a refused change that this part of the page shows.
    fn refused(&self, place: Place) -> Option<&'static str> {
        self.refusal.as_ref().filter(|refusal| refusal.place == place).map(|refusal| refusal.words)
    }
}

/// An entry of the history.
pub(super) struct HistoryRow {
    pub(super) version: u64,
    pub(super) detail: String,
    pub(super) by: String,
    pub(super) at: DisplayTime,
}

impl From<HistoryEntry> for HistoryRow {
    fn from(entry: HistoryEntry) -> Self {
        let (version, by) = (entry.version.get(), entry.by.to_string());
        Self { version, by, detail: entry.detail, at: entry.at.into() }
    }
}

/// A deletion that was interrupted.
pub(super) struct PendingRow {
    pub(super) by: String,
    pub(super) at: DisplayTime,
}

impl From<PendingDeletion> for PendingRow {
    fn from(pending: PendingDeletion) -> Self {
        Self { by: pending.by.to_string(), at: pending.at.into() }
    }
}

/// The page of a deleted account: its history.
#[derive(Template)]
#[template(path = "people/gone.html", config = "templates/askama.toml")]
pub(super) struct GonePage {
    pub(super) context: PageContext,
    pub(super) id: String,
    pub(super) history: Vec<HistoryRow>,
    pub(super) older: Option<String>,
}
