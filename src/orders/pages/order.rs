//! One order: shown, fulfilled, deleted, and a lead of it released.

use axum::extract::State;
use futures_util::future::try_join;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::{Done, Once};
use crate::error::AppError;
use crate::leads::domain::{Lead, LeadId, Reason};
use crate::leads::store::find as find_lead;
use crate::orders::domain::{Order, OrderRule, Release, ReleaseReason};
use crate::orders::error::OrderError;
use crate::orders::forms::Pairs;
use crate::orders::store::{self, OrderDetail, OrderEntry, OrderLeads, Released};
use crate::orders::views::{DeletedPage, EntryView, OrderPage, Refusal, ReleaseForm, ReleasePage};
use crate::values::{OrderId, Version};
use crate::web::access::{Access, Routes};
use crate::web::extract::{FormData, InPath, InQuery, WebError};
use crate::web::pages::Shell;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, no_content, see_other, with_toast_there};

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/orders/{id}", Access::Agent, show)
        .post("/orders/{id}/fulfill", Access::Agent, fulfill)
        .post("/orders/{id}/delete", Access::Agent, delete)
        .get("/orders/{id}/release", Access::Agent, release_form)
        .post("/orders/{id}/release", Access::Agent, release)
}

/// Entries of a history that a page shows.
const HISTORY_LIMIT: u16 = 50;

#[derive(Debug, Deserialize)]
struct ShowQuery {
    leads: Option<String>,
}

async fn show(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    InPath(id): InPath<OrderId>,
    InQuery(query): InQuery<ShowQuery>,
) -> Answer {
    let cursor = query.leads.as_deref().filter(|cursor| !cursor.is_empty());
    match page(&app, shell.clone(), id, cursor).await {
        Ok(page) if fragment && cursor.is_some() => html(StatusCode::OK, &page.as_leads()),
        Ok(page) => html(StatusCode::OK, &page),
        Err(OrderError::NotFound(_)) => deleted(&app, shell, id).await,
        Err(error) => Err(error.into()),
    }
}

async fn page(app: &App, shell: Shell, id: OrderId, cursor: Option<&str>) -> Result<OrderPage, OrderError> {
    let (detail, history) = try_join(store::find(app, id), entries(app, id)).await?;
    let leads = some_leads(app, &detail, cursor).await?;
    Ok(OrderPage::new(shell, &detail, leads, history))
}

/// The leads that the page shows: those that came with the order, or further ones.
async fn some_leads(app: &App, detail: &OrderDetail, cursor: Option<&str>) -> Result<OrderLeads, OrderError> {
    if cursor.is_none() {
        return Ok(OrderLeads { leads: detail.leads.clone(), next: detail.leads_next.clone() });
    }
    store::leads(app, detail.order.id, OrderPage::LEADS, cursor).await
}

/// The newest entries of an order's history.
async fn entries(app: &App, id: OrderId) -> Result<Vec<OrderEntry>, OrderError> {
    Ok(store::history(app, id, HISTORY_LIMIT, None).await?.entries)
}

/// An order that was deleted still has its history.
async fn deleted(app: &App, shell: Shell, id: OrderId) -> Answer {
    let history = entries(app, id).await?;
    let history = history.into_iter().map(EntryView::of).collect();
    html(StatusCode::NOT_FOUND, &DeletedPage { shell, id, history })
}

async fn fulfill(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    InPath(id): InPath<OrderId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let seen = form.version()?;
    let request = form.once(&format!("/orders/{id}/fulfill"), &who, app.clock.now());
    let once = Once { request, answer: &|_: &OrderDetail| no_content() };
    match store::fulfill(&app, id, Some(seen), &who.actor().into(), Some(&once)).await {
        Ok(_) => {
            let there = see_other(&shell, &format!("/orders/{id}"), fragment);
            Ok(with_toast_there(there, Tone::Success, "The order was fulfilled, with all its leads."))
        }
        Err(error) => {
            let what = "It was not fulfilled.";
            refused(&app, shell, id, seen, error, Refusal { what, fulfil_anyway: true, ..Refusal::default() })
                .await
        }
    }
}

async fn delete(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    InPath(id): InPath<OrderId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let seen = form.version()?;
    let request = form.once(&format!("/orders/{id}/delete"), &who, app.clock.now());
    let once = Once { request, answer: &|_: &Order| no_content() };
    match store::delete(&app, id, Some(seen), &who.actor().into(), Some(&once)).await {
        Ok(_) => {
            let there = see_other(&shell, "/orders", fragment);
            Ok(with_toast_there(there, Tone::Success, "The order was deleted. Its leads are back in stock."))
        }
        Err(error) => {
            let what = "It was not deleted.";
            refused(&app, shell, id, seen, error, Refusal { what, delete_anyway: true, ..Refusal::default() })
                .await
        }
    }
}

/// The order as it is now, with what was not done and why.
async fn refused(
    app: &App,
    shell: Shell,
    id: OrderId,
    seen: Version,
    error: OrderError,
    refusal: Refusal,
) -> Answer {
    match error {
        OrderError::Conflict(detail) => {
            let history = entries(app, id).await?;
            let changes = EntryView::since(history.clone(), seen);
            again(app, shell, StatusCode::CONFLICT, &detail, history, Refusal { changes, ..refusal }).await
        }
        OrderError::RuleViolation(rule) => broken(app, shell, id, rule, refusal.what).await,
        OrderError::NotFound(_) => deleted(app, shell, id).await,
        error => Err(error.into()),
    }
}

async fn broken(app: &App, shell: Shell, id: OrderId, rule: OrderRule, what: &'static str) -> Answer {
    let (detail, history) = try_join(store::find(app, id), entries(app, id)).await?;
    let refusal = Refusal { what, error: Some(rule.words().to_owned()), ..Refusal::default() };
    again(app, shell, StatusCode::UNPROCESSABLE_ENTITY, &detail, history, refusal).await
}

async fn again(
    app: &App,
    shell: Shell,
    status: StatusCode,
    detail: &OrderDetail,
    history: Vec<OrderEntry>,
    refusal: Refusal,
) -> Answer {
    let leads = some_leads(app, detail, None).await?;
    html(status, &OrderPage::new(shell, detail, leads, history).refused(refusal))
}

#[derive(Debug, Deserialize)]
struct ReleaseQuery {
    lead: LeadId,
}

async fn release_form(
    State(app): State<App>,
    shell: Shell,
    InPath(id): InPath<OrderId>,
    InQuery(query): InQuery<ReleaseQuery>,
) -> Answer {
    let (detail, lead) = order_and_lead(&app, id, query.lead).await?;
    html(StatusCode::OK, &ReleasePage::new(shell, &detail, &lead, ReleaseForm::default()))
}

async fn order_and_lead(app: &App, id: OrderId, lead: LeadId) -> Result<(OrderDetail, Lead), AppError> {
    let detail = async { Ok::<_, AppError>(store::find(app, id).await?) };
    let lead = async { Ok::<_, AppError>(find_lead(app, lead).await?) };
    try_join(detail, lead).await
}

/// The reason that was chosen and the words that were typed, or what is wrong with them.
fn release_of(form: &Pairs) -> Result<Release, Box<ReleaseForm>> {
    let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let typed = ReleaseForm { reason: text("reason"), note: text("note"), ..ReleaseForm::default() };
    let wrong =
        |reason_error, note_error| Box::new(ReleaseForm { reason_error, note_error, ..typed.clone() });
    let reason: ReleaseReason = match typed.reason.as_str() {
        "" => return Err(wrong(Some("Choose a reason.".to_owned()), None)),
        reason => reason.parse().map_err(|invalid| wrong(Some(format!("{invalid}")), None))?,
    };
    let note = match typed.note.trim() {
        "" => None,
        note => Some(note.parse::<Reason>().map_err(|invalid| wrong(None, Some(invalid.to_string())))?),
    };
    Release::new(reason, note).map_err(|invalid| wrong(None, Some(invalid.to_string())))
}

async fn release(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    InPath(id): InPath<OrderId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let seen = form.version()?;
    let lead: LeadId =
        form.get("lead").unwrap_or_default().parse().map_err(|invalid| WebError::field("lead", &invalid))?;
    let release = match release_of(&form) {
        Ok(release) => release,
        Err(wrong) => {
            let (detail, lead) = order_and_lead(&app, id, lead).await?;
            let page = ReleasePage::new(shell, &detail, &lead, *wrong);
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let request = form.once(&format!("/orders/{id}/release"), &who, app.clock.now());
    let once = Once { request, answer: &|_: &Released| no_content() };
    match store::release(&app, id, lead, seen, &release, &who.actor().into(), Some(&once)).await {
        Ok(done) => {
            let words = match done {
                Done::Now(Released { replacement: Some(_), .. }) => {
                    "The lead was released, and the next oldest took its place."
                }
                Done::Now(_) => "The lead was released. No other lead could take its place.",
                Done::Before(_) => "The lead was released before. This is the order as it is now.",
            };
            let there = see_other(&shell, &format!("/orders/{id}"), fragment);
            Ok(with_toast_there(there, Tone::Success, words))
        }
        Err(OrderError::Conflict(detail)) if holds(&app, &detail, lead).await? => {
            let changes = EntryView::since(entries(&app, id).await?, seen);
            let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
            let typed =
                ReleaseForm { reason: text("reason"), note: text("note"), changes, ..ReleaseForm::default() };
            let lead = find_lead(&app, lead).await?;
            html(StatusCode::CONFLICT, &ReleasePage::new(shell, &detail, &lead, typed))
        }
        Err(error) => {
            let what = "The lead was not released.";
            refused(&app, shell, id, seen, error, Refusal { what, ..Refusal::default() }).await
        }
    }
}

/// Whether the lead is still out in this order, so that releasing it can go on.
async fn holds(app: &App, detail: &OrderDetail, lead: LeadId) -> Result<bool, AppError> {
    if !crate::orders::views::releases(detail) {
        return Ok(false);
    }
    let among = detail.leads.iter().any(|held| held.id == lead);
    Ok(among || (detail.leads_next.is_some() && find_lead(app, lead).await.is_ok()))
}
