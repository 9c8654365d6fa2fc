//! The published proof of a draw, and the page that verifies it.

use askama::Template;

use crate::raffles::domain::{Proof, RaffleId, Seed};
use crate::web::pages::{DisplayTime, PageContext};

/// `GET /raffles/{id}/proof`
#[derive(Template)]
#[template(path = "raffles/proof.html")]
pub struct ProofPage {
    pub context: PageContext,
    pub proof: Proof,
    pub opened: DisplayTime,
    pub drawn: Option<DisplayTime>,
}

impl ProofPage {
    pub fn new(context: PageContext, proof: Proof) -> Self {
        Self { context, opened: proof.opened_at.into(), drawn: proof.drawn_at.map(Into::into), proof }
    }

    pub fn seed(&self) -> Option<String> {
        self.proof.seed.as_ref().map(Seed::reveal)
    }

    pub fn sold(&self) -> usize {
        self.proof.sold.as_ref().map_or(0, Vec::len)
    }
}

/// `GET /raffles/verify`
#[derive(Template)]
#[template(path = "raffles/verify.html")]
pub struct VerifyPage {
    pub context: PageContext,
    /// The raffle whose proof is loaded without a file.
    pub raffle: Option<RaffleId>,
}
