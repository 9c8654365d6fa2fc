//! The page of dead letters. Its forms work without JavaScript.

use crate::base::text::isolated;
use crate::projections::Projections;
use crate::projections::dead_letters::DeadLetterError;
use crate::projections::dead_letters::domain::DeadLetter;
use crate::shared::dead_letters::service::DeadLetters as _;
use crate::shared::dead_letters::{DeadLetterId, DeadLetterStatus};
use crate::shared::pages::*;
use crate::shared::values::optional;
use crate::web::lists::{Listed, parameter};
use crate::web::query::address;

/// The address of the list.
const PATH: &str = "/automation/dead-letters";

/// Returns the routes.
pub(super) fn routes() -> Routes<Projections> {
    Routes::default()
        .get(PATH, Access::Administrator, list)
        .post("/automation/dead-letters/{id}/retry", Access::Administrator, retry_one)
        .post("/automation/dead-letters/{id}/dismiss", Access::Administrator, dismiss)
}

async fn list(
    State(projections): State<Projections>,
    context: PageContext,
    Query(query): Query<ListQuery>,
) -> PageAnswer {
    show(&projections, context, query, StatusCode::OK, None).await
}

/// Shows the list, with the result of a form.
async fn show(
    projections: &Projections,
    context: PageContext,
    query: ListQuery,
    status: StatusCode,
    notice: Option<Notice>,
) -> PageAnswer {
    let listed = parameter("status", query.status, str::parse)?.unwrap_or(DeadLetterStatus::Open);
    let cursor = query.cursor.as_deref().filter(|cursor| !cursor.is_empty());
    let page = projections.list_dead_letters(listed, DeadLettersPage::LIMIT, cursor).await?;
    html(status, &DeadLettersPage::new(context, listed, page, notice))
}

/// Shows what a form for one dead letter did, or why it did nothing.
async fn respond(
    projections: &Projections,
    target: RenderTarget,
    id: DeadLetterId,
    typed: String,
    done: Result<&'static str, DeadLetterError>,
) -> PageAnswer {
    let (status, words) = match done {
        Ok(words) => return Ok(target.done(PATH, words)),
        Err(DeadLetterError::StillRefused(reason)) => {
            (StatusCode::UNPROCESSABLE_ENTITY, format!("It still can't be applied. {}", reason.words))
        }
        Err(DeadLetterError::Conflict(fresh)) => {
            let by =
                fresh.by.as_ref().map_or_else(String::new, |by| format!(" by {}", isolated(by.as_str())));
            let words = format!("It changed{by} and is {} now.", fresh.status);
            (StatusCode::CONFLICT, words)
        }
        Err(error) => return Err(error.into()),
    };
    let notice = Some(Notice { id, words, typed });
    show(projections, target.context, ListQuery::default(), status, notice).await
}

async fn retry_one(
    State(projections): State<Projections>,
    target: RenderTarget,
    Path(id): Path<DeadLetterId>,
    submission: Submission,
) -> PageAnswer {
    let (version, by) = (submission.version()?, submission.who.actor());
    let done = projections.retry_dead_letter(id, version, &by, Some(&submission.idempotency())).await;
    respond(&projections, target, id, String::new(), done.map(|_| "Record applied.")).await
}

async fn dismiss(
    State(projections): State<Projections>,
    target: RenderTarget,
    Path(id): Path<DeadLetterId>,
    submission: Submission,
) -> PageAnswer {
    let (version, by) = (submission.version()?, submission.who.actor());
    let typed = submission.form.text("note").trim().to_owned();
    let note = match optional(&typed) {
        Ok(note) => note,
        Err(invalid) => {
            let notice = Some(Notice { id, words: invalid.to_string(), typed });
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return show(&projections, target.context, ListQuery::default(), status, notice).await;
        }
    };
    let idempotency = Some(submission.idempotency());
    let done = projections.dismiss_dead_letter(id, version, note, &by, idempotency.as_ref()).await;
    respond(&projections, target, id, typed, done.map(|_| "Dead letter dismissed.")).await
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
#[template(path = "automation/dead_letters.html", config = "templates/askama.toml")]
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
        page: Listed<DeadLetter>,
        notice: Option<Notice>,
    ) -> Self {
        let more = |cursor: String| address(PATH, [("status", status.as_str()), ("cursor", cursor.as_str())]);
        let rows = page.items.into_iter().map(Row::of).collect();
        Self { context, status, rows, next: page.next.map(more), notice }
    }

    /// Returns the tabs, each with its name, address and whether it is selected.
    fn tabs(&self) -> [(&'static str, String, bool); 3] {
        DeadLetterStatus::ALL.map(|status| {
            (status.label(), address(PATH, [("status", status.as_str())]), status == self.status)
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
