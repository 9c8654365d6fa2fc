//! What is published of a draw, and a page that checks it in the browser.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::app::App;
use crate::raffle::domain::RaffleId;
use crate::raffle::store;
use crate::raffle::views::{ProofPage, VerifyPage};
use crate::web::access::{Access, Routes};
use crate::web::extract::{InPath, InQuery};
use crate::web::pages::Shell;
use crate::web::respond::html;

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app).get("/raffles/verify", Access::Anyone, verify).get(
        "/raffles/{id}/proof",
        Access::SignedIn,
        show,
    )
}

async fn show(State(app): State<App>, shell: Shell, InPath(id): InPath<RaffleId>) -> Answer {
    html(StatusCode::OK, &ProofPage::new(shell, store::proof(&app, id).await?))
}

#[derive(Debug, Deserialize)]
struct VerifyQuery {
    raffle: Option<String>,
}

/// Reads nothing: the browser checks, and anyone may.
async fn verify(shell: Shell, InQuery(query): InQuery<VerifyQuery>) -> Answer {
    let raffle = query.raffle.and_then(|text| text.parse::<RaffleId>().ok());
    html(StatusCode::OK, &VerifyPage { shell, raffle })
}
