//! The timeline of a lead as pages show it, and the page that shows only the timeline.

use super::parts::EntryView;
use crate::base::values::Version;
use crate::leads::Leads;
use crate::leads::domain::{LeadId, Note, NoteId};
use crate::leads::timeline::{Timeline, TimelineItem};
use crate::shared::pages::*;
use crate::web::query::address;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().get("/leads/{id}/history", Access::Viewer, history)
}

/// The number of changes and notes on one page of the timeline beside the lead.
pub(super) const BESIDE_LEAD: u16 = 20;
/// The same on the page that shows only the timeline.
const ALONE: u16 = 50;

/// A change or a note, as pages show it.
#[derive(Debug, Clone)]
pub(super) enum ItemView {
    Change(EntryView),
    Note(NoteView),
}

/// A note, as pages show it.
#[derive(Debug, Clone)]
pub(super) struct NoteView {
    pub(super) id: NoteId,
    pub(super) author: String,
    pub(super) text: String,
    pub(super) version: u64,
    pub(super) when: DisplayTime,
    pub(super) edited: bool,
    pub(super) may_edit: bool,
    pub(super) may_delete: bool,
}

impl NoteView {
    fn of(note: Note, who: Option<&SignedIn>) -> Self {
        let is_own = who.is_some_and(|who| who.id == note.author_id);
        Self {
            id: note.id,
            author: note.author.to_string(),
            text: note.text.to_string(),
            edited: note.version > Version::FIRST,
            version: note.version.get(),
            when: note.created_at.into(),
            may_edit: is_own,
            may_delete: is_own || who.is_some_and(SignedIn::is_administrator),
        }
    }
}

/// A page of a timeline, as pages show it.
#[derive(Debug, Clone)]
pub(super) struct TimelineView {
    pub(super) items: Vec<ItemView>,
    /// The address of older items.
    pub(super) older: Option<String>,
    /// Whether the lead can be changed here: it is not in the trash, and the person may change leads.
    pub(super) is_open: bool,
}

impl TimelineView {
    /// Creates the view of a page of a timeline. `path` is the page that shows older items.
    pub(super) fn of(timeline: Timeline, path: &str, is_open: bool, who: Option<&SignedIn>) -> Self {
        let older = timeline.next.map(|cursor| address(path, [("history", cursor)]));
        let view = |item: TimelineItem| match item {
            TimelineItem::Change(entry) => ItemView::Change(EntryView::of(entry)),
            TimelineItem::Note(note) => ItemView::Note(NoteView::of(note, who)),
        };
        Self { items: timeline.items.into_iter().map(view).collect(), older, is_open }
    }
}

/// The query parameters of a page with a timeline.
#[derive(Debug, Deserialize)]
pub(super) struct TimelineQuery {
    /// The cursor of older items.
    pub(super) history: Option<String>,
}

async fn history(
    State(leads): State<Leads>,
    target: RenderTarget,
    Path(id): Path<LeadId>,
    Query(query): Query<TimelineQuery>,
) -> PageAnswer {
    let timeline = leads.timeline(id, ALONE, query.history.as_deref()).await?;
    let timeline = TimelineView::of(timeline, &format!("/leads/{id}/history"), false, None);
    let page = HistoryPage { context: target.context, lead: HistoryOf { id, version: 0 }, timeline };
    if target.fragment { html(StatusCode::OK, &page.as_entries()) } else { html(StatusCode::OK, &page) }
}

/// The lead of a history that is only read.
#[derive(Debug, Clone, Copy)]
struct HistoryOf {
    id: LeadId,
    version: u64,
}

/// `GET /leads/{id}/history`
#[derive(Template)]
#[template(path = "leads/history.html", config = "templates/askama.toml", blocks = ["entries"])]
struct HistoryPage {
    context: PageContext,
    lead: HistoryOf,
    timeline: TimelineView,
}
