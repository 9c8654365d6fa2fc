//! The form of a new raffle.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use serde::Serialize;

use crate::base::calendar;
use crate::base::values::Invalid;
use crate::raffles::Raffles;
use crate::raffles::domain::{Limit, NewRaffle, Prize, RaffleState, TicketCount, Title};
use crate::raffles::error::RaffleError;
use crate::shared::forms::{RawForm, checked, keyed_request};
use crate::shared::pages::*;
use crate::store::idempotency::{Answer, Idempotency, IdempotentRequest};
use crate::web::respond::answer;

pub(super) fn routes() -> Routes<Raffles> {
    Routes::default().get("/raffles/new", Access::Administrator, new).post(
        "/raffles",
        Access::Administrator,
        create,
    )
}

fn fresh(raffles: &Raffles, typed: RaffleTexts) -> RaffleTexts {
    RaffleTexts { key: raffles.rng.uuid().to_string(), ..typed }
}

async fn new(State(raffles): State<Raffles>, context: PageContext) -> PageAnswer {
    let typed = fresh(&raffles, RaffleTexts::default());
    html(StatusCode::OK, &NewPage::new(context, typed, RaffleMessages::default()))
}

async fn create(State(raffles): State<Raffles>, target: RenderTarget, submission: Submission) -> PageAnswer {
    let (typed, who) = (RaffleTexts::of(&submission.form), &submission.who);
    let new = match typed.raffle() {
        Ok(new) => new,
        Err(wrong) => return show_again(target.context, typed, *wrong),
    };
    let request = typed.idempotent_request(who, raffles.clock.now())?;
    let idempotency = request.map(|request| Idempotency { request, answer: &recorded });
    match raffles.create(&new, who, idempotency.as_ref()).await {
        Ok(done) => {
            let path = done.answer(recorded).location.unwrap_or_else(|| "/raffles".to_owned());
            Ok(target.done(&path, "Raffle opened."))
        }
        Err(error) => not_opened(&raffles, target.context, typed, error),
    }
}

/// Returns the answer for the idempotency record, which leads to the raffle.
fn recorded(raffle: &RaffleState) -> Answer {
    let path = format!("/raffles/{}", raffle.id);
    answer(StatusCode::CREATED, &raffle.id, raffle.version, Some(path))
}

/// Shows the form again with the reason why there is no raffle, or returns the failure.
fn not_opened(raffles: &Raffles, context: PageContext, typed: RaffleTexts, error: RaffleError) -> PageAnswer {
    match error {
        RaffleError::Validation { field: "closesAt", invalid } => {
            let closes_at = Some(invalid.to_string());
            show_again(context, typed, RaffleMessages { closes_at, ..RaffleMessages::default() })
        }
        RaffleError::KeyReused(_) => {
            // The form has opened a raffle with other values, for example before going back in the browser.
            let words = "This form already opened a raffle. Submit it again to open another one.";
            let wrong = RaffleMessages { form: Some(words.to_owned()), ..RaffleMessages::default() };
            show_again(context, fresh(raffles, typed), wrong)
        }
        error => Err(error.into()),
    }
}

fn show_again(context: PageContext, typed: RaffleTexts, wrong: RaffleMessages) -> PageAnswer {
    html(StatusCode::UNPROCESSABLE_ENTITY, &NewPage::new(context, typed, wrong))
}

/// The fields of a new raffle as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct RaffleTexts {
    title: String,
    prize: String,
    tickets: String,
    limit_per_person: String,
    /// The end of the sale in New York time. Empty means the sale ends with the draw.
    closes_at: String,
    /// Which of two moments is meant, if the local time occurs twice: `first` or `second`.
    which: String,
    /// The idempotency key.
    #[serde(skip)]
    key: String,
}

impl Default for RaffleTexts {
    fn default() -> Self {
        Self {
            title: String::new(),
            prize: String::new(),
            tickets: TicketCount::DEFAULT.to_string(),
            limit_per_person: Limit::DEFAULT.to_string(),
            closes_at: String::new(),
            which: String::new(),
            key: String::new(),
        }
    }
}

/// The error message of each field and of the whole form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct RaffleMessages {
    title: Option<String>,
    prize: Option<String>,
    tickets: Option<String>,
    limit: Option<String>,
    closes_at: Option<String>,
    form: Option<String>,
}

impl RaffleTexts {
    /// Reads the fields. A missing field has its default text.
    fn of(form: &RawForm) -> Self {
        let mut typed = Self::default();
        let fields = [
            ("title", &mut typed.title),
            ("prize", &mut typed.prize),
            ("tickets", &mut typed.tickets),
            ("limitPerPerson", &mut typed.limit_per_person),
            ("closesAt", &mut typed.closes_at),
            ("which", &mut typed.which),
            ("key", &mut typed.key),
        ];
        for (name, field) in fields {
            if let Some(text) = form.get(name) {
                text.clone_into(field);
            }
        }
        typed
    }

    /// Parses the fields, or returns a message for each wrong field.
    fn raffle(&self) -> Result<NewRaffle, Box<RaffleMessages>> {
        let mut wrong = Box::<RaffleMessages>::default();
        let title = checked(self.title.parse::<Title>(), &mut wrong.title);
        let prize = checked(self.prize.parse::<Prize>(), &mut wrong.prize);
        let tickets = checked(self.tickets.parse::<TicketCount>(), &mut wrong.tickets);
        let limit = checked(self.limit_per_person.parse::<Limit>(), &mut wrong.limit);
        let closes_at = checked(closing(&self.closes_at, &self.which), &mut wrong.closes_at);
        match (title, prize, tickets, limit, closes_at) {
            (Some(title), Some(prize), Some(tickets), Some(limit), Some(closes_at)) => {
                Ok(NewRaffle { title, prize, tickets, limit, closes_at })
            }
            _ => Err(wrong),
        }
    }

    /// Returns both moments if the typed local time occurs twice in New York.
    fn ambiguous_moments(&self) -> Option<[Timestamp; 2]> {
        let time: DateTime = self.closes_at.trim().parse().ok()?;
        let zoned = calendar::zone().to_ambiguous_zoned(time);
        match zoned.offset() {
            AmbiguousOffset::Fold { .. } => {
                Some([zoned.clone().earlier().ok()?.timestamp(), zoned.later().ok()?.timestamp()])
            }
            _ => None,
        }
    }

    /// Returns this form as an idempotent request, if it has a key.
    fn idempotent_request(
        &self,
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<IdempotentRequest>, WebError> {
        let fields = serde_json::to_vec(self).map_err(|error| WebError::Internal(error.to_string()))?;
        keyed_request(&self.key, &[b"POST", b"/raffles", &fields], who, now)
    }
}

/// Parses a New York local time. An empty text gives `None`.
fn closing(text: &str, which: &str) -> Result<Option<Timestamp>, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let no_time = || Invalid::new("Enter a date and time, for example 2026-11-21 17:00.");
    let time: DateTime = text.parse().map_err(|_| no_time())?;
    let zoned = calendar::zone().to_ambiguous_zoned(time);
    let day = time.strftime("%b %-d, %Y");
    let moment = match (zoned.offset(), which) {
        (AmbiguousOffset::Unambiguous { .. }, _) => zoned.compatible(),
        (AmbiguousOffset::Gap { .. }, _) => {
            let words = "clocks go forward from 2:00 AM to 3:00 AM, so this time doesn't exist.";
            return Err(Invalid::new(format!("On {day} {words} Choose an earlier or later time.")));
        }
        (AmbiguousOffset::Fold { .. }, "first") => zoned.earlier(),
        (AmbiguousOffset::Fold { .. }, "second") => zoned.later(),
        (AmbiguousOffset::Fold { .. }, _) => {
            let words = "clocks go back from 2:00 AM to 1:00 AM, so this time occurs twice.";
            return Err(Invalid::new(format!("On {day} {words} Choose which one you mean.")));
        }
    };
    moment.map(|moment| Some(moment.timestamp())).map_err(|_| no_time())
}

/// `GET /raffles/new`
#[derive(Template)]
#[template(path = "raffles/new.html", config = "templates/askama.toml")]
struct NewPage {
    context: PageContext,
    typed: RaffleTexts,
    wrong: RaffleMessages,
    /// Both moments that the typed end of the sale may mean, if the local time occurs twice.
    ambiguous: Option<[DisplayTime; 2]>,
}

impl NewPage {
    fn new(context: PageContext, typed: RaffleTexts, wrong: RaffleMessages) -> Self {
        let ambiguous = typed.ambiguous_moments().map(|moments| moments.map(DisplayTime::in_new_york));
        Self { context, typed, wrong, ambiguous }
    }

    /// Returns the name of the first wrong field, or of the first field.
    fn focus(&self) -> &'static str {
        let RaffleMessages { title, prize, tickets, limit, closes_at, .. } = &self.wrong;
        let fields = [
            (title, "title"),
            (prize, "prize"),
            (tickets, "tickets"),
            (limit, "limit"),
            (closes_at, "closes"),
        ];
        fields.iter().find(|(message, _)| message.is_some()).map_or("title", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(closes_at: &str, which: &str) -> RaffleTexts {
        let (title, prize) = ("Autumn".to_owned(), "A bicycle".to_owned());
        let (closes_at, which) = (closes_at.to_owned(), which.to_owned());
        RaffleTexts { title, prize, closes_at, which, ..RaffleTexts::default() }
    }

    #[test]
    fn the_end_of_the_sale_is_in_new_york_time_even_in_the_repeated_hour() {
        for (text, which, moment) in [
            ("2026-07-01T17:00", "", "2026-07-01T21:00:00Z"),
            (" 2026-12-01T17:00:30 ", "second", "2026-12-01T22:00:30Z"),
            ("2026-11-01T00:59", "", "2026-11-01T04:59:00Z"),
            ("2026-11-01T01:30", "first", "2026-11-01T05:30:00Z"),
            ("2026-11-01T01:30", "second", "2026-11-01T06:30:00Z"),
            ("2026-11-01T02:00", "", "2026-11-01T07:00:00Z"),
            ("2026-03-08T03:00", "", "2026-03-08T07:00:00Z"),
        ] {
            let raffle = typed(text, which).raffle().unwrap();
            assert_eq!(raffle.closes_at.unwrap().to_string(), moment, "{text}");
        }
        assert_eq!(typed("  ", "").raffle().unwrap().closes_at, None);
    }

    #[test]
    fn a_skipped_or_ambiguous_local_time_is_an_error() {
        let words = |text: &str| typed(text, "").raffle().unwrap_err().closes_at.unwrap();
        assert!(words("2026-03-08T02:30").contains("doesn't exist"), "{}", words("2026-03-08T02:30"));
        assert!(words("2026-11-01T01:30").contains("occurs twice"));
        for text in ["soon", "2026-13-01T00:00", "9999-12-31T23:59:60Z", "17:00"] {
            assert!(words(text).contains("for example"), "{text}");
        }
        let ambiguous = typed("2026-11-01T01:30", "").ambiguous_moments().unwrap();
        assert_eq!(
            ambiguous.map(|moment| moment.to_string()),
            ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"]
        );
        assert_eq!(typed("2026-11-01T02:30", "").ambiguous_moments(), None);
        assert_eq!(typed("2026-03-08T02:30", "").ambiguous_moments(), None);
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let texts = RaffleTexts {
            tickets: "0".to_owned(),
            limit_per_person: "x".to_owned(),
            closes_at: "soon".to_owned(),
            ..RaffleTexts::default()
        };
        let wrong = texts.raffle().unwrap_err();
        for message in [&wrong.title, &wrong.prize, &wrong.tickets, &wrong.limit, &wrong.closes_at] {
            assert!(message.as_ref().is_some_and(|words| words.ends_with('.')), "{wrong:?}");
        }
    }
}
