//! All raffles.

use askama::Template;

use super::{Phase, named};
use crate::base::identity::SignedIn;
use crate::base::telemetry::late_words;
use crate::raffles::Raffles;
use crate::raffles::domain::RaffleState;
use crate::raffles::store::RafflePage;
use crate::web::pages::{DisplayTime, PageContext};

/// A raffle in the list.
#[derive(Debug, Clone)]
pub struct Card {
    /// The raffle.
    pub state: RaffleState,
    /// Where it stands.
    pub phase: Phase,
    /// When the sale ends by itself.
    pub closes: Option<DisplayTime>,
}

impl Card {
    fn of(state: RaffleState) -> Self {
        let closes = state.closes_at.map(Into::into);
        Self { phase: Phase::of(&state), closes, state }
    }

    /// What one has in it, in words.
    pub fn mine(&self) -> String {
        match (self.state.mine.as_slice(), &self.state.winner) {
            (_, Some(winner)) if winner.yours => format!("You won with ticket {}", winner.number),
            ([], _) => "You have no ticket".to_owned(),
            (mine, _) => format!("You have {}", named(mine)),
        }
    }

    /// How much of it is left, of 100.
    pub fn left(&self) -> u32 {
        super::raffle::percent(self.state.remaining, self.state.tickets)
    }

    /// Whether the sale will end by itself.
    pub fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::SoldOut)
    }
}

/// `GET /raffles`, and the start page of participants.
#[derive(Template)]
#[template(path = "raffles/list.html")]
pub struct ListPage {
    /// The shell.
    pub context: PageContext,
    /// The raffles, newest first.
    pub cards: Vec<Card>,
    /// The address of the next page.
    pub next: Option<String>,
    /// Whether there is a page before.
    pub is_later: bool,
    /// Whom the page greets.
    pub greeted: Option<String>,
    /// How late what is sold is, in words.
    pub late: Option<String>,
}

impl ListPage {
    /// A page of raffles; `is_later` if it is not the first.
    pub fn new(context: PageContext, page: RafflePage, is_later: bool) -> Self {
        let address = |cursor: String| {
            let query = serde_urlencoded::to_string([("cursor", cursor)]).ok()?;
            Some(format!("/raffles?{query}"))
        };
        Self {
            context,
            cards: page.raffles.into_iter().map(Card::of).collect(),
            next: page.next.and_then(address),
            is_later,
            greeted: None,
            late: None,
        }
    }

    /// The same, which says so if what is sold is counted late.
    pub fn late(self, raffles: &Raffles) -> Self {
        Self { late: late_words(raffles.heartbeats.stream_age(raffles.clock.now())), ..self }
    }

    /// The same, greeting somebody.
    pub fn greeting(self, who: &SignedIn) -> Self {
        Self { greeted: Some(who.name.to_string()), ..self }
    }

    /// Whether whoever looks may open raffles.
    pub fn is_for_administrator(&self) -> bool {
        self.context.account.as_ref().is_some_and(SignedIn::is_administrator)
    }
}
