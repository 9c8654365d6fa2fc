//! The page of one person or service, and the forms that change it.
//!
//! Invariants: every form sends the version that it shows. A person who loses a race sees the account as it is now, and
//! sends the form again with one click.

use http::HeaderMap;

use super::parts::{AgentChoice, NewLink, NewToken, Place, Refusal, TokenFields, page_of, tone_of};
use crate::accounts::administer::AccountChanges;
use crate::accounts::change::Operator;
use crate::accounts::deletion::PendingDeletion;
use crate::accounts::domain::{
    Account, AccountKind, AccountStatus, LinkPurpose, Token, TokenDays, TokenId, TokenName,
};
use crate::accounts::sessions::{ListedSession, SessionId};
use crate::accounts::tokens::Made;
use crate::accounts::{AccountError, HistoryEntry};
use crate::base::identity::{AccountId, Role};
use crate::base::values::Invalid;
use crate::people::{People, PeopleError};
use crate::shared::forms::{RawForm, checked};
use crate::shared::pages::*;
use crate::web::extract::PathPair;

pub(super) fn routes() -> Routes<People> {
    Routes::default()
        .get("/people/{id}", Access::Administrator, show)
        .post("/people/{id}", Access::Administrator, save)
        .post("/people/{id}/state", Access::Administrator, switch)
        .post("/people/{id}/link", Access::Administrator, renew_link)
        .post("/people/{id}/link/withdraw", Access::Administrator, withdraw_link)
        .post("/people/{id}/two-factor/reset", Access::Administrator, reset_two_factor)
        .post("/people/{id}/sessions/end", Access::Administrator, end_sessions)
        .post("/people/{id}/sessions/{session}/end", Access::Administrator, end_session)
        .post("/people/{id}/tokens", Access::Administrator, create_token)
        .post("/people/{id}/tokens/{token}/revoke", Access::Administrator, revoke_token)
}

/// The number of sessions, and of tokens, on one page.
const ROWS: u16 = 50;
/// The number of history entries on one page.
const HISTORY: u16 = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ShowQuery {
    history: Option<String>,
    tokens: Option<String>,
}

async fn show(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    Query(query): Query<ShowQuery>,
) -> PageAnswer {
    let cursor = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (history, tokens) = (cursor(query.history), cursor(query.tokens));
    let account = match people.accounts.find(id).await {
        Err(AccountError::NoSuchAccount) => return gone(&people, context, id, history.as_deref()).await,
        found => found?,
    };
    let page = page_with(&people, context, &who, account, (history.as_deref(), tokens.as_deref())).await?;
    html(StatusCode::OK, &page)
}

/// Shows the history of a deleted account.
async fn gone(people: &People, context: PageContext, id: AccountId, history: Option<&str>) -> PageAnswer {
    let page = people.accounts.history(id, HISTORY, history).await?;
    if page.items.is_empty() {
        return Err(AccountError::NoSuchAccount.into());
    }
    let older = page.next.and_then(|cursor| address(id, "history", &cursor));
    let history = page.items.into_iter().map(Into::into).collect();
    html(StatusCode::GONE, &GonePage { context, id: id.to_string(), history, older })
}

fn address(id: AccountId, name: &str, cursor: &str) -> Option<String> {
    Some(format!("{}?{}", page_of(id), serde_urlencoded::to_string([(name, cursor)]).ok()?))
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
    page_with(people, context, who, account, (None, None)).await
}

async fn page_with(
    people: &People,
    context: PageContext,
    who: &SignedIn,
    account: Account,
    (history, tokens): (Option<&str>, Option<&str>),
) -> Result<PersonPage, AccountError> {
    let (accounts, id) = (&people.accounts, account.id);
    let tokens = accounts.tokens(id, ROWS, tokens);
    let sessions = accounts.sessions(&account, ROWS, None);
    let history = accounts.history(id, HISTORY, history);
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
        new_token: None,
        token: TokenFields::default(),
        token_error: None,
        is_self: who.id == id,
        pending: pending.map(Into::into),
        agents: AgentChoice::all_but(agents, &account),
        sessions: sessions.items.into_iter().map(Into::into).collect(),
        tokens: tokens.items.into_iter().map(Into::into).collect(),
        more_tokens: tokens.next.and_then(|cursor| address(id, "tokens", &cursor)),
        history: history.items.into_iter().map(Into::into).collect(),
        older: history.next.and_then(|cursor| address(id, "history", &cursor)),
        context,
        account,
    })
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

/// Redirects to the page after a change, with a message.
fn done(context: &PageContext, id: AccountId, fragment: bool, words: &'static str) -> Response {
    with_toast_there(see_other(context, &page_of(id), fragment), Tone::Success, words)
}

/// Saves the name, the address and the role.
async fn save(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let (version, typed) = (form.version()?, ProfileFields::of_form(&form));
    let changes = match typed.changes() {
        Ok(changes) => changes,
        Err(errors) => {
            let page = person_page(&people, context, &who, id, None).await?;
            return html(
                StatusCode::UNPROCESSABLE_ENTITY,
                &PersonPage { profile: typed, errors: *errors, ..page },
            );
        }
    };
    let operator = Operator::Administrator(&who);
    match people.accounts.edit(id, version, changes, operator, None).await {
        Ok(after) if after.id == who.id && after.role < Role::Administrator => {
            // The page of people is not theirs any more.
            Ok(with_toast_there(see_other(&context, "/", fragment), Tone::Success, "Your role is changed."))
        }
        Ok(_) => Ok(done(&context, id, fragment, "Saved.")),
        Err(AccountError::EmailTaken(_)) => {
            let email = Some("Another account has this address.".to_owned());
            let page = person_page(&people, context, &who, id, None).await?;
            let errors = ProfileErrors { email, ..ProfileErrors::default() };
            html(StatusCode::UNPROCESSABLE_ENTITY, &PersonPage { profile: typed, errors, ..page })
        }
        Err(error) => {
            let refusal = Refusal::of(Place::Profile, error)?;
            let fresh = refusal.fresh.clone().map(|fresh| *fresh);
            let page = person_page(&people, context, &who, id, fresh).await?;
            let conflict = match refusal.fresh {
                Some(_) => typed.differences(&page.profile),
                None => Vec::new(),
            };
            // The typed values stay in the form, which now sends the current version.
            let status = refusal.status;
            html(status, &PersonPage { profile: typed, conflict, refusal: Some(refusal), ..page })
        }
    }
}

/// Disables or enables the account.
async fn switch(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let disabled = form.get("state") == Some(AccountStatus::Disabled.as_str());
    let changes = AccountChanges { disabled: Some(disabled), ..AccountChanges::default() };
    match people.accounts.edit(id, form.version()?, changes, Operator::Administrator(&who), None).await {
        Ok(_) if disabled && id == who.id => Ok(see_other(&context, "/sign-in", fragment)),
        Ok(_) if disabled => {
            Ok(done(&context, id, fragment, "The account is disabled. Its sessions and tokens ended."))
        }
        Ok(_) => Ok(done(&context, id, fragment, "The account is enabled.")),
        Err(error) => show_refusal(&people, context, &who, id, Refusal::of(Place::State, error)?).await,
    }
}

/// Creates a new invitation, or a link that sets a new password.
async fn renew_link(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    headers: HeaderMap,
    Path(id): Path<AccountId>,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    match people.accounts.renew_link(id, form.version()?, Operator::Administrator(&who), None).await {
        Ok(made) => {
            let link = NewLink::of(&context, &headers, &made.account, &made.secret);
            let page = person_page(&people, context, &who, id, Some(made.account)).await?;
            html(StatusCode::CREATED, &page.with_link(link))
        }
        Err(error) => show_refusal(&people, context, &who, id, Refusal::of(Place::Link, error)?).await,
    }
}

async fn withdraw_link(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    match people.accounts.withdraw_link(id, form.version()?, Operator::Administrator(&who), None).await {
        Ok(_) => Ok(done(&context, id, fragment, "The link does not work any more.")),
        Err(error) => show_refusal(&people, context, &who, id, Refusal::of(Place::Link, error)?).await,
    }
}

/// Switches two-factor authentication off for a person who lost the app and the codes.
async fn reset_two_factor(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    match people.accounts.reset_two_factor(id, form.version()?, Operator::Administrator(&who)).await {
        Ok(_) if id == who.id => Ok(see_other(&context, "/sign-in", fragment)),
        Ok(_) => {
            Ok(done(&context, id, fragment, "Two-factor authentication is off, and all sessions are ended."))
        }
        Err(error) => show_refusal(&people, context, &who, id, Refusal::of(Place::Link, error)?).await,
    }
}

async fn end_sessions(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let (with_tokens, operator) = (form.get("revoke_tokens").is_some(), Operator::Administrator(&who));
    match people.accounts.end_sessions(id, form.version()?, with_tokens, operator, None).await {
        Ok(_) if id == who.id => Ok(see_other(&context, "/sign-in", fragment)),
        Ok(_) if with_tokens => {
            Ok(done(&context, id, fragment, "All sessions are ended, and all tokens are revoked."))
        }
        Ok(_) => Ok(done(&context, id, fragment, "All sessions are ended.")),
        Err(error) => show_refusal(&people, context, &who, id, Refusal::of(Place::Sessions, error)?).await,
    }
}

async fn end_session(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    PathPair(id, session): PathPair<AccountId, SessionId>,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    people.accounts.end_session_of(id, &session, Operator::Administrator(&who)).await?;
    Ok(done(&context, id, fragment, "The session is ended."))
}

/// Creates a token of a service.
async fn create_token(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<AccountId>,
    FormData(form): FormData<RawForm>,
) -> PageAnswer {
    let created = match token_draft(&form) {
        Ok(draft) => match people.create_service_token(id, draft, &who, None).await {
            Err(PeopleError::Account(AccountError::RoleTooHigh(role))) => {
                Err(format!("The service is {role}: choose this role or a lower one."))
            }
            Err(PeopleError::Account(AccountError::NotActive)) => {
                Err("The service is disabled. Enable it first.".to_owned())
            }
            created => Ok(created?),
        },
        Err(invalid) => Err(invalid.to_string()),
    };
    let page = person_page(&people, context, &who, id, None).await?;
    match created {
        Ok(Made::Now(token, secret)) => {
            let (name, secret) = (token.name.to_string(), secret.reveal().to_owned());
            html(StatusCode::CREATED, &PersonPage { new_token: Some(NewToken { name, secret }), ..page })
        }
        // Forms send no idempotency key.
        Ok(Made::Replayed(answer)) => Ok(answer.into_response()),
        Err(error) => {
            let token =
                TokenFields { name: form.text("name"), role: form.text("role"), days: form.text("days") };
            html(StatusCode::UNPROCESSABLE_ENTITY, &PersonPage { token, token_error: Some(error), ..page })
        }
    }
}

type TokenParts = (TokenName, Option<Role>, Option<TokenDays>);

/// Parses the form of a new token. Without a role, it gets that of the service; without days, it does not expire.
fn token_draft(form: &RawForm) -> Result<TokenParts, Invalid> {
    let given = |name: &str| form.get(name).map(str::trim).filter(|text| !text.is_empty());
    let name = form.get("name").unwrap_or_default().parse()?;
    Ok((name, given("role").map(str::parse).transpose()?, given("days").map(str::parse).transpose()?))
}

async fn revoke_token(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    PathPair(id, token): PathPair<AccountId, TokenId>,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    match people.accounts.revoke_token(id, token, Operator::Administrator(&who), None).await {
        // The token was already revoked, for example on another page.
        Ok(_) | Err(AccountError::NoSuchToken) => Ok(done(&context, id, fragment, "The token is revoked.")),
        Err(error) => Err(error.into()),
    }
}

/// The page of one person or service.
#[derive(Template)]
#[template(path = "people/person.html")]
pub(super) struct PersonPage {
    context: PageContext,
    account: Account,
    profile: ProfileFields,
    errors: ProfileErrors,
    /// The fields that another person changed while this one typed.
    conflict: Vec<ConflictField>,
    refusal: Option<Refusal>,
    new_link: Option<NewLink>,
    sessions: Vec<SessionRow>,
    tokens: Vec<TokenRow>,
    /// The path of the page with older tokens.
    more_tokens: Option<String>,
    new_token: Option<NewToken>,
    /// The typed fields of a new token.
    token: TokenFields,
    token_error: Option<String>,
    history: Vec<HistoryRow>,
    /// The path of the page with older history.
    older: Option<String>,
    /// The agents who can get the leads of a deleted account.
    agents: Vec<AgentChoice>,
    /// A deletion that was interrupted.
    pending: Option<PendingRow>,
    /// Whether it is the administrator's own account.
    is_self: bool,
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
            _ => "A link for a new password",
        };
        Some((what, link.expires_at.into()))
    }

    /// The roles to choose from.
    fn roles(&self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().rev()
    }

    /// The roles that a token of a service may have.
    fn token_roles(&self) -> impl Iterator<Item = Role> {
        let own = self.account.role;
        Role::ALL.into_iter().filter(move |role| *role <= own).rev()
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
struct ProfileFields {
    name: String,
    /// The address; not shown for a service.
    email: String,
    role: String,
}

impl ProfileFields {
    fn of(account: &Account) -> Self {
        let (name, email) = (account.name.to_string(), account.email.to_string());
        Self { name, email, role: account.role.to_string() }
    }

    fn of_form(form: &RawForm) -> Self {
        Self { name: form.text("name"), email: form.text("email"), role: form.text("role") }
    }

    /// Parses the fields, or returns the errors of all. The form of a service has no address.
    fn changes(&self) -> Result<AccountChanges, Box<ProfileErrors>> {
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
    fn differences(&self, now: &Self) -> Vec<ConflictField> {
        let fields = [
            ("Name", &now.name, &self.name),
            ("Email", &now.email, &self.email),
            ("Role", &now.role, &self.role),
        ];
        let differing = fields.into_iter().filter(|(_, now, yours)| now != yours && !yours.is_empty());
        let field = |(label, now, yours): (_, &String, &String)| ConflictField {
            label,
            now: now.clone(),
            yours: yours.clone(),
        };
        differing.map(field).collect()
    }
}

/// The errors of the fields of a person.
#[derive(Debug, Default)]
struct ProfileErrors {
    name: Option<String>,
    email: Option<String>,
    role: Option<String>,
}

/// A field with its current value and the typed one.
#[derive(Debug, PartialEq, Eq)]
struct ConflictField {
    label: &'static str,
    now: String,
    yours: String,
}

/// A session in the list.
struct SessionRow {
    id: String,
    device: String,
    address: Option<String>,
    created: DisplayTime,
    last_seen: DisplayTime,
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

/// A token in the list.
struct TokenRow {
    id: String,
    name: String,
    role: Role,
    prefix: Option<String>,
    created: DisplayTime,
    expires: Option<DisplayTime>,
    last_used: Option<DisplayTime>,
}

impl From<Token> for TokenRow {
    fn from(token: Token) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name.to_string(),
            role: token.role,
            prefix: token.prefix,
            created: token.created_at.into(),
            expires: token.expires_at.map(Into::into),
            last_used: token.last_used_at.map(Into::into),
        }
    }
}

/// An entry of the history.
struct HistoryRow {
    version: u64,
    detail: String,
    by: String,
    at: DisplayTime,
}

impl From<HistoryEntry> for HistoryRow {
    fn from(entry: HistoryEntry) -> Self {
        let (version, by) = (entry.version.get(), entry.by.to_string());
        Self { version, by, detail: entry.detail, at: entry.at.into() }
    }
}

/// A deletion that was interrupted.
struct PendingRow {
    by: String,
    at: DisplayTime,
}

impl From<PendingDeletion> for PendingRow {
    fn from(pending: PendingDeletion) -> Self {
        Self { by: pending.by.to_string(), at: pending.at.into() }
    }
}

/// The page of a deleted account: its history.
#[derive(Template)]
#[template(path = "people/gone.html")]
struct GonePage {
    context: PageContext,
    id: String,
    history: Vec<HistoryRow>,
    older: Option<String>,
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
