//! The published proof of a draw, and a page that verifies a proof in the browser.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::raffles::Raffles;
use crate::raffles::domain::RaffleId;
use crate::raffles::views::{ProofPage, VerifyPage};
use crate::web::access::Access;
use crate::web::extract::{Path, Query};
use crate::web::pages::PageContext;
use crate::web::respond::html;
use crate::web::routes::Routes;

pub fn routes() -> Routes<Raffles> {
    Routes::default().get("/raffles/verify", Access::Anyone, verify).get(
        "/raffles/{id}/proof",
        Access::SignedIn,
        show,
    )
}

async fn show(State(raffles): State<Raffles>, context: PageContext, Path(id): Path<RaffleId>) -> Answer {
    html(StatusCode::OK, &ProofPage::new(context, raffles.proof(id).await?))
}

#[derive(Debug, Deserialize)]
struct VerifyQuery {
    raffle: Option<String>,
}

/// Reads nothing from the store: the check runs in the browser and is open to anyone.
async fn verify(context: PageContext, Query(query): Query<VerifyQuery>) -> Answer {
    let raffle = query.raffle.and_then(|text| text.parse::<RaffleId>().ok());
    html(StatusCode::OK, &VerifyPage { context, raffle })
}
