//! The pages of dead letters: list, view, retry and dismiss.

use std::str::FromStr;

use askama::Template;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Deserialize;

use super::parts::Answer;
use crate::base::identity::SignedIn;
use crate::base::values::Invalid;
use crate::inventory::Inventory;
use crate::inventory::domain::{DeadLetter, DeadLetterId, DeadLetterStatus, Note};
use crate::inventory::error::InventoryError;
use crate::inventory::groups::{Decided, Decision, Group, ReasonName};
use crate::shared::pairs::Pairs;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::lists::parameter;
use crate::web::pages::{DisplayTime, PageContext};
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, see_other, with_toast, with_toast_there};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Inventory> {
    Routes::default()
        .get("/inventory/parked", Access::Agent, list)
        .post("/inventory/parked/group", Access::Agent, decide)
        .get("/inventory/parked/{id}", Access::Agent, show)
        .post("/inventory/parked/{id}/retry", Access::Agent, retry)
        .post("/inventory/parked/{id}/dismiss", Access::Agent, dismiss)
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    status: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(inventory): State<Inventory>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    Query(query): Query<ListQuery>,
) -> Answer {
    let status = parameter("status", query.status, str::parse)?.unwrap_or(DeadLetterStatus::Open);
    let cursor = query.cursor.as_deref().filter(|cursor| !cursor.is_empty());
    let page = list_page(&inventory, context, status, cursor).await?;
    if fragment && cursor.is_some() {
        html(StatusCode::OK, &page.as_rows())
    } else {
        html(StatusCode::OK, &page)
    }
}

async fn list_page(
    inventory: &Inventory,
    context: PageContext,
    status: DeadLetterStatus,
    cursor: Option<&str>,
) -> Result<DeadLetterListPage, Problem> {
    let page = inventory.list_dead_letters(status, DeadLetterListPage::LIMIT, cursor).await?;
    let bodies = inventory.short_bodies(&page.dead_letters).await?;
    let dead_letters = page
        .dead_letters
        .iter()
        .zip(bodies)
        .map(|(dead_letter, raw)| DeadLetterView::of(dead_letter, raw))
        .collect();
    Ok(DeadLetterListPage { context, status, dead_letters, next: page.next, group: GroupView::default() })
}

/// Decides about the next dead letters of a group, and shows the result with the remaining ones.
async fn decide(
    State(inventory): State<Inventory>,
    context: PageContext,
    who: SignedIn,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let typed = GroupView::typed(&form);
    let (status, group) = match typed.read() {
        Err(invalid) => (StatusCode::UNPROCESSABLE_ENTITY, typed.refused(&invalid)),
        Ok((group, decision)) => {
            let cursor = form.get("cursor").filter(|cursor| !cursor.is_empty());
            let done = inventory.decide(&group, &decision, &who.actor(), cursor).await?;
            (StatusCode::OK, typed.done(&done))
        }
    };
    let page = list_page(&inventory, context, DeadLetterStatus::Open, None).await?;
    html(status, &DeadLetterListPage { group, ..page })
}

async fn show(
    State(inventory): State<Inventory>,
    context: PageContext,
    Path(id): Path<DeadLetterId>,
) -> Answer {
    let (dead_letter, raw) = inventory.find_dead_letter(id).await?;
    html(StatusCode::OK, &SingleDeadLetterPage { context, one: DeadLetterView::of(&dead_letter, Some(raw)) })
}

/// The context of an action on a dead letter.
struct DeadLetterAction {
    inventory: Inventory,
    context: PageContext,
    fragment: bool,
    id: DeadLetterId,
}

impl DeadLetterAction {
    /// Shows the dead letter as a fragment in its list, or on its page.
    async fn shown(self, status: StatusCode, result: ActionResult) -> Answer {
        let (dead_letter, raw) = self.inventory.find_dead_letter(self.id).await?;
        if self.fragment {
            let raw = self.inventory.short_bodies(std::slice::from_ref(&dead_letter)).await?.pop().flatten();
            let one = DeadLetterView::of(&dead_letter, raw).with_result(result);
            return html(status, &DeadLetterFragment { context: self.context, one });
        }
        let one = DeadLetterView::of(&dead_letter, Some(raw)).with_result(result);
        html(status, &SingleDeadLetterPage { context: self.context, one })
    }

    async fn answer(
        self,
        done: Result<DeadLetter, InventoryError>,
        words: &'static str,
        typed: ActionResult,
    ) -> Answer {
        match done {
            Ok(_) if self.fragment => {
                let part = self
                    .shown(StatusCode::OK, ActionResult { done: true, ..ActionResult::default() })
                    .await?;
                Ok(with_toast(part, Tone::Success, words))
            }
            Ok(_) => {
                let redirect = see_other(&self.context, &format!("/inventory/parked/{}", self.id), false);
                Ok(with_toast_there(redirect, Tone::Success, words))
            }
            Err(InventoryError::StillRefused(reason)) => {
                let result = ActionResult { error: Some(reason.words), ..typed };
                self.shown(StatusCode::UNPROCESSABLE_ENTITY, result).await
            }
            Err(InventoryError::DeadLetterConflict(_)) => {
                self.shown(StatusCode::CONFLICT, ActionResult { overtaken: true, ..typed }).await
            }
            Err(error) => Err(Problem::from(error)),
        }
    }
}

async fn retry(
    State(inventory): State<Inventory>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(id): Path<DeadLetterId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let done = inventory.retry(id, version, &who.actor()).await;
    let action = DeadLetterAction { inventory, context, fragment, id };
    action.answer(done, "The message was applied.", ActionResult::default()).await
}

async fn dismiss(
    State(inventory): State<Inventory>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(id): Path<DeadLetterId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let note = form.get("note").unwrap_or_default().trim().to_owned();
    let read = Some(&note).filter(|note| !note.is_empty()).map(|note| note.parse::<Note>()).transpose();
    let typed = ActionResult { note: note.clone(), ..ActionResult::default() };
    let action = |inventory: Inventory| DeadLetterAction { inventory, context, fragment, id };
    match read {
        Err(invalid) => {
            let result = ActionResult { note_error: Some(invalid.to_string()), ..typed };
            action(inventory).shown(StatusCode::UNPROCESSABLE_ENTITY, result).await
        }
        Ok(note) => {
            let done = inventory.dismiss(id, version, note, &who.actor(), None).await;
            action(inventory).answer(done, "The message was dismissed.", typed).await
        }
    }
}

/// The form for a group of dead letters as typed, with its result.
#[derive(Debug, Clone, Default)]
struct GroupView {
    reason: String,
    sku: String,
    note: String,
    decision: String,
    error: Option<String>,
    outcome: Option<String>,
    /// The cursor of the next request.
    next: Option<String>,
}

impl GroupView {
    fn typed(form: &Pairs) -> Self {
        let text = |name: &str| form.get(name).unwrap_or_default().trim().to_owned();
        let (reason, sku, note) = (text("reason"), text("sku"), text("note"));
        Self { reason, sku, note, decision: text("decision"), ..Self::default() }
    }

    /// Parses the form.
    ///
    /// # Errors
    /// If a field is invalid.
    fn read(&self) -> Result<(Group, Decision), Invalid> {
        let group = Group { reason: optional(&self.reason)?, sku: optional(&self.sku)? };
        let decision = match self.decision.as_str() {
            "retry" => Decision::Retry,
            "dismiss" => Decision::Dismiss(optional(&self.note)?),
            _ => return Err(Invalid::new("Choose whether to retry them or to dismiss them.")),
        };
        Ok((group, decision))
    }

    /// Adds an error to the form.
    fn refused(self, invalid: &Invalid) -> Self {
        Self { error: Some(invalid.to_string()), ..self }
    }

    /// Adds the result to the form.
    fn done(self, decided: &Decided) -> Self {
        let what = if self.decision == "retry" { "applied" } else { "dismissed" };
        let left = match decided.refused.len() {
            0 => String::new(),
            left => format!(" {left} still cannot be applied, and stay."),
        };
        let outcome = format!("{} were {what}.{left}", decided.done);
        Self { outcome: Some(outcome), next: decided.next.clone(), ..self }
    }

    /// Returns the reasons to choose from, and which one is selected.
    fn reasons(&self) -> [(&'static str, bool); ReasonName::ALL.len()] {
        ReasonName::ALL.map(|name| (name.as_str(), name.as_str() == self.reason))
    }
}

fn optional<T: FromStr<Err = Invalid>>(text: &str) -> Result<Option<T>, Invalid> {
    Some(text).filter(|text| !text.is_empty()).map(str::parse).transpose()
}

/// The result of an action on a dead letter.
#[derive(Debug, Clone, Default)]
struct ActionResult {
    /// Why the action failed.
    error: Option<String>,
    /// Whether another person changed the dead letter first.
    overtaken: bool,
    /// What is wrong with the note.
    note_error: Option<String>,
    /// The note as typed.
    note: String,
    /// Whether the action was just done.
    done: bool,
}

/// A dead letter as pages show it.
#[derive(Debug, Clone)]
struct DeadLetterView {
    id: String,
    words: String,
    reason: String,
    source: String,
    sku: Option<String>,
    message_id: Option<String>,
    bytes: u64,
    /// The hash of the whole message, if only its beginning is kept.
    sha256: Option<String>,
    status: DeadLetterStatus,
    version: u64,
    stored: DisplayTime,
    updated: DisplayTime,
    by: Option<String>,
    note: Option<String>,
    /// The message, if it is short enough to show.
    content: Option<String>,
    /// Whether the content is in base64 because it is not text.
    encoded: bool,
    result: ActionResult,
}

impl DeadLetterView {
    fn of(dead_letter: &DeadLetter, raw: Option<Vec<u8>>) -> Self {
        let (content, encoded) = match raw.map(String::from_utf8) {
            None => (None, false),
            Some(Ok(text)) => (Some(text), false),
            Some(Err(bytes)) => (Some(STANDARD.encode(bytes.as_bytes())), true),
        };
        Self {
            id: dead_letter.id.to_string(),
            words: dead_letter.reason.words.clone(),
            reason: dead_letter.reason.name.clone(),
            source: dead_letter.source.to_string(),
            sku: dead_letter.sku.as_ref().map(ToString::to_string),
            message_id: dead_letter.message_id.as_ref().map(ToString::to_string),
            bytes: dead_letter.bytes,
            sha256: dead_letter.sha256.clone(),
            status: dead_letter.status,
            version: dead_letter.version.get(),
            stored: dead_letter.parked_at.into(),
            updated: dead_letter.updated_at.into(),
            by: dead_letter.by.as_ref().map(ToString::to_string),
            note: dead_letter.note.as_ref().map(ToString::to_string),
            content,
            encoded,
            result: ActionResult::default(),
        }
    }

    fn with_result(self, result: ActionResult) -> Self {
        Self { result, ..self }
    }

    fn is_open(&self) -> bool {
        self.status == DeadLetterStatus::Open
    }

    fn label(&self) -> &'static str {
        match self.status {
            DeadLetterStatus::Open => "Open",
            DeadLetterStatus::Applied => "Applied",
            DeadLetterStatus::Dismissed => "Dismissed",
        }
    }

    /// Returns a name that tells it from others.
    fn name(&self) -> &str {
        self.message_id.as_deref().unwrap_or(&self.source)
    }
}

/// `GET /inventory/parked`
#[derive(Template)]
#[template(path = "inventory/parked.html", blocks = ["rows"])]
struct DeadLetterListPage {
    context: PageContext,
    status: DeadLetterStatus,
    dead_letters: Vec<DeadLetterView>,
    next: Option<String>,
    /// The form for a group.
    group: GroupView,
}

impl DeadLetterListPage {
    /// The dead letters of one page.
    const LIMIT: u16 = 25;

    /// Returns the tabs: label, address, and whether it is the current one.
    fn tabs(&self) -> [(&'static str, &'static str, bool); 3] {
        let tab = |status: DeadLetterStatus, label, address| (label, address, status == self.status);
        [
            tab(DeadLetterStatus::Open, "Open", "/inventory/parked"),
            tab(DeadLetterStatus::Applied, "Applied", "/inventory/parked?status=APPLIED"),
            tab(DeadLetterStatus::Dismissed, "Dismissed", "/inventory/parked?status=DISMISSED"),
        ]
    }

    fn is_open_list(&self) -> bool {
        self.status == DeadLetterStatus::Open
    }

    fn more(&self) -> Option<String> {
        let pairs = [("status", self.status.as_str()), ("cursor", self.next.as_deref()?)];
        Some(format!("/inventory/parked?{}", serde_urlencoded::to_string(pairs).ok()?))
    }
}

/// `GET /inventory/parked/{id}`
#[derive(Template)]
#[template(path = "inventory/parked_one.html")]
struct SingleDeadLetterPage {
    context: PageContext,
    one: DeadLetterView,
}

/// A single dead letter, as in the list.
#[derive(Template)]
#[template(path = "inventory/_parked.html")]
struct DeadLetterFragment {
    context: PageContext,
    one: DeadLetterView,
}
