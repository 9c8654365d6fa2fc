//! The form of a new raffle.

use askama::Template;

use crate::raffles::domain::{Limit, Prize, TicketCount, Title};
use crate::raffles::forms::{RaffleMessages, RaffleTexts};
use crate::web::pages::{DisplayTime, PageContext};

/// `GET /raffles/new`
#[derive(Template)]
#[template(path = "raffles/new.html")]
pub struct NewPage {
    pub context: PageContext,
    pub typed: RaffleTexts,
    /// The error message of each field.
    pub wrong: RaffleMessages,
    /// Both moments that the typed end of the sale may mean, if the local time occurs ambiguous.
    pub ambiguous: Option<[DisplayTime; 2]>,
    /// An error that concerns the whole form.
    pub error: Option<&'static str>,
}

impl NewPage {
    pub fn new(context: PageContext, typed: RaffleTexts, wrong: RaffleMessages) -> Self {
        let ambiguous = typed.ambiguous_moments().map(|moments| moments.map(Into::into));
        Self { context, typed, wrong, ambiguous, error: None }
    }

    /// Reports that this form has already opened a raffle with other values, for example after going back in the
    /// browser.
    pub fn already_submitted(self) -> Self {
        let error = "This form has opened a raffle already. Send it again to open another one.";
        Self { error: Some(error), ..self }
    }

    /// Returns the name of the first wrong field, or of the first field.
    pub fn focus(&self) -> &'static str {
        let RaffleMessages { title, prize, tickets, limit, closes_at } = &self.wrong;
        let fields = [
            (title, "title"),
            (prize, "prize"),
            (tickets, "tickets"),
            (limit, "limit"),
            (closes_at, "closes"),
        ];
        fields.iter().find(|(message, _)| message.is_some()).map_or("title", |(_, name)| name)
    }

    pub fn title_maximum(&self) -> usize {
        Title::MAX_CHARS
    }

    pub fn prize_maximum(&self) -> usize {
        Prize::MAX_CHARS
    }

    pub fn tickets_maximum(&self) -> u32 {
        TicketCount::MAX
    }

    pub fn limit_maximum(&self) -> u32 {
        Limit::MAX
    }
}
