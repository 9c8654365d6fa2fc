//! The timeline of a lead: its history and its notes together, newest first.
//!
//! Invariant: a page takes two calls side by side, however long the timeline is, and shows nothing twice.

use futures_util::future::try_join;
use jiff::Timestamp;

use super::domain::{HistoryEntry, LeadId, Note};
use super::error::LeadError;
use super::notes::note_cursor;
use super::store::history_cursor;
use crate::leads::Leads;
use crate::store::Cursor;

/// Something that happened to a lead.
#[derive(Debug, Clone)]
pub enum TimelineItem {
    /// A change.
    Change(HistoryEntry),
    /// A note.
    Note(Note),
}

impl TimelineItem {
    fn at(&self) -> Timestamp {
        match self {
            Self::Change(entry) => entry.at,
            Self::Note(note) => note.created_at,
        }
    }
}

/// One page of a timeline, newest first.
#[derive(Debug, Default)]
pub struct Timeline {
    /// The changes and notes.
    pub items: Vec<TimelineItem>,
    /// The cursor of older ones.
    pub next: Option<String>,
}

const TIMELINE_LIST: &str = "timeline";
/// In a cursor: nothing of this kind was shown yet.
const NONE: &str = "-";

impl Leads {
    /// Returns a page of a lead's timeline. A deleted lead still has one.
    ///
    /// # Errors
    /// [`LeadError::NotFound`] if the lead never existed; [`LeadError::Cursor`] if the cursor belongs to another list.
    pub async fn timeline(
        &self,
        id: LeadId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Timeline, LeadError> {
        let [version, note] = match cursor {
            Some(text) => Cursor::<2>::decode(TIMELINE_LIST, text)?.parts().clone(),
            None => [NONE, NONE].map(str::to_owned),
        };
        let older_changes = (version != NONE).then(|| history_cursor(&version));
        let older_notes = (note != NONE).then(|| note_cursor(&note));
        let history = self.history(id, limit, older_changes.as_deref());
        let (history, notes) = try_join(history, self.notes(id, limit, older_notes.as_deref())).await?;
        let has_more = history.next.is_some() || notes.next.is_some();
        let changes = history.items.into_iter().map(TimelineItem::Change);
        let mut items: Vec<_> = changes.chain(notes.items.into_iter().map(TimelineItem::Note)).collect();
        // Changes and notes are each in order already; the sort keeps that order at equal times.
        items.sort_by_key(|item| std::cmp::Reverse(item.at()));
        let has_more = has_more || items.len() > usize::from(limit);
        items.truncate(limit.into());
        let last = items.iter().fold((version, note), |(version, note), item| match item {
            TimelineItem::Change(entry) => (entry.version.to_string(), note),
            TimelineItem::Note(shown) => (version, shown.id.to_string()),
        });
        let next = has_more.then(|| Cursor::after([last.0, last.1]).encode(TIMELINE_LIST));
        Ok(Timeline { items, next })
    }
}
