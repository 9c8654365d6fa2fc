//! The pages of dead letters: list, view, retry and dismiss.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::base::identity::SignedIn;
use crate::inventory::Inventory;
use crate::inventory::domain::{DeadLetter, DeadLetterId, DeadLetterStatus, Note};
use crate::inventory::error::InventoryError;
use crate::inventory::views::{
    ActionResult, DeadLetterFragment, DeadLetterListPage, DeadLetterView, GroupView, SingleDeadLetterPage,
};
use crate::orders::forms::Pairs;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::lists::parameter;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, see_other, with_toast, with_toast_there};
use crate::web::routes::Routes;

pub fn routes() -> Routes<Inventory> {
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
