//! The page of dead letters.

use askama::Template;

use super::domain::{DeadLetter, DeadLetterId, DeadLetterStatus};
use super::store::DeadLetterPage;
use crate::web::pages::{DisplayTime, PageContext};

/// The result of a form, shown next to its dead letter.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    /// The dead letter.
    pub(super) id: DeadLetterId,
    /// Why it failed.
    pub(super) words: String,
    /// The note as typed.
    pub(super) typed: String,
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
pub(super) struct DeadLettersPage {
    context: PageContext,
    status: DeadLetterStatus,
    rows: Vec<Row>,
    next: Option<String>,
    notice: Option<Notice>,
}

impl DeadLettersPage {
    /// The number of dead letters on a page.
    pub(super) const LIMIT: u16 = 50;

    pub(super) fn new(
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
