//! The page of the audit log.

use super::api::address;
use crate::audit::Audit;
use crate::audit::filter::AuditFilter;
use crate::audit::read::{AuditPage, MOST};
use crate::shared::audit_log::{AuditEntry, AuditKind};
use crate::shared::numbers::counted;
use crate::shared::pages::*;

const PATH: &str = "/audit";

pub(super) fn routes() -> Routes<Audit> {
    Routes::default().get(PATH, Access::Administrator, show)
}

async fn show(
    State(audit): State<Audit>,
    context: PageContext,
    Query(query): Query<AuditQuery>,
) -> PageAnswer {
    let filter = AuditFilter::read(query.person, query.kind, query.from, query.to)?;
    let cursor = query.cursor.filter(|text| !text.is_empty());
    let page = audit.list(&filter, MOST, cursor.as_deref()).await?;
    html(StatusCode::OK, &AuditListPage::new(context, &filter, cursor.is_some(), page))
}

#[derive(Debug, Deserialize)]
struct AuditQuery {
    person: Option<String>,
    kind: Option<String>,
    from: Option<String>,
    to: Option<String>,
    cursor: Option<String>,
}

/// The page at `GET /audit`.
#[derive(Template)]
#[template(path = "audit/list.html", config = "templates/askama.toml")]
struct AuditListPage {
    context: PageContext,
    person: String,
    kind: Option<AuditKind>,
    from: String,
    to: String,
    /// Whether a filter is set.
    filtered: bool,
    rows: Vec<EntryRow>,
    /// The number of entries, as text.
    count_text: String,
    /// The time down to which a search was made that has not filled its page.
    searched_to: Option<DisplayTime>,
    /// The address of the first page, if this is another one.
    first: Option<String>,
    /// The address of the next page.
    next: Option<String>,
}

impl AuditListPage {
    fn new(context: PageContext, filter: &AuditFilter, is_later: bool, page: AuditPage) -> Self {
        let day = |day: Option<jiff::civil::Date>| day.map(|day| day.to_string()).unwrap_or_default();
        let count_text = match page.entries.len() {
            0 if page.next.is_some() => "None found so far.".to_owned(),
            0 if !filter.is_empty() => "No matching entries.".to_owned(),
            0 if is_later => "No more entries.".to_owned(),
            0 => "No entries yet.".to_owned(),
            count => format!("{} shown", counted(count, "entry", "entries")),
        };
        Self {
            context,
            person: filter.person.as_ref().map(|person| person.typed().to_owned()).unwrap_or_default(),
            kind: filter.kind,
            from: day(filter.from),
            to: day(filter.to),
            filtered: !filter.is_empty(),
            rows: page.entries.into_iter().map(EntryRow::of).collect(),
            count_text,
            searched_to: page.searched_to.map(DisplayTime::from),
            first: is_later.then(|| address(PATH, filter, None)),
            next: page.next.map(|cursor| address(PATH, filter, Some(&cursor))),
        }
    }

    fn is_chosen(&self, kind: &AuditKind) -> bool {
        self.kind == Some(*kind)
    }
}

/// An entry on the page.
struct EntryRow {
    at: DisplayTime,
    kind: AuditKind,
    by: String,
    /// The account, for the link to its entries.
    account: Option<String>,
    subject: String,
    path: Option<String>,
    detail: String,
    address: String,
}

impl EntryRow {
    fn of(entry: AuditEntry) -> Self {
        Self {
            at: entry.at.into(),
            kind: entry.kind,
            by: entry.by.to_string(),
            account: entry.account.map(|account| account.to_string()),
            subject: entry.subject,
            path: entry.path,
            detail: entry.detail,
            address: entry.address.map(|address| address.to_string()).unwrap_or_default(),
        }
    }

    /// Returns the name of the style of its kind.
    fn tone(&self) -> &'static str {
        match self.kind {
            AuditKind::SignInFailed => "bad",
            AuditKind::Deletion | AuditKind::AccountDeleted => "warn",
            _ => "",
        }
    }
}
