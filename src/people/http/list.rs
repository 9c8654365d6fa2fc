//! The list of people, and the forms that invite a person or add a service.

use http::HeaderMap;

use super::parts::{NewLink, PATH, page_of, tone_of};
use super::person_page::person_page;
use crate::accounts::administer::AccountDraft;
use crate::accounts::change::Operator;
use crate::accounts::domain::{Account, AccountKind, AccountStatus, LinkPurpose, Secret};
use crate::accounts::{AccountError, Filter};
use crate::base::identity::Role;
use crate::people::People;
use crate::shared::forms::{RawForm, checked};
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::shared::search::SearchQuery;
use crate::store::idempotency::{Answer, Done, Idempotency};
use crate::web::lists::{Listed, parameter};
use crate::web::query;
use crate::web::respond::no_content;

pub(super) fn routes() -> Routes<People> {
    // The answer to a new account shows its link.
    Routes::default().post(PATH, Access::Administrator, add).with_secrets().get(
        PATH,
        Access::Administrator,
        show,
    )
}

/// The number of people on a page.
const ROWS: u16 = 50;

async fn show(
    State(people): State<People>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Query(query): Query<ListQuery>,
) -> PageAnswer {
    let page = list_page(&people, context, query).await?;
    if fragment { html(StatusCode::OK, &page.as_rows()) } else { html(StatusCode::OK, &page) }
}

async fn list_page(people: &People, context: PageContext, query: ListQuery) -> Result<ListPage, Problem> {
    let words = parameter("q", query.q, SearchQuery::parse)?.flatten();
    let filter = Filter {
        role: parameter("role", query.role, str::parse)?,
        status: parameter("state", query.state, str::parse)?,
    };
    let cursor = query.cursor.filter(|text| !text.is_empty());
    let page = people.accounts.list(words.as_ref(), filter, ROWS, cursor.as_deref()).await?;
    let toolbar = Toolbar {
        q: words.map(|words| words.typed().to_owned()).unwrap_or_default(),
        role: filter.role.map_or("", |role| role.as_str()),
        state: filter.status.map_or("", |status| status.as_str()),
    };
    Ok(ListPage::new(context, toolbar, page, cursor.is_some(), people.rng.uuid().to_string()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    q: Option<String>,
    role: Option<String>,
    state: Option<String>,
    cursor: Option<String>,
}

/// Invites a person or adds a service.
async fn add(
    State(people): State<People>,
    target: RenderTarget,
    headers: HeaderMap,
    submission: Submission,
) -> PageAnswer {
    let typed = Typed::of(&submission.form);
    let draft = match typed.draft() {
        Ok(draft) => draft,
        Err(errors) => return add_again(&people, target.context, typed, *errors).await,
    };
    let idempotency = submission.request_by_key().map(|request| Idempotency { request, answer: &added });
    let operator = Operator::Administrator(&submission.who);
    match people.accounts.invite(draft, operator, idempotency.as_ref()).await {
        Ok(done) => show_added(&people, target, &headers, &submission.who, done).await,
        Err(AccountError::EmailTaken(_)) => {
            let email = Some("Another account has this email.".to_owned());
            add_again(&people, target.context, typed, AddErrors { email, ..AddErrors::default() }).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the stored answer: the address of the account, without its link. A repeated form does not show the secret
/// again.
fn added((account, _): &(Account, Option<Secret>)) -> Answer {
    Answer { location: Some(page_of(account.id)), ..no_content() }
}

/// Shows the page of a new account, with its link if it has one.
async fn show_added(
    people: &People,
    target: RenderTarget,
    headers: &HeaderMap,
    who: &SignedIn,
    done: Done<(Account, Option<Secret>)>,
) -> PageAnswer {
    match done {
        Done::Now((account, Some(secret))) => {
            let link = NewLink::of(&target.context, headers, &account, &secret);
            let page = person_page(people, target.context, who, account.id, None).await?;
            html(StatusCode::CREATED, &page.with_link(link))
        }
        Done::Now((account, None)) => {
            Ok(target.done(&page_of(account.id), "Service added. Create a token for it."))
        }
        Done::Replayed(answer) => {
            let there = target.redirect(answer.location.as_deref().unwrap_or(PATH));
            let words = "This account was already added. If it got a link, the link was shown then.";
            Ok(with_toast_there(there, Tone::Info, words))
        }
    }
}

/// Shows the form again as it was typed, with its errors.
async fn add_again(people: &People, context: PageContext, typed: Typed, errors: AddErrors) -> PageAnswer {
    let page = list_page(people, context, ListQuery::default()).await?;
    html(StatusCode::UNPROCESSABLE_ENTITY, &ListPage { typed, errors, ..page })
}

/// The typed fields of a new account.
#[derive(Debug, Clone, Default)]
struct Typed {
    name: String,
    email: String,
    role: String,
    is_service: bool,
}

impl Typed {
    fn of(form: &RawForm) -> Self {
        let is_service = form.get("kind") == Some(AccountKind::Service.as_str());
        Self { name: form.text("name"), email: form.text("email"), role: form.text("role"), is_service }
    }

    /// Parses the fields, or returns the errors of all.
    fn draft(&self) -> Result<AccountDraft, Box<AddErrors>> {
        let mut errors = Box::<AddErrors>::default();
        let name = checked(self.name.parse(), &mut errors.name);
        let role = checked(self.role.parse(), &mut errors.role);
        let email = match self.is_service {
            true => Some(None),
            false => checked(self.email.parse().map(Some), &mut errors.email),
        };
        let kind = if self.is_service { AccountKind::Service } else { AccountKind::Person };
        match (name, email, role) {
            (Some(name), Some(email), Some(role)) => Ok(AccountDraft { name, email, role, kind }),
            _ => Err(errors),
        }
    }
}

/// The errors of the fields of a new account.
#[derive(Debug, Default)]
struct AddErrors {
    name: Option<String>,
    email: Option<String>,
    role: Option<String>,
}

impl AddErrors {
    fn any(&self) -> bool {
        self.name.is_some() || self.email.is_some() || self.role.is_some()
    }
}

/// The values of the filter above the list. Empty texts are not set.
#[derive(Debug, Clone, Default)]
struct Toolbar {
    q: String,
    role: &'static str,
    state: &'static str,
}

impl Toolbar {
    fn is_set(&self) -> bool {
        !(self.q.is_empty() && self.role.is_empty() && self.state.is_empty())
    }

    /// Returns the path of the list with this filter, after a cursor if there is one.
    fn address(&self, cursor: Option<&str>) -> String {
        let cursor = cursor.unwrap_or_default();
        let parameters =
            [("q", self.q.as_str()), ("role", self.role), ("state", self.state), ("cursor", cursor)];
        query::address(PATH, parameters)
    }
}

/// A person or service in the list.
struct Row {
    id: String,
    name: String,
    /// The address, or nothing for a service.
    email: String,
    role: Role,
    is_service: bool,
    status: AccountStatus,
    tone: &'static str,
    last_sign_in: Option<DisplayTime>,
    /// The end of an invitation that was not used yet.
    invited_until: Option<DisplayTime>,
}

impl Row {
    fn of(account: Account) -> Self {
        let is_service = account.kind == AccountKind::Service;
        let link = account.link.filter(|link| link.purpose == LinkPurpose::Invitation);
        Self {
            id: account.id.to_string(),
            name: account.name.to_string(),
            email: if is_service { String::new() } else { account.email.to_string() },
            role: account.role,
            is_service,
            status: account.status,
            tone: tone_of(account.status),
            last_sign_in: account.last_sign_in_at.map(Into::into),
            invited_until: link.map(|link| link.expires_at.into()),
        }
    }
}

/// The page at `GET /people`.
#[derive(Template)]
#[template(path = "people/list.html", config = "templates/askama.toml", blocks = ["rows"])]
struct ListPage {
    context: PageContext,
    filter: Toolbar,
    rows: Vec<Row>,
    /// The number of people, as text.
    count_text: String,
    /// The path of the first page, if this is another one.
    first: Option<String>,
    /// The path of the next page.
    next: Option<String>,
    typed: Typed,
    errors: AddErrors,
    /// The key that makes a repeated form one account.
    key: String,
}

impl ListPage {
    fn new(
        context: PageContext,
        filter: Toolbar,
        page: Listed<Account>,
        is_later: bool,
        key: String,
    ) -> Self {
        let count_text = match page.items.len() {
            0 if filter.is_set() => "No matching accounts.".to_owned(),
            0 => "No more accounts.".to_owned(),
            count => format!("{} shown", counted(count, "account", "accounts")),
        };
        Self {
            first: is_later.then(|| filter.address(None)),
            next: page.next.map(|cursor| filter.address(Some(&cursor))),
            rows: page.items.into_iter().map(Row::of).collect(),
            context,
            filter,
            count_text,
            typed: Typed { role: Role::Agent.to_string(), ..Typed::default() },
            errors: AddErrors::default(),
            key,
        }
    }

    /// The roles to choose from, the usual ones first.
    fn roles(&self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(name: &str, email: &str, role: &str, is_service: bool) -> Typed {
        Typed { name: name.to_owned(), email: email.to_owned(), role: role.to_owned(), is_service }
    }

    #[test]
    fn a_person_needs_an_address_and_a_service_none() {
        let errors = typed("", "", "", false).draft().unwrap_err();
        assert!(errors.name.is_some() && errors.email.is_some() && errors.role.is_some());
        let service = typed("Night import", "", "agent", true).draft().unwrap();
        assert_eq!((service.email, service.kind), (None, AccountKind::Service));
    }
}
