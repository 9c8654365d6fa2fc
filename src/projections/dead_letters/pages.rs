//! The page of dead letters. Its forms work without JavaScript.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::DeadLetterError;
use super::domain::{DeadLetterId, DeadLetterStatus};
use super::views::{DeadLettersPage, Notice};
use crate::base::identity::SignedIn;
use crate::inventory::domain::Note;
use crate::orders::forms::Pairs;
use crate::projections::Projections;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::lists::parameter;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::respond::{Tone, html, see_other, with_toast_there};
use crate::web::routes::Routes;

/// The address of the list.
const PATH: &str = "/automation/dead-letters";

/// Returns the routes.
pub fn routes() -> Routes<Projections> {
    Routes::default()
        .get(PATH, Access::Administrator, list)
        .post("/automation/dead-letters/{id}/retry", Access::Administrator, retry_one)
        .post("/automation/dead-letters/{id}/dismiss", Access::Administrator, dismiss)
}

type Answer = Result<Response, Problem>;

#[derive(Debug, Default, Deserialize)]
struct ListQuery {
    status: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(projections): State<Projections>,
    context: PageContext,
    Query(query): Query<ListQuery>,
) -> Answer {
    show(&projections, context, query, StatusCode::OK, None).await
}

/// Shows the list, with the result of a form.
async fn show(
    projections: &Projections,
    context: PageContext,
    query: ListQuery,
    status: StatusCode,
    notice: Option<Notice>,
) -> Answer {
    let listed = parameter("status", query.status, str::parse)?.unwrap_or(DeadLetterStatus::Open);
    let cursor = query.cursor.as_deref().filter(|cursor| !cursor.is_empty());
    let page = projections.list_dead_letters(listed, DeadLettersPage::LIMIT, cursor).await?;
    html(status, &DeadLettersPage::new(context, listed, page, notice))
}

/// Returns the response to a form for one dead letter.
async fn respond(
    projections: &Projections,
    context: PageContext,
    id: DeadLetterId,
    typed: String,
    done: Result<&'static str, DeadLetterError>,
) -> Answer {
    let (status, words) = match done {
        Ok(words) => return Ok(with_toast_there(see_other(&context, PATH, false), Tone::Success, words)),
        Err(DeadLetterError::StillRefused(reason)) => {
            (StatusCode::UNPROCESSABLE_ENTITY, format!("It still cannot be applied. {}", reason.words))
        }
        Err(DeadLetterError::Conflict(fresh)) => {
            let by = fresh.by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
            let words = format!("It was changed{by} in the meantime and is {} now.", fresh.status);
            (StatusCode::CONFLICT, words)
        }
        Err(error) => return Err(error.into()),
    };
    show(projections, context, ListQuery::default(), status, Some(Notice { id, words, typed })).await
}

async fn retry_one(
    State(projections): State<Projections>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<DeadLetterId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let done = projections.retry_dead_letter(id, form.version()?, &who.actor(), None).await;
    respond(&projections, context, id, String::new(), done.map(|_| "The record was applied.")).await
}

async fn dismiss(
    State(projections): State<Projections>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<DeadLetterId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let typed = form.get("note").unwrap_or_default().trim().to_owned();
    let note = Some(&typed).filter(|note| !note.is_empty()).map(|note| note.parse::<Note>()).transpose();
    match note {
        Err(invalid) => {
            let notice = Notice { id, words: invalid.to_string(), typed };
            show(&projections, context, ListQuery::default(), StatusCode::UNPROCESSABLE_ENTITY, Some(notice))
                .await
        }
        Ok(note) => {
            let done = projections.dismiss_dead_letter(id, version, note, &who.actor()).await;
            respond(&projections, context, id, typed, done.map(|_| "The dead letter was dismissed.")).await
        }
    }
}
