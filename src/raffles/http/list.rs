//! The list of raffles.

use super::parts::{Phase, named};
use crate::base::telemetry::late_words;
use crate::raffles::Raffles;
use crate::raffles::domain::RaffleState;
use crate::shared::charts::Bar;
use crate::shared::pages::*;
use crate::web::lists::Listed;
use crate::web::query::address;

pub(super) fn routes() -> Routes<Raffles> {
    Routes::default().get("/raffles", Access::SignedIn, list)
}

/// The raffles of one page.
const LIMIT: u16 = 20;

#[derive(Debug, Deserialize)]
struct ListQuery {
    cursor: Option<String>,
}

async fn list(
    State(raffles): State<Raffles>,
    context: PageContext,
    who: SignedIn,
    Query(query): Query<ListQuery>,
) -> PageAnswer {
    let cursor = query.cursor.filter(|cursor| !cursor.is_empty());
    let page = raffles.list(LIMIT, cursor.as_deref(), &who).await?;
    let is_later = cursor.is_some();
    html(StatusCode::OK, &ListPage { is_later, ..ListPage::new(&raffles, context, page) })
}

/// The start page of participants: the newest raffles.
///
/// # Errors
/// [`Problem`] if the store fails.
pub async fn home(raffles: &Raffles, context: PageContext, who: &SignedIn) -> PageAnswer {
    let page = raffles.list(LIMIT, None, who).await?;
    let greeted = Some(who.name.to_string());
    html(StatusCode::OK, &ListPage { greeted, ..ListPage::new(raffles, context, page) })
}

/// A raffle in the list.
#[derive(Debug, Clone)]
struct Card {
    state: RaffleState,
    phase: Phase,
    /// The time the sale ends, if set.
    closes: Option<DisplayTime>,
}

impl Card {
    fn of(state: RaffleState) -> Self {
        let closes = state.closes_at.map(Into::into);
        Self { phase: Phase::of(&state), closes, state }
    }

    /// Describes the person's own tickets.
    fn mine(&self) -> String {
        match (self.state.mine.as_slice(), &self.state.winner) {
            (_, Some(winner)) if winner.yours => format!("You won with ticket {}", winner.number),
            ([], _) => "No tickets yet".to_owned(),
            (mine, _) => format!("You have {}", named(mine)),
        }
    }

    /// Returns the tickets left as a bar.
    fn left(&self) -> Bar {
        Bar::new(self.state.remaining, self.state.tickets)
    }

    /// Returns whether the card shows when the sale ends.
    fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::SoldOut)
    }
}

/// `GET /raffles`, and the start page of participants.
#[derive(Template)]
#[template(path = "raffles/list.html", config = "templates/askama.toml")]
struct ListPage {
    context: PageContext,
    /// The raffles, newest first.
    cards: Vec<Card>,
    /// The address of the next page.
    next: Option<String>,
    /// Whether there is a previous page.
    is_later: bool,
    /// The name that the page greets.
    greeted: Option<String>,
    /// How late the sales counts are, if they are late.
    late: Option<String>,
}

impl ListPage {
    /// Creates the first page, without a greeting.
    fn new(raffles: &Raffles, context: PageContext, page: Listed<RaffleState>) -> Self {
        Self {
            context,
            cards: page.items.into_iter().map(Card::of).collect(),
            next: page.next.map(|cursor| address("/raffles", [("cursor", cursor)])),
            is_later: false,
            greeted: None,
            late: late_words(raffles.heartbeats.stream_age(raffles.clock.now())),
        }
    }
}
