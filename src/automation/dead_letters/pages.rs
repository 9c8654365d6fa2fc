//! The page of dead letters. Its forms work without JavaScript.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::domain::{DeadLetterId, DeadLetterStatus};
use super::views::{DeadLettersPage, Notice};
use super::{DeadLetterError, retry, store};
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::error::AppError;
use crate::inventory::domain::Note;
use crate::orders::forms::Pairs;
use crate::web::access::{Access, Routes};
use crate::web::extract::{FormData, InPath, InQuery};
use crate::web::lists::parameter;
use crate::web::pages::Shell;
use crate::web::respond::{Tone, html, see_other, with_toast_there};

/// The address of the list.
const PATH: &str = "/automation/dead-letters";

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get(PATH, Access::Administrator, list)
        .post("/automation/dead-letters/{id}/retry", Access::Administrator, retry_one)
        .post("/automation/dead-letters/{id}/dismiss", Access::Administrator, dismiss)
}

type Answer = Result<Response, AppError>;

#[derive(Debug, Default, Deserialize)]
struct ListQuery {
    status: Option<String>,
    cursor: Option<String>,
}

async fn list(State(app): State<App>, shell: Shell, InQuery(query): InQuery<ListQuery>) -> Answer {
    show(&app, shell, query, StatusCode::OK, None).await
}

/// The list, with what became of a form.
async fn show(
    app: &App,
    shell: Shell,
    query: ListQuery,
    status: StatusCode,
    notice: Option<Notice>,
) -> Answer {
    let listed = parameter("status", query.status, str::parse)?.unwrap_or(DeadLetterStatus::Open);
    let cursor = query.cursor.as_deref().filter(|cursor| !cursor.is_empty());
    let page = store::list(app, listed, DeadLettersPage::LIMIT, cursor).await?;
    html(status, &DeadLettersPage::new(shell, listed, page, notice))
}

/// The answer to a form that was sent for one dead letter.
async fn answered(
    app: &App,
    shell: Shell,
    id: DeadLetterId,
    typed: String,
    done: Result<&'static str, DeadLetterError>,
) -> Answer {
    let (status, words) = match done {
        Ok(words) => return Ok(with_toast_there(see_other(&shell, PATH, false), Tone::Success, words)),
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
    show(app, shell, ListQuery::default(), status, Some(Notice { id, words, typed })).await
}

async fn retry_one(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    InPath(id): InPath<DeadLetterId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let done = retry::retry(&app, id, form.version()?, &who.actor(), None).await;
    answered(&app, shell, id, String::new(), done.map(|_| "The record was applied.")).await
}

async fn dismiss(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    InPath(id): InPath<DeadLetterId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let typed = form.get("note").unwrap_or_default().trim().to_owned();
    let note = Some(&typed).filter(|note| !note.is_empty()).map(|note| note.parse::<Note>()).transpose();
    match note {
        Err(invalid) => {
            let notice = Notice { id, words: invalid.to_string(), typed };
            show(&app, shell, ListQuery::default(), StatusCode::UNPROCESSABLE_ENTITY, Some(notice)).await
        }
        Ok(note) => {
            let done = retry::dismiss(&app, id, version, note, &who.actor()).await;
            answered(&app, shell, id, typed, done.map(|_| "The dead letter was dismissed.")).await
        }
    }
}
