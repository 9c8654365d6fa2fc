//! One raffle, as one person sees it: the part that lives, and the page around it.

use askama::Template;
use uuid::Uuid;

use super::{Phase, counted, named};
use crate::base::identity::SignedIn;
use crate::raffles::domain::{RaffleState, RaffleStatus, TicketNumber, WinnerState};
use crate::web::pages::{DisplayTime, PageContext};

/// How much a part is of a whole, of 100; something is never nothing.
pub fn percent(part: u32, whole: u32) -> u32 {
    let percent = u64::from(part) * 100 / u64::from(whole.max(1));
    let percent = u32::try_from(percent).unwrap_or(100).min(100);
    if part > 0 { percent.max(1) } else { 0 }
}

/// What a raffle's page shows of it, and shows anew when it changes.
#[derive(Debug, Clone)]
pub struct LiveView {
    /// The raffle.
    pub state: RaffleState,
    /// Where it stands.
    pub phase: Phase,
    /// What makes sending the form of a purchase twice one purchase.
    pub key: Uuid,
    /// How many tickets the form asks for.
    pub quantity: u32,
    /// When the sale ends by itself, or ended.
    pub closes: Option<DisplayTime>,
    /// When the winner was drawn.
    pub drawn: Option<DisplayTime>,
}

impl LiveView {
    /// A raffle with the form of a purchase.
    pub fn new(state: RaffleState, key: Uuid, quantity: u32) -> Self {
        Self {
            phase: Phase::of(&state),
            key,
            quantity: quantity.clamp(1, state.may_buy.max(1)),
            closes: state.closes_at.map(Into::into),
            drawn: state.drawn_at.map(Into::into),
            state,
        }
    }

    /// Whether it changes any more.
    pub fn is_open(&self) -> bool {
        self.state.status == RaffleStatus::Open
    }

    /// What the page says aloud when the raffle comes to where it stands now.
    pub fn said(&self) -> String {
        match (self.phase, &self.state.winner) {
            (Phase::Drawn, Some(winner)) if winner.yours => {
                format!("The winner is drawn: you won with ticket {}!", winner.number)
            }
            (Phase::Drawn, Some(winner)) => format!("The winner is drawn: ticket {}.", winner.number),
            (Phase::Over, _) => "The sale is over.".to_owned(),
            (Phase::SoldOut, _) => "Sold out.".to_owned(),
            _ => String::new(),
        }
    }

    /// How much of it is left, of 100.
    pub fn left(&self) -> u32 {
        percent(self.state.remaining, self.state.tickets)
    }

    /// Why nothing can be bought, in a sentence.
    pub fn reason(&self) -> Option<String> {
        self.state.denial.as_ref().map(|denial| format!("{}.", denial.words))
    }

    /// What one has, in words.
    pub fn mine(&self) -> String {
        let (held, limit) = (self.state.mine.len(), self.state.limit_per_person);
        match held {
            0 => format!("You have none yet. The limit is {} per person.", counted(limit)),
            _ => format!("{held} of at most {limit}."),
        }
    }

    /// One's own tickets that did not win, in words; none where there is none.
    pub fn other_tickets(&self) -> Option<String> {
        let winner = self.state.winner.as_ref().map(|winner| winner.number);
        let others: Vec<TicketNumber> =
            self.state.mine.iter().copied().filter(|number| Some(*number) != winner).collect();
        (!others.is_empty()).then(|| named(&others))
    }

    /// Whether one won.
    pub fn is_won(&self) -> bool {
        self.state.winner.as_ref().is_some_and(|winner| winner.yours)
    }

    /// The winner's name and address, for whoever may know them.
    pub fn winner_named(&self) -> Option<String> {
        let WinnerState { name, email, yours, .. } = self.state.winner.as_ref()?;
        match (name, email) {
            (Some(name), Some(email)) if !yours => Some(format!("{name}, {email}")),
            _ => None,
        }
    }
}

/// What came of something that a person sent.
#[derive(Debug, Clone)]
pub struct Told {
    /// What is said first, in a few words.
    pub headline: String,
    /// The rest.
    pub detail: String,
    /// Whether it is what was wanted.
    pub is_good: bool,
    /// The same for a page that comes after it, naming nobody and nothing.
    pub toast: &'static str,
}

impl Told {
    fn good(headline: String, detail: &str, toast: &'static str) -> Self {
        Self { headline, detail: detail.to_owned(), is_good: true, toast }
    }

    fn bad(headline: &str, detail: String, toast: &'static str) -> Self {
        Self { headline: headline.to_owned(), detail, is_good: false, toast }
    }

    /// That tickets were bought.
    pub fn bought(numbers: &[TicketNumber]) -> Self {
        Self::good(format!("You bought {}.", named(numbers)), "Good luck!", "Bought.")
    }

    /// That they had been bought already, by the same request with a lost reply.
    pub fn bought_before(numbers: &[TicketNumber]) -> Self {
        let detail = "The first try had gone through, so nothing was bought twice.";
        Self::good(format!("You bought {}.", named(numbers)), detail, "Bought.")
    }

    /// That nothing was bought, and why.
    pub fn nothing_bought(why: &str) -> Self {
        let why = if why.ends_with('.') { why.to_owned() } else { format!("{why}.") };
        Self::bad("No ticket was bought.", why, "No ticket was bought.")
    }

    /// That the form had bought something else before.
    pub fn another_form() -> Self {
        let detail = "The purchase before this one had gone through after all. Look at your tickets and, if you want \
                      more, buy again.";
        Self::bad("Nothing more was bought.", detail.to_owned(), "Nothing more was bought.")
    }

    /// That a ticket was given back.
    pub fn given_back(number: TicketNumber) -> Self {
        let headline = format!("Ticket {number} is back in the pool.");
        Self::good(headline, "", "Your ticket is back in the pool.")
    }

    /// That a ticket was not one's own any more.
    pub fn gone(number: TicketNumber) -> Self {
        let detail = "It was given back before. These are your tickets now.".to_owned();
        Self::bad(&format!("Ticket {number} is not yours any more."), detail, "It was given back before.")
    }

    /// That the draw came before a ticket was given back.
    pub fn drawn_meanwhile() -> Self {
        let words = "The winner was drawn meanwhile, so no ticket is given back any more.";
        Self::bad("The ticket stays yours.", words.to_owned(), words)
    }
}

/// `GET /raffles/{id}`
#[derive(Template)]
#[template(path = "raffles/raffle.html")]
pub struct RafflePage {
    /// The shell.
    pub context: PageContext,
    /// The raffle.
    pub live: LiveView,
    /// What came of what was sent.
    pub told: Option<Told>,
}

impl RafflePage {
    /// Whether whoever looks may draw.
    pub fn is_for_administrator(&self) -> bool {
        self.context.account.as_ref().is_some_and(SignedIn::is_administrator)
    }
}

/// `GET /raffles/{id}/live`, and what forms on the page are answered: the part that lives, and what came of what was
/// sent, which stands beside it so that the next news do not take it away.
#[derive(Template)]
#[template(path = "raffles/live.html")]
pub struct LivePart {
    /// The shell.
    pub context: PageContext,
    /// The raffle.
    pub live: LiveView,
    /// What came of what was sent; none where nothing was.
    pub told: Option<Told>,
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_bar_of_something_is_never_empty() {
        for (part, whole, width) in [(0, 100, 0), (1, 100_000, 1), (37, 100, 37), (100, 100, 100), (0, 0, 0)]
        {
            assert_eq!(percent(part, whole), width);
        }
    }
}
