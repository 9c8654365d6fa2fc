//! The forms of raffles: fields as typed, and their parsed values. Pure.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::domain::{Limit, NewRaffle, Prize, Quantity, RaffleId, TicketCount, Title};
use crate::base::calendar;
use crate::base::identity::SignedIn;
use crate::base::values::{Invalid, Version};
use crate::store::idempotency::{IdempotencyKey, IdempotentRequest};
use crate::web::error::WebError;

/// Returns the request behind a form, if the form carries an idempotency key.
fn idempotent_request(
    key: &str,
    parts: &[&[u8]],
    who: &SignedIn,
    now: Timestamp,
) -> Result<Option<IdempotentRequest>, WebError> {
    if key.is_empty() {
        return Ok(None);
    }
    let key: IdempotencyKey =
        key.parse().map_err(|invalid: Invalid| WebError::Malformed(invalid.to_string()))?;
    Ok(Some(IdempotentRequest::new(&who.id.to_string(), key, parts, now)))
}

/// The purchase form. The page also sends it when it polls, and gets it back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct BuyForm {
    /// The idempotency key.
    pub key: String,
    /// How many tickets to buy.
    pub quantity: String,
    /// The tag of the raffle that the page shows.
    pub seen: String,
}

impl BuyForm {
    /// Returns the key if it is a UUID, as our pages make them.
    pub fn key(&self) -> Option<Uuid> {
        Uuid::try_parse(&self.key).ok()
    }

    /// Returns how many tickets to buy. An empty field means one.
    ///
    /// # Errors
    /// If the field is not a valid quantity.
    pub fn quantity(&self) -> Result<Quantity, Invalid> {
        match self.quantity.trim() {
            "" => Ok(Quantity::ONE),
            text => text.parse(),
        }
    }

    /// Returns the request behind this form, if the form carries an idempotency key.
    ///
    /// # Errors
    /// [`WebError::Malformed`] for an invalid key.
    pub fn idempotent_request(
        &self,
        id: RaffleId,
        quantity: Quantity,
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<IdempotentRequest>, WebError> {
        let (path, quantity) = (format!("/raffles/{id}/tickets"), quantity.to_string());
        idempotent_request(&self.key, &[b"POST", path.as_bytes(), quantity.as_bytes()], who, now)
    }
}

/// The form that cancels a ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CancelForm {
    version: Option<String>,
    /// The cursor of the page of tickets, if an administrator cancels a ticket in the list.
    pub cursor: Option<String>,
}

impl CancelForm {
    /// Returns the version of the ticket, if given.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for an invalid version.
    pub fn version(&self) -> Result<Option<Version>, WebError> {
        let read = |text: &String| text.parse().map_err(|invalid| WebError::field("version", &invalid));
        self.version.as_ref().map(read).transpose()
    }
}

/// The fields of a new raffle as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RaffleTexts {
    pub title: String,
    pub prize: String,
    pub tickets: String,
    pub limit_per_person: String,
    /// The end of the sale in New York time. Empty means the sale ends with the draw.
    pub closes_at: String,
    /// Which of two moments is meant, if the local time occurs twice: `first` or `second`.
    pub which: String,
    /// The idempotency key.
    #[serde(skip_serializing)]
    pub key: String,
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

/// The error message of each field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RaffleMessages {
    pub title: Option<String>,
    pub prize: Option<String>,
    pub tickets: Option<String>,
    pub limit: Option<String>,
    pub closes_at: Option<String>,
}

impl RaffleTexts {
    /// Parses the fields.
    ///
    /// # Errors
    /// A message for each wrong field.
    pub fn raffle(&self) -> Result<NewRaffle, Box<RaffleMessages>> {
        let mut wrong = Box::<RaffleMessages>::default();
        let title = read(self.title.parse::<Title>(), &mut wrong.title);
        let prize = read(self.prize.parse::<Prize>(), &mut wrong.prize);
        let tickets = read(self.tickets.parse::<TicketCount>(), &mut wrong.tickets);
        let limit = read(self.limit_per_person.parse::<Limit>(), &mut wrong.limit);
        let closes_at = read(closing(&self.closes_at, &self.which), &mut wrong.closes_at);
        match (title, prize, tickets, limit, closes_at) {
            (Some(title), Some(prize), Some(tickets), Some(limit), Some(closes_at)) => {
                Ok(NewRaffle { title, prize, tickets, limit, closes_at })
            }
            _ => Err(wrong),
        }
    }

    /// Returns both moments if the typed local time occurs twice in New York.
    pub fn ambiguous_moments(&self) -> Option<[Timestamp; 2]> {
        let time: DateTime = self.closes_at.trim().parse().ok()?;
        let zoned = calendar::zone().to_ambiguous_zoned(time);
        match zoned.offset() {
            AmbiguousOffset::Fold { .. } => {
                Some([zoned.clone().earlier().ok()?.timestamp(), zoned.later().ok()?.timestamp()])
            }
            _ => None,
        }
    }

    /// Returns the request behind this form, if the form carries an idempotency key.
    ///
    /// # Errors
    /// [`WebError::Malformed`] for an invalid key.
    pub fn idempotent_request(
        &self,
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<IdempotentRequest>, WebError> {
        let fields = serde_json::to_vec(self).map_err(|error| WebError::Internal(error.to_string()))?;
        idempotent_request(&self.key, &[b"POST", b"/raffles", &fields], who, now)
    }
}

fn read<T>(value: Result<T, Invalid>, wrong: &mut Option<String>) -> Option<T> {
    value.map_err(|invalid| *wrong = Some(invalid.to_string())).ok()
}

/// Parses a New York local time. An empty text gives `None`.
fn closing(text: &str, which: &str) -> Result<Option<Timestamp>, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let no_time = || Invalid::new("Give the day and the time, for example 2026-11-21 17:00.");
    let time: DateTime = text.parse().map_err(|_| no_time())?;
    let zoned = calendar::zone().to_ambiguous_zoned(time);
    let day = time.strftime("%b %-d, %Y");
    let moment = match (zoned.offset(), which) {
        (AmbiguousOffset::Unambiguous { .. }, _) => zoned.compatible(),
        (AmbiguousOffset::Gap { .. }, _) => {
            let words = "clocks in New York go forward from 2:00 AM to 3:00 AM, and this time is left out.";
            return Err(Invalid::new(format!("On {day} {words} Choose one before or after.")));
        }
        (AmbiguousOffset::Fold { .. }, "first") => zoned.earlier(),
        (AmbiguousOffset::Fold { .. }, "second") => zoned.later(),
        (AmbiguousOffset::Fold { .. }, _) => {
            let words = "clocks in New York go back from 2:00 AM to 1:00 AM, and this time comes twice.";
            return Err(Invalid::new(format!("On {day} {words} Choose which is meant.")));
        }
    };
    moment.map(|moment| Some(moment.timestamp())).map_err(|_| no_time())
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
        assert!(words("2026-03-08T02:30").contains("left out"), "{}", words("2026-03-08T02:30"));
        assert!(words("2026-11-01T01:30").contains("comes twice"));
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

    #[test]
    fn only_a_uuid_is_accepted_as_a_key() {
        let form = |key: &str| BuyForm { key: key.to_owned(), ..BuyForm::default() };
        assert!(form("019f0000-0000-7000-8000-000000000000").key().is_some());
        assert!(form("\"><script>").key().is_none());
        assert_eq!(form("").quantity().unwrap(), Quantity::ONE);
    }
}
