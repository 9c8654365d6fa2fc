//! The pages of dead letters: list, view, retry and dismiss.

use http::Uri;
use http::uri::PathAndQuery;

use super::content::Content;
use super::parts::typed;
use crate::base::values::Invalid;
use crate::inventory::Inventory;
use crate::inventory::domain::{DeadLetter, DeadLetterId, DeadLetterStatus, ReasonName};
use crate::inventory::error::InventoryError;
use crate::inventory::groups::{Decided, Decision, Group};
use crate::shared::dead_letters::service::DeadLetters as _;
use crate::shared::forms::RawForm;
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::shared::values::optional;
use crate::store::idempotency::Done;
use crate::web::lists::parameter;
use crate::web::query::address;
use crate::web::respond::moved;

/// The address of the list.
const PATH: &str = "/inventory/dead-letters";
/// The address of the list in version 0.1.
const FORMER_PATH: &str = "/inventory/parked";

pub(super) fn routes() -> Routes<Inventory> {
    Routes::default()
        .get(PATH, Access::Viewer, list)
        .post("/inventory/dead-letters/group", Access::Agent, decide)
        .get("/inventory/dead-letters/{id}", Access::Viewer, show)
        .post("/inventory/dead-letters/{id}/retry", Access::Agent, retry)
        .post("/inventory/dead-letters/{id}/dismiss", Access::Agent, dismiss)
        .get(FORMER_PATH, Access::Viewer, redirect)
        .get("/inventory/parked/{id}", Access::Viewer, redirect)
}

/// Redirects from the address that a page of dead letters had before, with the same id and parameters.
async fn redirect(context: PageContext, address: Uri) -> Response {
    let address = address.path_and_query().map_or("", PathAndQuery::as_str).replacen(FORMER_PATH, PATH, 1);
    // A header contains only ASCII, but the query of an address may contain other characters.
    let encoded = |byte: u8| match byte.is_ascii() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    moved(&context.url(&address.bytes().map(encoded).collect::<String>()))
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    status: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(inventory): State<Inventory>,
    RenderTarget { context, fragment }: RenderTarget,
    Query(query): Query<ListQuery>,
) -> PageAnswer {
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
    let bodies = inventory.short_bodies(&page.items).await?;
    let views = page.items.into_iter().zip(bodies);
    let dead_letters = views.map(|(dead_letter, raw)| DeadLetterView::of(dead_letter, raw)).collect();
    Ok(DeadLetterListPage { context, status, dead_letters, next: page.next, group: GroupView::default() })
}

/// Decides about the next dead letters of a group, and shows the result with the remaining ones.
async fn decide(
    State(inventory): State<Inventory>,
    context: PageContext,
    Submission { form, who, .. }: Submission,
) -> PageAnswer {
    let typed = GroupView::typed(&form);
    let (status, group) = match typed.read() {
        Err(invalid) => {
            let group = GroupView { error: Some(invalid.to_string()), ..typed };
            (StatusCode::UNPROCESSABLE_ENTITY, group)
        }
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
) -> PageAnswer {
    let (dead_letter, raw) = inventory.find_dead_letter(id).await?;
    html(StatusCode::OK, &SingleDeadLetterPage { context, one: DeadLetterView::of(dead_letter, Some(raw)) })
}

/// The context of an action on a dead letter.
struct DeadLetterAction {
    inventory: Inventory,
    target: RenderTarget,
    id: DeadLetterId,
}

impl DeadLetterAction {
    /// Shows the dead letter as a fragment in its list, or on its page.
    async fn shown(self, status: StatusCode, result: ActionResult) -> PageAnswer {
        let Self { inventory, target: RenderTarget { context, fragment }, id } = self;
        let (dead_letter, raw) = inventory.find_dead_letter(id).await?;
        if fragment {
            let raw = inventory.short_bodies(std::slice::from_ref(&dead_letter)).await?.pop().flatten();
            let one = DeadLetterView { result, ..DeadLetterView::of(dead_letter, raw) };
            return html(status, &DeadLetterFragment { context, one });
        }
        let one = DeadLetterView { result, ..DeadLetterView::of(dead_letter, Some(raw)) };
        html(status, &SingleDeadLetterPage { context, one })
    }

    /// Shows what was done, or why nothing was. A form that is sent again gets the same message and the current record.
    async fn answer(
        self,
        done: Result<Done<DeadLetter>, InventoryError>,
        words: &'static str,
        typed: ActionResult,
    ) -> PageAnswer {
        match done {
            Ok(_) if self.target.fragment => {
                let result = ActionResult { done: true, ..ActionResult::default() };
                Ok(with_toast(self.shown(StatusCode::OK, result).await?, Tone::Success, words))
            }
            Ok(_) => Ok(self.target.done(&format!("{PATH}/{}", self.id), words)),
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
    target: RenderTarget,
    Path(id): Path<DeadLetterId>,
    submission: Submission,
) -> PageAnswer {
    let (by, idempotency) = (submission.who.actor(), Some(submission.idempotency()));
    let done = inventory.retry_dead_letter(id, submission.version()?, &by, idempotency.as_ref()).await;
    let action = DeadLetterAction { inventory, target, id };
    action.answer(done, "Message applied.", ActionResult::default()).await
}

async fn dismiss(
    State(inventory): State<Inventory>,
    target: RenderTarget,
    Path(id): Path<DeadLetterId>,
    submission: Submission,
) -> PageAnswer {
    let version = submission.version()?;
    let typed = ActionResult { note: typed(&submission.form, "note"), ..ActionResult::default() };
    let note = match optional(&typed.note) {
        Ok(note) => note,
        Err(invalid) => {
            let result = ActionResult { note_error: Some(invalid.to_string()), ..typed };
            let action = DeadLetterAction { inventory, target, id };
            return action.shown(StatusCode::UNPROCESSABLE_ENTITY, result).await;
        }
    };
    let (by, idempotency) = (submission.who.actor(), Some(submission.idempotency()));
    let done = inventory.dismiss_dead_letter(id, version, note, &by, idempotency.as_ref()).await;
    DeadLetterAction { inventory, target, id }.answer(done, "Message dismissed.", typed).await
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
    fn typed(form: &RawForm) -> Self {
        let [reason, sku, note, decision] =
            ["reason", "sku", "note", "decision"].map(|name| typed(form, name));
        Self { reason, sku, note, decision, ..Self::default() }
    }

    fn read(&self) -> Result<(Group, Decision), Invalid> {
        let group = Group { reason: optional(&self.reason)?, sku: optional(&self.sku)? };
        let decision = match self.decision.as_str() {
            "retry" => Decision::Retry,
            "dismiss" => Decision::Dismiss(optional(&self.note)?),
            _ => return Err(Invalid::new("Choose retry or dismiss.")),
        };
        Ok((group, decision))
    }

    /// Adds the result to the form.
    fn done(self, decided: &Decided) -> Self {
        let left = match decided.refused.len() {
            0 => String::new(),
            left => format!(" {left} still can't be applied."),
        };
        let done = if self.decision == "retry" { "applied" } else { "dismissed" };
        let outcome = format!("{} {done}.{left}", counted(decided.done, "message was", "messages were"));
        Self { outcome: Some(outcome), next: decided.next.clone(), ..self }
    }

    /// Returns the reasons to choose from, and which one is selected.
    fn reasons(&self) -> [(ReasonName, bool); ReasonName::ALL.len()] {
        ReasonName::ALL.map(|name| (name, name.as_str() == self.reason))
    }
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
    letter: DeadLetter,
    stored: DisplayTime,
    updated: DisplayTime,
    /// The message, if it is short enough to show.
    content: Option<String>,
    /// Whether the content is in base64 because it is not text.
    encoded: bool,
    result: ActionResult,
}

impl DeadLetterView {
    fn of(letter: DeadLetter, raw: Option<Vec<u8>>) -> Self {
        let (content, encoded) = match raw.map(Content::from) {
            None => (None, false),
            Some(Content::Text(text)) => (Some(text), false),
            Some(Content::Base64(text)) => (Some(text), true),
        };
        let (stored, updated) = (letter.created_at.into(), letter.updated_at.into());
        Self { letter, stored, updated, content, encoded, result: ActionResult::default() }
    }

    fn is_open(&self) -> bool {
        self.letter.status == DeadLetterStatus::Open
    }

    /// Returns the label of its reason, or the name that a later version gave it.
    fn reason(&self) -> &str {
        let name = self.letter.reason.name.as_str();
        match name.parse::<ReasonName>() {
            Ok(reason) => reason.label(),
            Err(_) => name,
        }
    }

    /// Returns a name that distinguishes it from others.
    fn name(&self) -> String {
        let id = self.letter.message_id.as_ref();
        id.map_or_else(|| self.letter.source.to_string(), ToString::to_string)
    }
}

/// `GET /inventory/dead-letters`
#[derive(Template)]
#[template(path = "inventory/dead_letters.html", config = "templates/askama.toml", blocks = ["rows"])]
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
    fn tabs(&self) -> [(&'static str, String, bool); 3] {
        DeadLetterStatus::ALL.map(|status| {
            // The list of open dead letters is the default.
            let filter = if status == DeadLetterStatus::Open { "" } else { status.as_str() };
            (status.label(), address(PATH, [("status", filter)]), status == self.status)
        })
    }

    fn is_open_list(&self) -> bool {
        self.status == DeadLetterStatus::Open
    }

    fn more(&self) -> Option<String> {
        let cursor = self.next.as_deref()?;
        Some(address(PATH, [("status", self.status.as_str()), ("cursor", cursor)]))
    }
}

/// `GET /inventory/dead-letters/{id}`
#[derive(Template)]
#[template(path = "inventory/dead_letter.html", config = "templates/askama.toml")]
struct SingleDeadLetterPage {
    context: PageContext,
    one: DeadLetterView,
}

/// A single dead letter, as in the list.
#[derive(Template)]
#[template(path = "inventory/_dead_letters.html", config = "templates/askama.toml")]
struct DeadLetterFragment {
    context: PageContext,
    one: DeadLetterView,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_one_is_named_in_the_singular() {
        let outcome = |decision: &str, done| {
            let view = GroupView { decision: decision.to_owned(), ..GroupView::default() };
            view.done(&Decided { done, refused: Vec::new(), next: None }).outcome
        };
        assert_eq!(outcome("dismiss", 1).as_deref(), Some("1 message was dismissed."));
        assert_eq!(outcome("retry", 25).as_deref(), Some("25 messages were applied."));
    }
}
