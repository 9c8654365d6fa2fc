//! One raffle as one person sees it: the live section, and the page around it.

use askama::Template;
use uuid::Uuid;

use super::{Phase, counted, named};
use crate::base::identity::SignedIn;
use crate::raffles::domain::{RaffleState, RaffleStatus, TicketNumber, WinnerState};
use crate::web::pages::{DisplayTime, PageContext};

/// Returns a share in percent, at least 1 if `part` is not zero.
pub fn percent(part: u32, whole: u32) -> u32 {
    let percent = u64::from(part) * 100 / u64::from(whole.max(1));
    let percent = u32::try_from(percent).unwrap_or(100).min(100);
    if part > 0 { percent.max(1) } else { 0 }
}

/// The live section of a raffle's page. The page replaces it when the raffle changes.
#[derive(Debug, Clone)]
pub struct LiveView {
    pub state: RaffleState,
    pub phase: Phase,
    /// The idempotency key of the purchase form.
    pub key: Uuid,
    /// The quantity in the purchase form.
    pub quantity: u32,
    /// The time the sale ends or ended, if set.
    pub closes: Option<DisplayTime>,
    pub drawn: Option<DisplayTime>,
}

impl LiveView {
    /// Returns the live section with a purchase form.
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

    /// Returns whether the raffle can still change.
    pub fn is_open(&self) -> bool {
        self.state.status == RaffleStatus::Open
    }

    /// Returns the announcement for screen readers when the raffle enters its current phase.
    pub fn announcement(&self) -> String {
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

    /// Returns the share of tickets left, in percent.
    pub fn left(&self) -> u32 {
        percent(self.state.remaining, self.state.tickets)
    }

    /// Returns why the person cannot buy tickets, as a sentence.
    pub fn reason(&self) -> Option<String> {
        self.state.denial.as_ref().map(|denial| format!("{}.", denial.words))
    }

    /// Describes the person's own tickets.
    pub fn mine(&self) -> String {
        let (held, limit) = (self.state.mine.len(), self.state.limit_per_person);
        match held {
            0 => format!("You have none yet. The limit is {} per person.", counted(limit)),
            _ => format!("{held} of at most {limit}."),
        }
    }

    /// Names the person's tickets that did not win, if there are any.
    pub fn other_tickets(&self) -> Option<String> {
        let winner = self.state.winner.as_ref().map(|winner| winner.number);
        let others: Vec<TicketNumber> =
            self.state.mine.iter().copied().filter(|number| Some(*number) != winner).collect();
        (!others.is_empty()).then(|| named(&others))
    }

    /// Returns whether the person won.
    pub fn is_won(&self) -> bool {
        self.state.winner.as_ref().is_some_and(|winner| winner.yours)
    }

    /// Returns the winner's name and email address if the person may see them.
    pub fn winner_named(&self) -> Option<String> {
        let WinnerState { name, email, yours, .. } = self.state.winner.as_ref()?;
        match (name, email) {
            (Some(name), Some(email)) if !yours => Some(format!("{name}, {email}")),
            _ => None,
        }
    }
}

/// The result of a submitted form, as a notice.
#[derive(Debug, Clone)]
pub struct Notice {
    /// A short headline.
    pub headline: String,
    /// Further details.
    pub detail: String,
    /// Whether the form succeeded.
    pub is_good: bool,
    /// The text for a toast on the next page. It contains no personal data.
    pub toast: &'static str,
}

impl Notice {
    fn good(headline: String, detail: &str, toast: &'static str) -> Self {
        Self { headline, detail: detail.to_owned(), is_good: true, toast }
    }

    fn bad(headline: &str, detail: String, toast: &'static str) -> Self {
        Self { headline: headline.to_owned(), detail, is_good: false, toast }
    }

    pub fn bought(numbers: &[TicketNumber]) -> Self {
        Self::good(format!("You bought {}.", named(numbers)), "Good luck!", "Bought.")
    }

    /// The tickets were bought earlier by the same request, whose reply was lost.
    pub fn already_bought(numbers: &[TicketNumber]) -> Self {
        let detail = "The first try had gone through, so nothing was bought twice.";
        Self::good(format!("You bought {}.", named(numbers)), detail, "Bought.")
    }

    pub fn nothing_bought(why: &str) -> Self {
        let why = if why.ends_with('.') { why.to_owned() } else { format!("{why}.") };
        Self::bad("No ticket was bought.", why, "No ticket was bought.")
    }

    /// The form was used for another purchase before.
    pub fn form_reused() -> Self {
        let detail = "The purchase before this one had gone through after all. Look at your tickets and, if you want \
                      more, buy again.";
        Self::bad("Nothing more was bought.", detail.to_owned(), "Nothing more was bought.")
    }

    pub fn canceled(number: TicketNumber) -> Self {
        let headline = format!("Ticket {number} is back in the pool.");
        Self::good(headline, "", "Your ticket is back in the pool.")
    }

    /// The ticket no longer belongs to the person.
    pub fn not_yours(number: TicketNumber) -> Self {
        let detail = "It was given back before. These are your tickets now.".to_owned();
        Self::bad(&format!("Ticket {number} is not yours any more."), detail, "It was given back before.")
    }

    /// The winner was drawn before the ticket could be canceled.
    pub fn already_drawn() -> Self {
        let words = "The winner is drawn, so tickets can no longer be given back.";
        Self::bad("The ticket stays yours.", words.to_owned(), words)
    }
}

/// `GET /raffles/{id}`
#[derive(Template)]
#[template(path = "raffles/raffle.html")]
pub struct RafflePage {
    pub context: PageContext,
    pub live: LiveView,
    pub notice: Option<Notice>,
}

impl RafflePage {
    /// Returns whether the person may draw the winner.
    pub fn is_for_administrator(&self) -> bool {
        self.context.account.as_ref().is_some_and(SignedIn::is_administrator)
    }
}

/// `GET /raffles/{id}/live`, and the answer to forms on the page: the live section and the notice. The notice is
/// outside the live section, so that the next poll does not remove it.
#[derive(Template)]
#[template(path = "raffles/live.html")]
pub struct LiveFragment {
    pub context: PageContext,
    pub live: LiveView,
    pub notice: Option<Notice>,
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_bar_with_a_nonzero_share_is_never_empty() {
        for (part, whole, width) in [(0, 100, 0), (1, 100_000, 1), (37, 100, 37), (100, 100, 100), (0, 0, 0)]
        {
            assert_eq!(percent(part, whole), width);
        }
    }
}
