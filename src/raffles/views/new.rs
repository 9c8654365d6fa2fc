//! The form of a new raffle.

use askama::Template;

use crate::raffles::domain::{Limit, Prize, TicketCount, Title};
use crate::raffles::forms::{RaffleMessages, RaffleTexts};
use crate::web::pages::{DisplayTime, PageContext};

/// `GET /raffles/new`
#[derive(Template)]
#[template(path = "raffles/new.html")]
pub struct NewPage {
    /// The shell.
    pub context: PageContext,
    /// What was typed.
    pub typed: RaffleTexts,
    /// What is wrong with it.
    pub wrong: RaffleMessages,
    /// The two moments that the end of the sale may mean.
    pub twice: Option<[DisplayTime; 2]>,
    /// What is wrong with all of it.
    pub error: Option<&'static str>,
}

impl NewPage {
    /// The form as it was typed.
    pub fn new(context: PageContext, typed: RaffleTexts, wrong: RaffleMessages) -> Self {
        let twice = typed.twice().map(|moments| moments.map(Into::into));
        Self { context, typed, wrong, twice, error: None }
    }

    /// The form opened a raffle before and says something else by now, as after going back in the browser.
    pub fn sent_before(self) -> Self {
        let error = "This form has opened a raffle already. Send it again to open another one.";
        Self { error: Some(error), ..self }
    }

    /// The name of the first field that is wrong, or of the first.
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

    /// The longest title.
    pub fn title_maximum(&self) -> usize {
        Title::MAX_CHARS
    }

    /// The longest prize.
    pub fn prize_maximum(&self) -> usize {
        Prize::MAX_CHARS
    }

    /// The most tickets.
    pub fn tickets_maximum(&self) -> u32 {
        TicketCount::MAX
    }

    /// The largest limit.
    pub fn limit_maximum(&self) -> u32 {
        Limit::MAX
    }
}
