//! The JSON API of accounts, for administrators.
//!
//! Invariants: every change names the version that it is based on. Only the answer that creates a link contains its
//! secret; repeating the request with the same `Idempotency-Key` answers with the account and without the secret.

use http::header;
use http::request::Parts;
use serde_json::json;

use crate::accounts::administer::{AccountChanges, AccountDraft, WithLink};
use crate::accounts::agents::AccountReference;
use crate::accounts::change::Operator;
use crate::accounts::domain::{Account, AccountKind, AccountStatus, Secret};
use crate::accounts::view::AccountView;
use crate::accounts::{Filter, HistoryEntry, link_path};
use crate::base::fields::{Fields, FromFields, boolean, text};
use crate::base::identity::AccountId;
use crate::base::values::{Invalid, Version};
use crate::leads::KeptLead;
use crate::people::People;
use crate::people::delete::{DeletionProgress, LeadsChoice, Remaining};
use crate::shared::api::*;
use crate::shared::search::SearchQuery;
use crate::store::idempotency::Done;
use crate::web::change::{ChangeBody, parameters};

/// Returns the routes of the API.
pub(super) fn routes() -> Routes<People> {
    Routes::default()
        .post("/api/accounts", Access::Administrator, create)
        .post("/api/accounts/{id}/link", Access::Administrator, renew_link)
        .with_secrets()
        .get("/api/accounts", Access::Administrator, list)
        .get("/api/accounts/{id}", Access::Administrator, read)
        .patch("/api/accounts/{id}", Access::Administrator, change)
        .delete("/api/accounts/{id}", Access::Administrator, delete)
        .delete("/api/accounts/{id}/link", Access::Administrator, withdraw_link)
        .post("/api/accounts/{id}/sessions/end", Access::Administrator, end_sessions)
        .get("/api/accounts/{id}/history", Access::Administrator, history)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    q: Option<String>,
    role: Option<String>,
    state: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(people): State<People>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<AccountView>>, Problem> {
    let query = parameter("q", parameters.q, SearchQuery::parse)?.flatten();
    let filter = Filter {
        role: parameter("role", parameters.role, str::parse)?,
        status: parameter("state", parameters.state, str::parse)?,
    };
    let cursor = parameters.cursor.filter(|text| !text.is_empty());
    let limit = limit(parameters.limit)?;
    let Listed { items, next } =
        people.accounts.list(query.as_ref(), filter, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: items.iter().map(AccountView::from).collect(), next }))
}

/// A new account.
impl FromFields for AccountDraft {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, email) = (fields.required("name", text), fields.optional("email", text));
        let role = fields.required("role", text);
        let kind = fields.optional_not_null("kind", text).unwrap_or(AccountKind::Person);
        Some(Self { name: name?, email, role: role?, kind })
    }
}

/// An account with the path of its new link, which is answered only once.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WithPath {
    #[serde(flatten)]
    account: AccountView,
    link_path: String,
}

impl WithPath {
    fn of(context: &PageContext, account: &Account, secret: &Secret) -> Self {
        Self { account: account.into(), link_path: context.url(&link_path(secret.reveal())) }
    }
}

async fn create(
    State(people): State<People>,
    context: PageContext,
    who: SignedIn,
    request: JsonRequest<AccountDraft>,
) -> Result<Answer, Problem> {
    let replay =
        |(account, _): &(Account, Option<Secret>)| created(&context, account, &AccountView::from(account));
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &replay });
    let operator = Operator::Administrator(&who);
    Ok(match people.accounts.invite(request.body, operator, idempotency.as_ref()).await? {
        Done::Now((account, Some(secret))) => {
            created(&context, &account, &WithPath::of(&context, &account, &secret))
        }
        done => done.answer(replay),
    })
}

fn created(context: &PageContext, account: &Account, body: &impl Serialize) -> Answer {
    let location = context.url(&format!("/api/accounts/{}", account.id));
    answer(StatusCode::CREATED, body, account.version.get(), Some(location))
}

fn account_answer(account: &Account) -> Answer {
    answer(StatusCode::OK, &AccountView::from(account), account.version.get(), None)
}

async fn read(State(people): State<People>, Path(id): Path<AccountId>) -> Result<Answer, Problem> {
    Ok(account_answer(&people.accounts.find(id).await?))
}

/// A partial change: missing fields keep their values.
impl FromFields for AccountChanges {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (name, email) = (fields.optional_not_null("name", text), fields.optional_not_null("email", text));
        let role = fields.optional_not_null("role", text);
        let disabled = match fields.optional_not_null("state", text) {
            Some(AccountStatus::Active) => Some(false),
            Some(AccountStatus::Disabled) => Some(true),
            Some(AccountStatus::Invited) => {
                fields.refuse(
                    "state",
                    "Send active or disabled. An account stays invited until the person joins.",
                );
                None
            }
            None => None,
        };
        Some(Self { name, email, role, disabled })
    }
}

async fn change(
    State(people): State<People>,
    change: Change<AccountId, AccountChanges>,
) -> Result<Answer, Problem> {
    if change.body == AccountChanges::default() {
        let message = "Nothing to change. Send at least one of name, email, role, state.";
        return Err(WebError::Malformed(message.to_owned()).into());
    }
    let (idempotency, operator) = (change.idempotency(&account_answer), Operator::Administrator(&change.who));
    let (id, version, changes) = (change.id, change.version, change.body.clone());
    let done = people.accounts.edit(id, version, changes, operator, idempotency.as_ref()).await?;
    Ok(done.answer(account_answer))
}

/// What a deletion does with the leads: `leads=clear`, or `leadsTo` with an email address or an id.
struct WithLeads {
    choice: LeadsChoice,
    /// Whether leads that cannot be changed keep the deleted owner.
    anyway: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeletionParameters {
    version: Option<String>,
    leads: Option<String>,
    #[serde(rename = "leadsTo")]
    leads_to: Option<String>,
    anyway: Option<String>,
}

impl ChangeBody for WithLeads {
    fn check(_: &Parts) -> Result<(), WebError> {
        Ok(())
    }

    fn read(parts: &Parts, _: &[u8]) -> Result<(Option<Version>, Self), WebError> {
        let DeletionParameters { version, leads, leads_to, anyway } = parameters(parts)?;
        let version = parameter("version", version, str::parse)?;
        let is = |expected: &'static str| {
            move |text: &str| match text == expected {
                true => Ok(()),
                false => Err(Invalid::new(format!("The only value is {expected}."))),
            }
        };
        let clear = parameter("leads", leads, is("clear"))?;
        let leads_to = parameter("leadsTo", leads_to, str::parse::<AccountReference>)?;
        let anyway = parameter("anyway", anyway, is("true"))?.is_some();
        let choice = match (clear, leads_to) {
            (Some(()), None) => LeadsChoice::Clear,
            (None, Some(reference)) => LeadsChoice::GiveTo(reference),
            _ => {
                let message = "Choose what happens to the leads: send leads=clear, or leadsTo with an agent.";
                return Err(WebError::field("leads", &Invalid::new(message)));
            }
        };
        Ok((version, Self { choice, anyway }))
    }
}

async fn delete(
    State(people): State<People>,
    change: Change<AccountId, WithLeads>,
) -> Result<Response, Problem> {
    let deleted = |_: &Account| no_content();
    let idempotency = change.idempotency(&deleted);
    let (id, version, operator) = (change.id, change.version, Operator::Administrator(&change.who));
    let WithLeads { choice, anyway } = &change.body;
    match people.delete(id, version, choice, *anyway, operator, idempotency.as_ref()).await? {
        Done::Now(DeletionProgress::Done(_)) => Ok(no_content().into_response()),
        Done::Now(DeletionProgress::Remaining(step)) => Ok(remaining(&step)),
        Done::Replayed(answer) => Ok(answer.into_response()),
    }
}

/// Answers that the deletion must be continued, by the same request.
fn remaining(step: &Remaining) -> Response {
    let kept = |lead: &KeptLead| json!({ "id": lead.id, "reason": lead.reason });
    let kept: Vec<_> = step.kept.iter().map(kept).collect();
    let body = Json(json!({ "remaining": true, "changed": step.changed, "kept": kept }));
    (StatusCode::ACCEPTED, [(header::RETRY_AFTER, "1")], body).into_response()
}

async fn renew_link(
    State(people): State<People>,
    context: PageContext,
    change: Change<AccountId, EmptyBody>,
) -> Result<Answer, Problem> {
    let replay = |made: &WithLink| account_answer(&made.account);
    let (idempotency, operator) = (change.idempotency(&replay), Operator::Administrator(&change.who));
    let done = people.accounts.renew_link(change.id, change.version, operator, idempotency.as_ref()).await?;
    Ok(match done {
        Done::Now(made) => {
            let body = WithPath::of(&context, &made.account, &made.secret);
            answer(StatusCode::OK, &body, made.account.version.get(), None)
        }
        // The secret is shown once.
        Done::Replayed(answer) => answer,
    })
}

async fn withdraw_link(
    State(people): State<People>,
    change: Change<AccountId, Deletion>,
) -> Result<Answer, Problem> {
    let (idempotency, operator) = (change.idempotency(&account_answer), Operator::Administrator(&change.who));
    let (id, version) = (change.id, change.version);
    let done = people.accounts.withdraw_link(id, version, operator, idempotency.as_ref()).await?;
    Ok(done.answer(account_answer))
}

/// Which sessions end.
struct EndBody {
    /// Whether the tokens are revoked too.
    revoke_tokens: bool,
}

impl FromFields for EndBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { revoke_tokens: fields.optional_not_null("revokeTokens", boolean).unwrap_or_default() })
    }
}

async fn end_sessions(
    State(people): State<People>,
    change: Change<AccountId, EndBody>,
) -> Result<Answer, Problem> {
    let (with_tokens, operator) = (change.body.revoke_tokens, Operator::Administrator(&change.who));
    let idempotency = change.idempotency(&account_answer);
    let (id, version) = (change.id, change.version);
    let done = people.accounts.end_sessions(id, version, with_tokens, operator, idempotency.as_ref()).await?;
    Ok(done.answer(account_answer))
}

async fn history(
    State(people): State<People>,
    Path(id): Path<AccountId>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<HistoryEntry>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    let page = people.accounts.history(id, limit, cursor.as_deref()).await?;
    if page.items.is_empty() && cursor.is_none() {
        // The history of a deleted account stays. Without any, there must be the account.
        people.accounts.find(id).await?;
    }
    Ok(Json(page))
}
