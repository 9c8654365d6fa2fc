//! The page of one person or service: what it shows.

use super::parts::{AgentChoice, NewLink, Place, Refusal, page_of, tone_of};
use crate::accounts::administer::AccountChanges;
use crate::accounts::deletion::PendingDeletion;
use crate::accounts::domain::{Account, AccountKind, AccountStatus, LinkPurpose, Token, TokenName};
use crate::accounts::sessions::ListedSession;
use crate::accounts::token_view::{TokenForm, TokenSection};
use crate::accounts::{AccountError, HistoryEntry};
use crate::base::identity::{AccountId, Role};
use crate::people::People;
use crate::shared::forms::{RawForm, checked};
use crate::shared::pages::*;
use crate::web::lists::Listed;

/// The number of sessions, and of tokens, on one page.
pub(super) const ROWS: u16 = 50;
/// The number of history entries on one page.
pub(super) const HISTORY: u16 = 20;

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
    let older = page.next.and_then(|cursor| address(id, "history", &cursor));
    let history = page.items.into_iter().map(Into::into).collect();
    html(StatusCode::GONE, &GonePage { context, id: id.to_string(), history, older })
}

pub(super) fn address(id: AccountId, name: &str, cursor: &str) -> Option<String> {
    Some(format!("{}?{}", page_of(id), serde_urlencoded::to_string([(name, cursor)]).ok()?))
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

pub(super) async fn page_with(
    people: &People,
    context: PageContext,
    who: &SignedIn,
    account: Account,
    cursors: Cursors<'_>,
) -> Result<PersonPage, AccountError> {
    let (accounts, id) = (&people.accounts, account.id);
    let tokens = accounts.tokens(id, ROWS, cursors.tokens);
    let sessions = accounts.sessions(&account, ROWS, cursors.sessions);
    let history = accounts.history(id, HISTORY, cursors.history);
    let pending = async { Ok(accounts.pending_deletion(id).await?) };
    let ((tokens, sessions), (history, agents), pending) = futures_util::future::try_join3(
        futures_util::future::try_join(tokens, sessions),
        futures_util::future::try_join(history, accounts.agents()),
        pending,
    )
    .await?;
    Ok(PersonPage {
        profile: ProfileFields::of(&account),
        errors: ProfileErrors::default(),
        conflict: Vec::new(),
        refusal: None,
        new_link: None,
        is_self: who.id == id,
        pending: pending.map(Into::into),
        agents: AgentChoice::all_but(agents, &account),
        sessions: sessions.items.into_iter().map(Into::into).collect(),
        more_sessions: sessions.next.and_then(|cursor| address(id, "sessions", &cursor)),
        tokens: token_section(people, &account, tokens),
        history: history.items.into_iter().map(Into::into).collect(),
        older: history.next.and_then(|cursor| address(id, "history", &cursor)),
        context,
        account,
    })
}

/// Returns the tokens of an account. Administrators create only those of services.
fn token_section(people: &People, account: &Account, tokens: Listed<Token>) -> TokenSection {
    let (id, is_service) = (account.id, account.kind == AccountKind::Service);
    let none =
        if is_service { "No tokens." } else { "No tokens. People create tokens on their own account page." };
    let section = TokenSection::new(format!("{}/tokens", page_of(id)), tokens, none, |cursor| {
        address(id, "tokens", &cursor)
    });
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
    pub(super) sessions: Vec<SessionRow>,
    /// The path of the page with further sessions.
    pub(super) more_sessions: Option<String>,
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

    fn refused(&self, place: Place) -> Option<&str> {
        self.refusal.as_ref().filter(|refusal| refusal.place == place).map(|refusal| refusal.words.as_str())
    }

    fn profile_refusal(&self) -> Option<&str> {
        self.refused(Place::Profile)
    }

    fn state_refusal(&self) -> Option<&str> {
        self.refused(Place::State)
    }

    fn link_refusal(&self) -> Option<&str> {
        self.refused(Place::Link)
    }

    fn sessions_refusal(&self) -> Option<&str> {
        self.refused(Place::Sessions)
    }

    fn deletion_refusal(&self) -> Option<&str> {
        self.refused(Place::Deletion)
    }
}

/// The typed fields of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProfileFields {
    pub(super) name: String,
    /// The address; not shown for a service.
    pub(super) email: String,
    pub(super) role: String,
}

impl ProfileFields {
    pub(super) fn of(account: &Account) -> Self {
        let (name, email) = (account.name.to_string(), account.email.to_string());
        Self { name, email, role: account.role.to_string() }
    }

    pub(super) fn of_form(form: &RawForm) -> Self {
        Self { name: form.text("name"), email: form.text("email"), role: form.text("role") }
    }

    /// Parses the fields, or returns the errors of all. The form of a service has no address.
    pub(super) fn changes(&self) -> Result<AccountChanges, Box<ProfileErrors>> {
        let mut errors = Box::<ProfileErrors>::default();
        let name = checked(self.name.parse(), &mut errors.name);
        let email = match self.email.is_empty() {
            true => None,
            false => checked(self.email.parse(), &mut errors.email),
        };
        let role = checked(self.role.parse(), &mut errors.role);
        let is_right = errors.name.is_none() && errors.email.is_none() && errors.role.is_none();
        if is_right { Ok(AccountChanges { name, email, role, disabled: None }) } else { Err(errors) }
    }

    /// Returns the fields that differ from the account as it is now.
    pub(super) fn differences(&self, now: &Self) -> Vec<ConflictField> {
        let fields = [
            ("Name", now.name.as_str(), self.name.as_str()),
            ("Email", now.email.as_str(), self.email.as_str()),
            ("Role", role_label(&now.role), role_label(&self.role)),
        ];
        let differing = fields.into_iter().filter(|(_, now, yours)| now != yours && !yours.is_empty());
        let field = |(label, now, yours): (_, &str, &str)| ConflictField {
            label,
            now: now.to_owned(),
            yours: yours.to_owned(),
        };
        differing.map(field).collect()
    }
}

/// Returns the label of a role as typed.
fn role_label(typed: &str) -> &str {
    match typed.parse::<Role>() {
        Ok(role) => role.label(),
        Err(_) => typed,
    }
}

/// The errors of the fields of a person.
#[derive(Debug, Default)]
pub(super) struct ProfileErrors {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) role: Option<String>,
}

/// A field with its current value and the typed one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConflictField {
    pub(super) label: &'static str,
    pub(super) now: String,
    pub(super) yours: String,
}

/// A session in the list.
pub(super) struct SessionRow {
    pub(super) id: String,
    pub(super) device: String,
    pub(super) address: Option<String>,
    pub(super) created: DisplayTime,
    pub(super) last_seen: DisplayTime,
}

impl From<ListedSession> for SessionRow {
    fn from(session: ListedSession) -> Self {
        Self {
            id: session.id.to_string(),
            device: session.device,
            address: session.address.map(|address| address.to_string()),
            created: session.created_at.into(),
            last_seen: session.last_seen_at.into(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str, email: &str, role: &str) -> ProfileFields {
        ProfileFields { name: name.to_owned(), email: email.to_owned(), role: role.to_owned() }
    }

    #[test]
    fn a_conflict_shows_the_fields_that_differ() {
        let now = fields("Ann Lee", "ann@example.com", "viewer");
        let differing = fields("Ann Li", "ann@example.com", "viewer").differences(&now);
        assert_eq!(differing.len(), 1);
        assert_eq!((differing[0].label, differing[0].yours.as_str()), ("Name", "Ann Li"));
        assert!(fields("Ann Lee", "", "viewer").differences(&now).is_empty(), "a service has no address");
    }

    #[test]
    fn all_invalid_fields_are_named_at_once() {
        let errors = fields("", "ann", "owner").changes().unwrap_err();
        assert!(errors.name.is_some() && errors.email.is_some() && errors.role.is_some());
    }
}
