//! Parked messages: listed, looked at, retried and dismissed in their place.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::base::identity::SignedIn;
use crate::inventory::Inventory;
use crate::inventory::domain::{Note, Parked, ParkedId, ParkedStatus};
use crate::inventory::error::InventoryError;
use crate::inventory::views::{GroupView, OneParkedPage, ParkedListPage, ParkedPart, ParkedView, Retried};
use crate::orders::forms::Pairs;
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, Query};
use crate::web::lists::parameter;
use crate::web::pages::PageContext;
use crate::web::problem::Problem;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, html, see_other, with_toast, with_toast_there};
use crate::web::routes::Routes;

/// The routes.
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
    let status = parameter("status", query.status, str::parse)?.unwrap_or(ParkedStatus::Open);
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
    status: ParkedStatus,
    cursor: Option<&str>,
) -> Result<ParkedListPage, Problem> {
    let page = inventory.list_parked(status, ParkedListPage::LIMIT, cursor).await?;
    let bodies = inventory.short_bodies(&page.parked).await?;
    let parked = page.parked.iter().zip(bodies).map(|(parked, raw)| ParkedView::of(parked, raw)).collect();
    Ok(ParkedListPage { context, status, parked, next: page.next, group: GroupView::default() })
}

/// Decides about the next dead letters of a group, and shows what is left with what came of it.
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
    let page = list_page(&inventory, context, ParkedStatus::Open, None).await?;
    html(status, &ParkedListPage { group, ..page })
}

async fn show(State(inventory): State<Inventory>, context: PageContext, Path(id): Path<ParkedId>) -> Answer {
    let (parked, raw) = inventory.find_parked(id).await?;
    html(StatusCode::OK, &OneParkedPage { context, one: ParkedView::of(&parked, Some(raw)) })
}

/// What somebody does with a parked message, on the way to its answer.
struct Doing {
    inventory: Inventory,
    context: PageContext,
    fragment: bool,
    id: ParkedId,
}

impl Doing {
    /// The message in its place, or on its page.
    async fn shown(self, status: StatusCode, tried: Retried) -> Answer {
        let (parked, raw) = self.inventory.find_parked(self.id).await?;
        if self.fragment {
            let raw = self.inventory.short_bodies(std::slice::from_ref(&parked)).await?.pop().flatten();
            let one = ParkedView::of(&parked, raw).tried(tried);
            return html(status, &ParkedPart { context: self.context, one });
        }
        let one = ParkedView::of(&parked, Some(raw)).tried(tried);
        html(status, &OneParkedPage { context: self.context, one })
    }

    async fn answer(
        self,
        done: Result<Parked, InventoryError>,
        words: &'static str,
        typed: Retried,
    ) -> Answer {
        match done {
            Ok(_) if self.fragment => {
                let part = self.shown(StatusCode::OK, Retried { done: true, ..Retried::default() }).await?;
                Ok(with_toast(part, Tone::Success, words))
            }
            Ok(_) => {
                let there = see_other(&self.context, &format!("/inventory/parked/{}", self.id), false);
                Ok(with_toast_there(there, Tone::Success, words))
            }
            Err(InventoryError::StillRefused(reason)) => {
                let tried = Retried { error: Some(reason.words), ..typed };
                self.shown(StatusCode::UNPROCESSABLE_ENTITY, tried).await
            }
            Err(InventoryError::ParkedConflict(_)) => {
                self.shown(StatusCode::CONFLICT, Retried { overtaken: true, ..typed }).await
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
    Path(id): Path<ParkedId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let done = inventory.retry(id, version, &who.actor()).await;
    let doing = Doing { inventory, context, fragment, id };
    doing.answer(done, "The message was applied.", Retried::default()).await
}

async fn dismiss(
    State(inventory): State<Inventory>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(id): Path<ParkedId>,
    FormData(form): FormData<Pairs>,
) -> Answer {
    let version = form.version()?;
    let note = form.get("note").unwrap_or_default().trim().to_owned();
    let read = Some(&note).filter(|note| !note.is_empty()).map(|note| note.parse::<Note>()).transpose();
    let typed = Retried { note: note.clone(), ..Retried::default() };
    let doing = |inventory: Inventory| Doing { inventory, context, fragment, id };
    match read {
        Err(invalid) => {
            let tried = Retried { note_error: Some(invalid.to_string()), ..typed };
            doing(inventory).shown(StatusCode::UNPROCESSABLE_ENTITY, tried).await
        }
        Ok(note) => {
            let done = inventory.dismiss(id, version, note, &who.actor(), None).await;
            doing(inventory).answer(done, "The message was dismissed.", typed).await
        }
    }
}
