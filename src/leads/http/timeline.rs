//! The timeline of a lead as pages show it, and the forms of its notes.

use askama::Template;
use axum::extract::State;
use axum::handler::Handler as _;
use http::{HeaderValue, StatusCode};

use super::form_limit;
use super::parts::{Answer, EntryView, Part, RenderTarget};
use crate::base::identity::SignedIn;
use crate::base::values::Version;
use crate::leads::domain::{LeadId, Note, NoteId, NoteText};
use crate::leads::timeline::{Timeline, TimelineItem};
use crate::leads::{LeadError, Leads};
use crate::shared::forms::{Field, RawForm};
use crate::store::idempotency::Idempotency;
use crate::web::access::Access;
use crate::web::error::WebError;
use crate::web::extract::{FormData, Path, PathPair};
use crate::web::pages::{DisplayTime, PageContext};
use crate::web::respond::{header_text, html, no_content};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default()
        .post("/leads/{id}/notes", Access::Agent, add.layer(form_limit()))
        .get("/leads/{id}/notes/{note}", Access::Agent, edit)
        .post("/leads/{id}/notes/{note}", Access::Agent, save.layer(form_limit()))
        .post("/leads/{id}/notes/{note}/delete", Access::Agent, delete)
}

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
    pub(super) fn of(timeline: Timeline, id: LeadId, is_open: bool, who: Option<&SignedIn>) -> Self {
        let older = timeline.next.as_deref().and_then(|cursor| {
            let query = serde_urlencoded::to_string([("history", cursor)]).ok()?;
            Some(format!("/leads/{id}?{query}"))
        });
        let items: Vec<ItemView> = timeline
            .items
            .into_iter()
            .map(|item| match item {
                TimelineItem::Change(entry) => ItemView::Change(EntryView::of(entry)),
                TimelineItem::Note(note) => ItemView::Note(NoteView::of(note, who)),
            })
            .collect();
        Self { items, older, is_open }
    }
}

async fn add(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<LeadId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let idempotency = form.request_by_key(&format!("/leads/{id}/notes"), &who, leads.clock.now());
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &|_: &Note| no_content() });
    match form.text("text").parse::<NoteText>() {
        Ok(text) => {
            leads.add_note(id, text, &who, idempotency.as_ref()).await?;
            target.timeline(&leads, id, "Note added.").await
        }
        // The form stays in the page.
        Err(invalid) if target.part == Part::Section => Err(WebError::field("text", &invalid).into()),
        Err(invalid) => {
            let error = Some(invalid.to_string());
            let text = Field { value: form.text("text"), base: String::new(), error };
            note_form(target, StatusCode::UNPROCESSABLE_ENTITY, id, None, text)
        }
    }
}

async fn edit(
    State(leads): State<Leads>,
    target: RenderTarget,
    PathPair(lead, id): PathPair<LeadId, NoteId>,
) -> Answer {
    let note = leads.note(lead, id).await?;
    let text = Field { value: note.text.to_string(), ..Field::default() };
    note_form(target, StatusCode::OK, lead, Some((id, note.version)), text)
}

fn note_form(
    target: RenderTarget,
    status: StatusCode,
    lead: LeadId,
    note: Option<(NoteId, Version)>,
    text: Field,
) -> Answer {
    let (context, part) = (target.context, target.part);
    let note = note.map(|(id, version)| (id, version.get()));
    let page = NotePage { context, part, lead, note, text };
    if part == Part::Page {
        return html(status, &page);
    }
    // A form that is saved replaces more, and one that is refused only itself.
    let (place, swap) = match note {
        Some((id, _)) if part != Part::OwnPage => (format!("#note-{id}"), "innerHTML"),
        _ => ("#note-form".to_owned(), "outerHTML"),
    };
    let mut answer = html(status, &page.as_form())?;
    let headers = answer.headers_mut();
    headers.insert("hx-retarget", header_text(&place));
    headers.insert("hx-reswap", HeaderValue::from_static(swap));
    Ok(answer)
}

async fn save(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    PathPair(lead, id): PathPair<LeadId, NoteId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let version = form.version()?;
    let typed = |error: String| Field { value: form.text("text"), base: String::new(), error: Some(error) };
    let text: NoteText = match form.text("text").parse() {
        Ok(text) => text,
        Err(invalid) => {
            let text = typed(invalid.to_string());
            return note_form(target, StatusCode::UNPROCESSABLE_ENTITY, lead, Some((id, version)), text);
        }
    };
    let request = form.request(&format!("/leads/{lead}/notes/{id}"), &who, leads.clock.now());
    let idempotency = Idempotency { request, answer: &|_: &Note| no_content() };
    match leads.edit_note((lead, id), version, text, &who, Some(&idempotency)).await {
        Ok(_) => target.timeline(&leads, lead, "Note saved.").await,
        Err(LeadError::NoteConflict(fresh)) => {
            let error =
                format!("You changed this note elsewhere to “{}”. Saving replaces that text.", fresh.text);
            note_form(target, StatusCode::CONFLICT, lead, Some((id, fresh.version)), typed(error))
        }
        Err(error) => Err(error.into()),
    }
}

async fn delete(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    PathPair(lead, id): PathPair<LeadId, NoteId>,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let request = form.request(&format!("/leads/{lead}/notes/{id}/delete"), &who, leads.clock.now());
    let idempotency = Idempotency { request, answer: &|()| no_content() };
    let delete = leads.delete_note((lead, id), form.version()?, &who, Some(&idempotency));
    Idempotency::run(Some(&idempotency), &leads.dynamo, delete).await?;
    target.timeline(&leads, lead, "Note deleted.").await
}

/// The form of a note.
#[derive(Template)]
#[template(path = "leads/note.html", config = "templates/askama.toml", blocks = ["form"])]
struct NotePage {
    context: PageContext,
    /// The part of the page that the form belongs to.
    part: Part,
    lead: LeadId,
    /// The note and its version, or `None` for a new one.
    note: Option<(NoteId, u64)>,
    text: Field,
}
