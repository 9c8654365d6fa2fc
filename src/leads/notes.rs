//! The notes on a lead. Each is an item of its own with a version of its own, so a note never conflicts with a change of
//! the lead or with another note.

use std::fmt::Display;

use super::domain::{LeadId, Note, NoteId, NoteText};
use super::error::LeadError;
use super::items::{NOTE, lead_key, note_key};
use crate::base::identity::SignedIn;
use crate::base::text::isolated;
use crate::base::values::Version;
use crate::leads::Leads;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::shared::cursors::{cursor_after, start_after};
use crate::shared::idempotency::write_with_record;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::{Condition, Select, WriteError, from_item, to_item};
use crate::web::lists::Listed;

const NOTE_LIST: &str = "notes";

/// Returns the cursor after a note.
pub(super) fn note_cursor(id: impl Display) -> String {
    cursor_after(NOTE_LIST, id)
}

impl Leads {
    /// Writes a note on a lead.
    ///
    /// # Errors
    /// [`LeadError::NotFound`] if there is no such lead.
    pub async fn add_note(
        &self,
        lead: LeadId,
        text: NoteText,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, Note>>,
    ) -> Result<Done<Note>, LeadError> {
        // A condition on the lead would let the note compete with changes of the lead.
        if let Err(error) = self.find(lead).await {
            return self.replayed_or(error, idempotency).await;
        }
        let now = self.clock.now();
        let id = NoteId::new(now, &self.rng.bytes());
        let (author, author_id) = (who.actor(), who.id);
        let version = Version::FIRST;
        let note = Note { id, text, author, author_id, version, created_at: now, updated_at: now };
        let item = to_item(&note_key(lead, id), &note)?;
        let write = self.dynamo.guarded_write().put("note", item, Condition::Absent);
        let done = write_with_record::<_, LeadError>(&self.dynamo, write, note, idempotency).await?;
        done.map_err(|_| LeadError::NoSuchNote)
    }

    /// Changes the text of a note. Only its author can.
    ///
    /// # Errors
    /// [`LeadError::NoSuchNote`]; [`LeadError::NoteOfAnother`] if another person wrote it;
    /// [`LeadError::NoteConflict`] if `expected` is not the stored version.
    pub async fn edit_note(
        &self,
        (lead, id): (LeadId, NoteId),
        expected: Version,
        text: NoteText,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, Note>>,
    ) -> Result<Done<Note>, LeadError> {
        let note = match self.note(lead, id).await {
            Ok(note) if note.author_id == who.id => note,
            Ok(_) => return self.replayed_or(LeadError::NoteOfAnother, idempotency).await,
            Err(error) => return self.replayed_or(error, idempotency).await,
        };
        let edited = Note { version: expected, ..note }.edited(text, self.clock.now());
        let item = to_item(&note_key(lead, id), &edited)?;
        let unchanged = Condition::is_number("version", expected.get());
        let write = self.dynamo.guarded_write().put("note", item, unchanged);
        match write_with_record::<_, LeadError>(&self.dynamo, write, edited, idempotency).await? {
            Ok(done) => Ok(done),
            Err(_) => Err(LeadError::NoteConflict(Box::new(self.note(lead, id).await?))),
        }
    }

    /// Deletes a note. Only its author and administrators can.
    ///
    /// # Errors
    /// As [`edit_note`](Self::edit_note).
    pub async fn delete_note(
        &self,
        (lead, id): (LeadId, NoteId),
        expected: Version,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, ()>>,
    ) -> Result<Done<()>, LeadError> {
        let deletion = self.remove_note((lead, id), expected, who, idempotency);
        Idempotency::run(idempotency, &self.dynamo, deletion).await
    }

    /// Deletes a note without looking up the idempotency record.
    async fn remove_note(
        &self,
        (lead, id): (LeadId, NoteId),
        expected: Version,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, ()>>,
    ) -> Result<(), LeadError> {
        let note = self.note(lead, id).await?;
        if note.author_id != who.id && !who.is_administrator() {
            return Err(LeadError::NoteOfAnother);
        }
        let unchanged = Condition::is_number("version", expected.get());
        let write = self.dynamo.guarded_write().delete("note", &note_key(lead, id), unchanged);
        let write = write.audit(&self.note_deletion(lead, &note, who).await?)?;
        match self.dynamo.write(Idempotency::record(idempotency, write, &())?).await {
            Ok(()) => Ok(()),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(_)) => Err(LeadError::NoteConflict(Box::new(self.note(lead, id).await?))),
        }
    }

    /// Returns the audit entry of a deleted note. It does not contain the text, which was deleted for a reason.
    async fn note_deletion(
        &self,
        lead: LeadId,
        note: &Note,
        who: &SignedIn,
    ) -> Result<AuditEntry, LeadError> {
        let subject = match self.find(lead).await {
            Ok(lead) => lead.name.to_string(),
            Err(LeadError::Deleted(lead)) => lead.name.to_string(),
            Err(LeadError::Store(error)) => return Err(error.into()),
            // The notes of a lead that was merged or has left the trash stay.
            Err(_) => "Lead".to_owned(),
        };
        let detail = format!("Note of {} deleted.", isolated(note.author.as_str()));
        let (now, kind) = (self.clock.now(), AuditKind::Deletion);
        let entry = AuditEntry::new(&self.rng, now, &AuditActor::from(who), kind, subject, detail);
        Ok(entry.at_path(format!("/leads/{lead}")))
    }

    /// Reads one note consistently.
    ///
    /// # Errors
    /// [`LeadError::NoSuchNote`] if it does not exist.
    pub async fn note(&self, lead: LeadId, id: NoteId) -> Result<Note, LeadError> {
        let item = self.dynamo.get(&note_key(lead, id)).await?.ok_or(LeadError::NoSuchNote)?;
        Ok(from_item(item)?)
    }

    /// Returns a page of the notes of a lead, newest first. A lead that was merged into another one keeps its notes.
    ///
    /// # Errors
    /// [`LeadError::NotFound`] if there is no such lead; [`LeadError::Deleted`] if it is in the trash; otherwise as
    /// [`notes`](Self::notes).
    pub async fn notes_of(
        &self,
        lead: LeadId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Note>, LeadError> {
        match self.find(lead).await {
            Ok(_) | Err(LeadError::Merged(_)) => self.notes(lead, limit, cursor).await,
            Err(error) => Err(error),
        }
    }

    /// Returns a page of notes by the lead's id, newest first, with one call, whether or not there is such a lead. The
    /// notes of a deleted lead stay.
    ///
    /// # Errors
    /// [`LeadError::Cursor`] if the cursor belongs to another list.
    pub async fn notes(
        &self,
        lead: LeadId,
        limit: u16,
        cursor: Option<&str>,
    ) -> Result<Listed<Note>, LeadError> {
        let mut select =
            Select::partition(lead_key(lead).pk, i32::from(limit) + 1).begins_with(NOTE).backwards();
        if let Some(id) = start_after(NOTE_LIST, cursor)? {
            let key = note_key(lead, id);
            select = select.after(&key.sk, &key);
        }
        let page = self.dynamo.select(&select).await?;
        let mut notes = page.items.into_iter().map(from_item).collect::<Result<Vec<Note>, _>>()?;
        // DynamoDB ends a page at 1 MB, which 26 of the longest notes fill.
        let has_more = page.more || notes.len() > usize::from(limit);
        notes.truncate(limit.into());
        let next = notes.last().filter(|_| has_more).map(|note| note_cursor(note.id));
        Ok(Listed { items: notes, next })
    }
}
