//! What is published of a draw, and the page that checks it.

use askama::Template;

use crate::raffles::domain::{Proof, RaffleId, Seed};
use crate::web::pages::{DisplayTime, PageContext};

/// `GET /raffles/{id}/proof`
#[derive(Template)]
#[template(path = "raffles/proof.html")]
pub struct ProofPage {
    /// The shell.
    pub context: PageContext,
    /// What is published.
    pub proof: Proof,
    /// When the commitment was published.
    pub opened: DisplayTime,
    /// When the winner was drawn.
    pub drawn: Option<DisplayTime>,
}

impl ProofPage {
    /// What is published of a raffle.
    pub fn new(context: PageContext, proof: Proof) -> Self {
        Self { context, opened: proof.opened_at.into(), drawn: proof.drawn_at.map(Into::into), proof }
    }

    /// The seed, once drawn.
    pub fn seed(&self) -> Option<String> {
        self.proof.seed.as_ref().map(Seed::reveal)
    }

    /// How many tickets were in the draw.
    pub fn sold(&self) -> usize {
        self.proof.sold.as_ref().map_or(0, Vec::len)
    }
}

/// `GET /raffles/verify`
#[derive(Template)]
#[template(path = "raffles/verify.html")]
pub struct VerifyPage {
    /// The shell.
    pub context: PageContext,
    /// The raffle whose proof is checked without a file.
    pub raffle: Option<RaffleId>,
}
