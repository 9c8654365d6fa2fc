//! The pages of leads.
//!
//! Invariants: one address serves the page, or only a part of it if htmx asks. Every form works without JavaScript.
//! After a conflict, the page shows the current lead next to the typed values, and its form posts to the same address.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use futures_util::future::try_join;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;

use super::domain::{Lead, LeadChange, LeadId, Reason};
use super::error::{Conflict, LeadError};
use super::forms::{self, Edit, ListQuery, Messages, RawForm, Texts};
use super::merge::merge;
use super::views::{
    ConflictPage, ConflictRow, ConflictView, DetailPage, EditPage, EditRow, EntryView, Field, LeadForm,
    LeadRow, LeadView, ListPage, NewPage, Refusal, WelcomePage,
};
use crate::base::identity::SignedIn;
use crate::leads::Leads;
use crate::store::idempotency::{Done, Idempotency};
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::{Form, WantsFragment};
use crate::web::respond::{Tone, answer, html, no_content, see_other, with_toast, with_toast_there};
use crate::web::routes::Routes;

/// Returns the routes of the pages.
pub fn routes() -> Routes<Leads> {
    Routes::default()
        .get("/leads", Access::Agent, list)
        .post("/leads", Access::Agent, create)
        .get("/leads/new", Access::Agent, new)
        .get("/leads/{id}", Access::Agent, show)
        .post("/leads/{id}", Access::Agent, save)
        .get("/leads/{id}/edit", Access::Agent, edit)
        .post("/leads/{id}/delete", Access::Agent, delete)
        .post("/leads/{id}/restock", Access::Agent, restock)
        .post("/leads/{id}/reopen", Access::Administrator, reopen)
}

type Answer = Result<Response, Problem>;

/// The number of entries on one page of a history.
const HISTORY_LIMIT: u16 = 20;

/// The part of a page that an answer contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The lead's row in the list.
    Row,
    /// The lead's section on its own page.
    Section,
    /// The whole page.
    Page,
}

/// Where an answer is shown: the page context and the part of the page.
#[derive(Debug)]
struct RenderTarget {
    context: PageContext,
    part: Part,
}

impl<S: Sync> FromRequestParts<S> for RenderTarget {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let part = match Form::of(&parts.uri, &parts.headers) {
            Form::Fragment if query.split('&').any(|pair| pair == "view=row") => Part::Row,
            Form::Fragment => Part::Section,
            Form::Page | Form::Json => Part::Page,
        };
        Ok(Self { context: PageContext::of(parts), part })
    }
}

impl RenderTarget {
    /// Renders the form of a lead's fields.
    fn form(self, status: StatusCode, form: LeadForm) -> Answer {
        let context = self.context;
        match self.part {
            Part::Row => html(status, &EditRow { context, form }),
            Part::Section => html(status, &EditPage { context, form }.as_form()),
            Part::Page => html(status, &EditPage { context, form }),
        }
    }

    /// Renders a conflict.
    fn conflict(self, status: StatusCode, conflict: ConflictView) -> Answer {
        let context = self.context;
        match self.part {
            Part::Row => html(status, &ConflictRow { context, conflict }),
            Part::Section => html(status, &ConflictPage { context, conflict }.as_panel()),
            Part::Page => html(status, &ConflictPage { context, conflict }),
        }
    }

    /// Renders the current lead after a form: its row, its section, or its page.
    async fn lead(self, leads: &Leads, lead: Lead) -> Answer {
        match self.part {
            Part::Row => {
                html(StatusCode::OK, &LeadRow { context: self.context, lead: LeadView::focused(lead) })
            }
            Part::Section => {
                let history = leads.history(lead.id, HISTORY_LIMIT, None).await?;
                let page = DetailPage::new(self.context, LeadView::focused(lead), history).for_fragment();
                html(StatusCode::OK, &page.as_lead())
            }
            Part::Page => Ok(see_other(&self.context, &format!("/leads/{}", lead.id), false)),
        }
    }

    /// Redirects to another page, which shows a toast.
    fn to(&self, path: &str, toast: &'static str) -> Response {
        let response = see_other(&self.context, path, self.part != Part::Page);
        with_toast_there(response, Tone::Success, toast)
    }

    fn in_row(&self) -> bool {
        self.part == Part::Row
    }
}

async fn list(
    State(leads): State<Leads>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Query(query): Query<ListQuery>,
) -> Answer {
    let request = query.request()?;
    let page = ListPage::new(context, &request, leads.list(&request).await?);
    if fragment {
        html(StatusCode::OK, &page.as_rows())
    } else if page.is_welcome() {
        html(StatusCode::OK, &WelcomePage { context: page.context })
    } else {
        html(StatusCode::OK, &page)
    }
}

async fn new(State(leads): State<Leads>, context: PageContext) -> Answer {
    html(StatusCode::OK, &NewPage { context, form: LeadForm::empty(), key: leads.rng.uuid() })
}

async fn create(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let typed = form.typed();
    let created = |lead: &Lead| {
        answer(StatusCode::CREATED, lead, lead.version.get(), Some(format!("/leads/{}", lead.id)))
    };
    let idempotency = form.once_by_key("/leads", &who, leads.clock.now());
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &created });
    let errors = match forms::new_lead(&typed) {
        Err(errors) => *errors,
        Ok(new) => match leads.create(new, &who.actor(), idempotency.as_ref()).await {
            Ok(Done::Now(lead)) => {
                return Ok(target.to(&format!("/leads/{}", lead.id), "The lead was created."));
            }
            Ok(Done::Replayed(answer)) => {
                let location = answer.location.as_deref().unwrap_or("/leads");
                return Ok(target.to(location, "The lead was created."));
            }
            Err(LeadError::RuleViolation(rule)) => forms::rule_message(rule),
            Err(error) => return Err(error.into()),
        },
    };
    let page =
        NewPage { context: target.context, form: LeadForm::for_new(typed, errors), key: leads.rng.uuid() };
    html(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// The query parameters of a lead's page.
#[derive(Debug, Deserialize)]
struct ShowQuery {
    history: Option<String>,
}

async fn show(
    State(leads): State<Leads>,
    target: RenderTarget,
    Path(id): Path<LeadId>,
    Query(query): Query<ShowQuery>,
) -> Answer {
    if target.in_row() {
        return target.lead(&leads, leads.find(id).await?).await;
    }
    let history = leads.history(id, HISTORY_LIMIT, query.history.as_deref());
    let (lead, history) = try_join(leads.find(id), history).await?;
    if target.part == Part::Page {
        return html(StatusCode::OK, &DetailPage::new(target.context, LeadView::of(lead), history));
    }
    let page = DetailPage::new(target.context, LeadView::focused(lead), history).for_fragment();
    match query.history {
        Some(_) => html(StatusCode::OK, &page.as_entries()),
        None => html(StatusCode::OK, &page.as_lead()),
    }
}

async fn edit(State(leads): State<Leads>, target: RenderTarget, Path(id): Path<LeadId>) -> Answer {
    let lead = leads.find(id).await?;
    target.form(StatusCode::OK, LeadForm::for_lead(&lead))
}

async fn save(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let edit = Edit::of(&form)?;
    let change = match edit.change() {
        Ok(change) => change,
        Err(errors) => return rejected_edit(target, id, edit, *errors),
    };
    if !edit.undecided.is_empty() {
        return missing_choice(&leads, target, id, &edit, &change).await;
    }
    if change.is_empty() {
        let answer = target.lead(&leads, leads.find(id).await?).await?;
        return Ok(with_toast(answer, Tone::Info, "Nothing was changed."));
    }
    let idempotency = idempotent(&leads, &who, &form, &format!("/leads/{id}"));
    match leads.update(id, edit.version, &change, &who.actor(), Some(&idempotency)).await {
        Ok(Done::Now(lead)) => Ok(with_toast(target.lead(&leads, lead).await?, Tone::Success, "Saved.")),
        Ok(Done::Replayed(_)) => {
            let answer = target.lead(&leads, leads.find(id).await?).await?;
            Ok(with_toast(answer, Tone::Info, "This was saved before. The lead is shown as it is now."))
        }
        Err(LeadError::Conflict(conflict)) => conflict_answer(target, *conflict, &edit, &change),
        Err(LeadError::RuleViolation(rule)) => rejected_edit(target, id, edit, forms::rule_message(rule)),
        Err(LeadError::NotFound(_)) => deleted_lead(&leads, target, id, &edit, &change).await,
        Err(error) => Err(error.into()),
    }
}

/// Renders the form again, with an error message at each invalid field.
fn rejected_edit(target: RenderTarget, id: LeadId, edit: Edit, errors: Messages) -> Answer {
    target.form(StatusCode::UNPROCESSABLE_ENTITY, LeadForm::for_edit(id, edit, errors))
}

/// Renders a conflict: both edits, field by field, and one click to continue.
fn conflict_answer(target: RenderTarget, conflict: Conflict, edit: &Edit, change: &LeadChange) -> Answer {
    let now = Texts::of(&conflict.fresh);
    let merged = merge(&edit.base, &now, &edit.with_change(change), &edit.undecided);
    let view = ConflictView::of(conflict, merged, target.in_row());
    target.conflict(StatusCode::CONFLICT, view)
}

/// Renders a conflict again because a field that both people changed still needs a choice.
async fn missing_choice(
    leads: &Leads,
    target: RenderTarget,
    id: LeadId,
    edit: &Edit,
    change: &LeadChange,
) -> Answer {
    let fresh = match leads.find(id).await {
        Err(LeadError::NotFound(_)) => return deleted_lead(leads, target, id, edit, change).await,
        fresh => fresh?,
    };
    let merged = merge(&edit.base, &Texts::of(&fresh), &edit.with_change(change), &edit.undecided);
    let view = ConflictView::of(Conflict { fresh, since: Vec::new() }, merged, target.in_row());
    let view = view.with_error("Choose theirs or mine for every field that you both changed.");
    target.conflict(StatusCode::UNPROCESSABLE_ENTITY, view)
}

/// Renders the typed values of a lead that another person deleted, and a form that creates it again.
async fn deleted_lead(
    leads: &Leads,
    target: RenderTarget,
    id: LeadId,
    edit: &Edit,
    change: &LeadChange,
) -> Answer {
    let last = match leads.history(id, 1, None).await {
        Err(LeadError::NotFound(_)) => None,
        history => history?.entries.into_iter().next(),
    };
    let merged = merge(&edit.base, &edit.base, &edit.with_change(change), &[]);
    let view = ConflictView::gone(id, edit, last, merged, target.in_row());
    let mut answer = target.conflict(StatusCode::NOT_FOUND, view)?;
    // The page's script swaps in a 404 answer only if it has this header.
    answer.headers_mut().insert("hx-reswap", HeaderValue::from_static("outerHTML"));
    Ok(answer)
}

async fn delete(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let version = form.version()?;
    let request = form.once(&format!("/leads/{id}/delete"), &who, leads.clock.now());
    let idempotency = Idempotency { request, answer: &|()| no_content() };
    let actor = who.actor();
    let delete = leads.delete(id, version, &actor, Some(&idempotency));
    match Idempotency::run(Some(&idempotency), &leads.dynamo, delete).await {
        Ok(_) => Ok(target.to("/leads", "The lead was deleted. Its history is kept.")),
        Err(LeadError::Conflict(conflict)) => {
            let changes = conflict.since.into_iter().map(EntryView::of).collect();
            let what = "It was not deleted.";
            let refusal = Refusal { what, changes, delete_anyway: true, ..Refusal::default() };
            rejected_form(&leads, target, StatusCode::CONFLICT, conflict.fresh, refusal).await
        }
        Err(LeadError::RuleViolation(rule)) => {
            let refusal = Refusal { delete_error: Some(rule.words().to_owned()), ..Refusal::default() };
            let lead = leads.find(id).await?;
            rejected_form(&leads, target, StatusCode::UNPROCESSABLE_ENTITY, lead, refusal).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn reopen(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let version = form.version()?;
    let typed = form.get("reason").unwrap_or_default();
    let reopen_refusal = |error: Option<String>| {
        let field = Field { value: typed.to_owned(), base: String::new(), error };
        Refusal { reopen: Some(field), ..Refusal::default() }
    };
    let reason: Reason = match typed.parse() {
        Ok(reason) => reason,
        Err(invalid) => {
            let (lead, refusal) = (leads.find(id).await?, reopen_refusal(Some(invalid.to_string())));
            return rejected_form(&leads, target, StatusCode::UNPROCESSABLE_ENTITY, lead, refusal).await;
        }
    };
    let idempotency = idempotent(&leads, &who, &form, &format!("/leads/{id}/reopen"));
    match leads.reopen(id, version, reason, &who.actor(), Some(&idempotency)).await {
        Ok(_) => Ok(target.to(&format!("/leads/{id}"), "The lead is open again.")),
        Err(LeadError::Conflict(conflict)) => {
            let changes = conflict.since.into_iter().map(EntryView::of).collect();
            let error = Some("Look at the lead as it is now, and reopen it again.".to_owned());
            let what = "It was not reopened.";
            let refusal = Refusal { what, changes, ..reopen_refusal(error) };
            rejected_form(&leads, target, StatusCode::CONFLICT, conflict.fresh, refusal).await
        }
        Err(LeadError::RuleViolation(rule)) => {
            let (lead, refusal) = (leads.find(id).await?, reopen_refusal(Some(rule.words().to_owned())));
            rejected_form(&leads, target, StatusCode::UNPROCESSABLE_ENTITY, lead, refusal).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn restock(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let idempotency = idempotent(&leads, &who, &form, &format!("/leads/{id}/restock"));
    match leads.restock(id, form.version()?, &who.actor(), Some(&idempotency)).await {
        Ok(_) => Ok(target.to(&format!("/leads/{id}"), "The lead is back in stock.")),
        Err(LeadError::Conflict(conflict)) => {
            let changes = conflict.since.into_iter().map(EntryView::of).collect();
            let refusal = Refusal { what: "It was not put back in stock.", changes, ..Refusal::default() };
            rejected_form(&leads, target, StatusCode::CONFLICT, conflict.fresh, refusal).await
        }
        Err(LeadError::RuleViolation(rule)) => {
            let refusal = Refusal { restock_error: Some(rule.words().to_owned()), ..Refusal::default() };
            let lead = leads.find(id).await?;
            rejected_form(&leads, target, StatusCode::UNPROCESSABLE_ENTITY, lead, refusal).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Renders the current lead with the reason why a form was rejected.
async fn rejected_form(
    leads: &Leads,
    target: RenderTarget,
    status: StatusCode,
    lead: Lead,
    refusal: Refusal,
) -> Answer {
    let history = leads.history(lead.id, HISTORY_LIMIT, None).await?;
    let fragment = target.part != Part::Page;
    let page = DetailPage::new(target.context, LeadView::of(lead), history).refused(refusal);
    if fragment { html(status, &page.for_fragment().as_lead()) } else { html(status, &page) }
}

/// Returns a form that changes a lead as an idempotent request. Its stored answer has no body, because a repeated
/// request shows the current lead.
fn idempotent(leads: &Leads, who: &SignedIn, form: &RawForm, path: &str) -> Idempotency<'static, Lead> {
    Idempotency { request: form.once(path, who, leads.clock.now()), answer: &|_| no_content() }
}
