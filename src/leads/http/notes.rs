//! The forms of notes on a lead.

use axum::handler::Handler as _;
use http::HeaderValue;

use super::form_limit;
use super::target::{LeadTarget, Part};
use crate::base::values::Version;
use crate::leads::domain::{LeadId, Note, NoteId, NoteText};
use crate::leads::{LeadError, Leads};
use crate::shared::forms::{Field, RawForm};
use crate::shared::pages::*;
use crate::store::idempotency::Idempotency;
use crate::web::extract::PathPair;
use crate::web::respond::{header_text, no_content};

pub(super) fn routes() -> Routes<Leads> {
    Routes::default()
        .post("/leads/{id}/notes", Access::Agent, add.layer(form_limit()))
        .get("/leads/{id}/notes/{note}", Access::Agent, edit)
        .post("/leads/{id}/notes/{note}", Access::Agent, save.layer(form_limit()))
        .post("/leads/{id}/notes/{note}/delete", Access::Agent, delete)
}

async fn add(
    State(leads): State<Leads>,
    target: LeadTarget,
    Path(id): Path<LeadId>,
    submission: Submission,
) -> PageAnswer {
    let text = match submission.form.text("text").parse::<NoteText>() {
        Ok(text) => text,
        // The form stays in the page.
        Err(invalid) if target.part == Part::Section => return Err(WebError::field("text", &invalid).into()),
        Err(invalid) => {
            let text = typed(&submission.form, invalid.to_string());
            return note_form(target, StatusCode::UNPROCESSABLE_ENTITY, id, None, text);
        }
    };
    let request = submission.request_by_key();
    let idempotency = request.map(|request| Idempotency { request, answer: &|_: &Note| no_content() });
    leads.add_note(id, text, &submission.who, idempotency.as_ref()).await?;
    target.timeline(&leads, id, "Note added.").await
}

/// Returns the field of the text as it was typed, with an error.
fn typed(form: &RawForm, error: String) -> Field {
    Field { value: form.text("text"), base: String::new(), error: Some(error) }
}

async fn edit(
    State(leads): State<Leads>,
    target: LeadTarget,
    PathPair(lead, id): PathPair<LeadId, NoteId>,
) -> PageAnswer {
    let note = leads.note(lead, id).await?;
    let text = Field { value: note.text.to_string(), ..Field::default() };
    note_form(target, StatusCode::OK, lead, Some((id, note.version)), text)
}

fn note_form(
    target: LeadTarget,
    status: StatusCode,
    lead: LeadId,
    note: Option<(NoteId, Version)>,
    text: Field,
) -> PageAnswer {
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
    target: LeadTarget,
    PathPair(lead, id): PathPair<LeadId, NoteId>,
    submission: Submission,
) -> PageAnswer {
    let version = submission.version()?;
    let text = match submission.form.text("text").parse::<NoteText>() {
        Ok(text) => text,
        Err(invalid) => {
            let text = typed(&submission.form, invalid.to_string());
            return note_form(target, StatusCode::UNPROCESSABLE_ENTITY, lead, Some((id, version)), text);
        }
    };
    let idempotency = submission.idempotency();
    match leads.edit_note((lead, id), version, text, &submission.who, Some(&idempotency)).await {
        Ok(_) => target.timeline(&leads, lead, "Note saved.").await,
        Err(LeadError::NoteConflict(fresh)) => conflict(target, lead, &fresh, &submission.form),
        Err(error) => Err(error.into()),
    }
}

/// Renders the typed text again, with the text that is stored now.
fn conflict(target: LeadTarget, lead: LeadId, fresh: &Note, form: &RawForm) -> PageAnswer {
    let error = format!("You changed this note elsewhere to “{}”. Saving replaces that text.", fresh.text);
    note_form(target, StatusCode::CONFLICT, lead, Some((fresh.id, fresh.version)), typed(form, error))
}

async fn delete(
    State(leads): State<Leads>,
    target: LeadTarget,
    PathPair(lead, id): PathPair<LeadId, NoteId>,
    submission: Submission,
) -> PageAnswer {
    let (version, idempotency) = (submission.version()?, submission.idempotency());
    leads.delete_note((lead, id), version, &submission.who, Some(&idempotency)).await?;
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
