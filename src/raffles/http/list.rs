//! The list of raffles.

use askama::Template;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::parts::{Answer, Phase, named, percent};
use crate::base::identity::SignedIn;
use crate::base::telemetry::late_words;
use crate::raffles::Raffles;
use crate::raffles::domain::RaffleState;
use crate::raffles::store::RafflePage;
use crate::web::access::Access;
use crate::web::extract::Query;
use crate::web::pages::{DisplayTime, PageContext};
use crate::web::respond::html;
use crate::web::routes::Routes;

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
) -> Answer {
    let cursor = query.cursor.filter(|cursor| !cursor.is_empty());
    let page = raffles.list(LIMIT, cursor.as_deref(), &who).await?;
    html(StatusCode::OK, &ListPage::new(context, page, cursor.is_some()).late(&raffles))
}

/// The start page of participants: the newest raffles.
///
/// # Errors
/// [`Problem`](crate::web::problem::Problem) if the store fails.
pub async fn home(raffles: &Raffles, context: PageContext, who: &SignedIn) -> Answer {
    let page = raffles.list(LIMIT, None, who).await?;
    html(StatusCode::OK, &ListPage::new(context, page, false).late(raffles).greeting(who))
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
            ([], _) => "You have no ticket".to_owned(),
            (mine, _) => format!("You have {}", named(mine)),
        }
    }

    /// Returns the share of tickets left, in percent.
    fn left(&self) -> u32 {
        percent(self.state.remaining, self.state.tickets)
    }

    /// Returns whether the card shows when the sale ends.
    fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::SoldOut)
    }
}

/// `GET /raffles`, and the start page of participants.
#[derive(Template)]
#[template(path = "raffles/list.html")]
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
    /// `is_later` is true for every page except the first.
    fn new(context: PageContext, page: RafflePage, is_later: bool) -> Self {
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
    fn late(self, raffles: &Raffles) -> Self {
        Self { late: late_words(raffles.heartbeats.stream_age(raffles.clock.now())), ..self }
    }

    /// Adds a greeting.
    fn greeting(self, who: &SignedIn) -> Self {
        Self { greeted: Some(who.name.to_string()), ..self }
    }

    /// Returns whether the person may open raffles.
    fn is_for_administrator(&self) -> bool {
        self.context.account.as_ref().is_some_and(SignedIn::is_administrator)
    }
}
