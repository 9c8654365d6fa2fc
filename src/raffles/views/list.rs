//! The list of raffles.

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
    pub state: RaffleState,
    pub phase: Phase,
    /// The time the sale ends, if set.
    pub closes: Option<DisplayTime>,
}

impl Card {
    fn of(state: RaffleState) -> Self {
        let closes = state.closes_at.map(Into::into);
        Self { phase: Phase::of(&state), closes, state }
    }

    /// Describes the person's own tickets.
    pub fn mine(&self) -> String {
        match (self.state.mine.as_slice(), &self.state.winner) {
            (_, Some(winner)) if winner.yours => format!("You won with ticket {}", winner.number),
            ([], _) => "You have no ticket".to_owned(),
            (mine, _) => format!("You have {}", named(mine)),
        }
    }

    /// Returns the share of tickets left, in percent.
    pub fn left(&self) -> u32 {
        super::raffle::percent(self.state.remaining, self.state.tickets)
    }

    /// Returns whether the card shows when the sale ends.
    pub fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::SoldOut)
    }
}

/// `GET /raffles`, and the start page of participants.
#[derive(Template)]
#[template(path = "raffles/list.html")]
pub struct ListPage {
    pub context: PageContext,
    /// The raffles, newest first.
    pub cards: Vec<Card>,
    /// The address of the next page.
    pub next: Option<String>,
    /// Whether there is a previous page.
    pub is_later: bool,
    /// The name that the page greets.
    pub greeted: Option<String>,
    /// How late the sales counts are, if they are late.
    pub late: Option<String>,
}

impl ListPage {
    /// `is_later` is true for every page except the first.
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

    /// Adds a warning if the sales counts are late.
    pub fn late(self, raffles: &Raffles) -> Self {
        Self { late: late_words(raffles.heartbeats.stream_age(raffles.clock.now())), ..self }
    }

    /// Adds a greeting.
    pub fn greeting(self, who: &SignedIn) -> Self {
        Self { greeted: Some(who.name.to_string()), ..self }
    }

    /// Returns whether the person may open raffles.
    pub fn is_for_administrator(&self) -> bool {
        self.context.account.as_ref().is_some_and(SignedIn::is_administrator)
    }
}
