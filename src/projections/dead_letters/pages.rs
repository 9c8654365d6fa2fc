//! The page of dead letters. Its forms work without JavaScript.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::DeadLetterError;
use super::domain::{DeadLetter, DeadLetterId, DeadLetterStatus};
use super::store::DeadLetterPage;
use crate::base::identity::SignedIn;
use crate::inventory::domain::Note;
use crate::projections::Projections;
use crate::shared::pairs::Pairs;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::lists::parameter;
use crate::web::pages::{DisplayTime, PageContext};
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

#[derive(Debug, Default, Deserialize)]
struct ListQuery {
    status: Option<String>,
    cursor: Option<String>,
}

/// The result of a form, shown next to its dead letter.
#[derive(Debug, Clone)]
struct Notice {
    /// The dead letter.
    id: DeadLetterId,
    /// Why it failed.
    words: String,
    /// The note as typed.
    typed: String,
}

/// A dead letter in the list.
#[derive(Debug, Clone)]
struct Row {
    id: String,
    name: String,
    reason: String,
    words: String,
    changed: Option<DisplayTime>,
    created: DisplayTime,
    updated: DisplayTime,
    status: DeadLetterStatus,
    version: u64,
    by: Option<String>,
    note: Option<String>,
}

impl Row {
    fn of(letter: DeadLetter) -> Self {
        let name = letter
            .key
            .map_or_else(|| "A record without a key".to_owned(), |key| format!("{} {}", key.pk, key.sk));
        Self {
            id: letter.id.to_string(),
            name,
            reason: letter.reason.name,
            words: letter.reason.words,
            changed: letter.changed_at.map(Into::into),
            created: letter.created_at.into(),
            updated: letter.updated_at.into(),
            status: letter.status,
            version: letter.version.get(),
            by: letter.by.map(|by| by.to_string()),
            note: letter.note.map(|note| note.to_string()),
        }
    }

    fn is_open(&self) -> bool {
        self.status == DeadLetterStatus::Open
    }
}

/// `GET /automation/dead-letters`
#[derive(Template)]
#[template(path = "automation/dead_letters.html")]
struct DeadLettersPage {
    context: PageContext,
    status: DeadLetterStatus,
    rows: Vec<Row>,
    next: Option<String>,
    notice: Option<Notice>,
}

impl DeadLettersPage {
    /// The number of dead letters on a page.
    const LIMIT: u16 = 50;

    fn new(
        context: PageContext,
        status: DeadLetterStatus,
        page: DeadLetterPage,
        notice: Option<Notice>,
    ) -> Self {
        let address = |cursor: String| {
            let pairs = [("status", status.as_str()), ("cursor", &cursor)];
            Some(format!("/automation/dead-letters?{}", serde_urlencoded::to_string(pairs).ok()?))
        };
        let rows = page.letters.into_iter().map(Row::of).collect();
        Self { context, status, rows, next: page.next.and_then(address), notice }
    }

    /// Returns the tabs, each with its name, address and whether it is selected.
    fn tabs(&self) -> [(&'static str, String, bool); 3] {
        DeadLetterStatus::ALL.map(|status| {
            let address = format!("/automation/dead-letters?status={status}");
            (status.label(), address, status == self.status)
        })
    }

    /// Returns the result of a form for this dead letter.
    fn notice_of(&self, row: &Row) -> Option<&Notice> {
        self.notice.as_ref().filter(|notice| notice.id.to_string() == row.id)
    }

    /// Returns the result of a form for a dead letter that is not on the page.
    fn other_notice(&self) -> Option<&Notice> {
        self.notice.as_ref().filter(|notice| self.rows.iter().all(|row| row.id != notice.id.to_string()))
    }

    fn is_of_open(&self) -> bool {
        self.status == DeadLetterStatus::Open
    }
}
