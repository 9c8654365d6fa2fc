//! The published proof of a draw, and a page that verifies a proof in the browser.

use crate::raffles::Raffles;
use crate::raffles::domain::{Proof, RaffleId, Seed};
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Raffles> {
    Routes::default().get("/raffles/verify", Access::Anyone, verify).get(
        "/raffles/{id}/proof",
        Access::SignedIn,
        show,
    )
}

async fn show(State(raffles): State<Raffles>, context: PageContext, Path(id): Path<RaffleId>) -> PageAnswer {
    html(StatusCode::OK, &ProofPage::new(context, raffles.proof(id).await?))
}

#[derive(Debug, Deserialize)]
struct VerifyQuery {
    raffle: Option<String>,
}

/// Reads nothing from the store: the check runs in the browser and is open to anyone.
async fn verify(context: PageContext, Query(query): Query<VerifyQuery>) -> PageAnswer {
    let raffle = query.raffle.and_then(|text| text.parse::<RaffleId>().ok());
    html(StatusCode::OK, &VerifyPage { context, raffle })
}

/// `GET /raffles/{id}/proof`
#[derive(Template)]
#[template(path = "raffles/proof.html", config = "templates/askama.toml")]
struct ProofPage {
    context: PageContext,
    proof: Proof,
    opened: DisplayTime,
    drawn: Option<DisplayTime>,
}

impl ProofPage {
    fn new(context: PageContext, proof: Proof) -> Self {
        Self { context, opened: proof.opened_at.into(), drawn: proof.drawn_at.map(Into::into), proof }
    }

    fn seed(&self) -> Option<String> {
        self.proof.seed.as_ref().map(Seed::reveal)
    }

    fn sold(&self) -> usize {
        self.proof.sold.as_ref().map_or(0, Vec::len)
    }
}

/// `GET /raffles/verify`
#[derive(Template)]
#[template(path = "raffles/verify.html", config = "templates/askama.toml")]
struct VerifyPage {
    context: PageContext,
    /// The raffle whose proof is loaded without a file.
    raffle: Option<RaffleId>,
}
