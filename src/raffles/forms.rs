//! What people send with the forms of raffles: read as typed, then understood. Pure.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::domain::{Limit, NewRaffle, Prize, Quantity, RaffleId, TicketCount, Title};
use crate::base::calendar;
use crate::base::identity::SignedIn;
use crate::base::values::{Invalid, Version};
use crate::store::ledger::{IdempotencyKey, IdempotentRequest};
use crate::web::error::WebError;

/// A request of this person's that happens once under the key of its form.
fn once(
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

/// What the form of a purchase holds. The page sends it along when it asks for news, and gets it back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct BuyForm {
    /// What makes sending the form twice one purchase.
    pub key: String,
    /// How many tickets.
    pub quantity: String,
    /// What the page has seen of the raffle.
    pub seen: String,
}

impl BuyForm {
    /// The key, if it is one that a page of ours gave.
    pub fn key(&self) -> Option<Uuid> {
        Uuid::try_parse(&self.key).ok()
    }

    /// How many tickets are asked for; one, if nothing is said.
    ///
    /// # Errors
    /// For what is no such number.
    pub fn quantity(&self) -> Result<Quantity, Invalid> {
        match self.quantity.trim() {
            "" => Ok(Quantity::ONE),
            text => text.parse(),
        }
    }

    /// This form as a request that happens once, if it carries a key.
    ///
    /// # Errors
    /// [`WebError::Malformed`] for a key that can be none.
    pub fn once(
        &self,
        id: RaffleId,
        quantity: Quantity,
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<IdempotentRequest>, WebError> {
        let (path, quantity) = (format!("/raffles/{id}/tickets"), quantity.to_string());
        once(&self.key, &[b"POST", path.as_bytes(), quantity.as_bytes()], who, now)
    }
}

/// What the form that gives a ticket back holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CancelForm {
    version: Option<String>,
    /// The page of the list on which it stands; none where one's own ticket is given back.
    pub cursor: Option<String>,
}

impl CancelForm {
    /// The version of the ticket that is meant.
    ///
    /// # Errors
    /// [`WebError::Invalid`] for what is none.
    pub fn version(&self) -> Result<Option<Version>, WebError> {
        let read = |text: &String| text.parse().map_err(|invalid| WebError::field("version", &invalid));
        self.version.as_ref().map(read).transpose()
    }
}

/// The fields of a new raffle as they were typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RaffleTexts {
    /// What it is called.
    pub title: String,
    /// What can be won.
    pub prize: String,
    /// How many tickets.
    pub tickets: String,
    /// The most that one person may have.
    pub limit_per_person: String,
    /// When the sale ends, by New York's clock; empty for the draw.
    pub closes_at: String,
    /// Which of the two, where the clock shows that time twice.
    pub which: String,
    /// What makes sending the form twice one raffle.
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

/// What is wrong with each field, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RaffleMessages {
    /// With the title.
    pub title: Option<String>,
    /// With the prize.
    pub prize: Option<String>,
    /// With the number of tickets.
    pub tickets: Option<String>,
    /// With the limit.
    pub limit: Option<String>,
    /// With the end of the sale.
    pub closes_at: Option<String>,
}

impl RaffleTexts {
    /// The raffle that the fields say, or what is wrong with each of them.
    ///
    /// # Errors
    /// A message for each field that is wrong.
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

    /// The two moments at which New York's clock shows the time that was typed, where there are two.
    pub fn twice(&self) -> Option<[Timestamp; 2]> {
        let time: DateTime = self.closes_at.trim().parse().ok()?;
        let zoned = calendar::zone().to_ambiguous_zoned(time);
        match zoned.offset() {
            AmbiguousOffset::Fold { .. } => {
                Some([zoned.clone().earlier().ok()?.timestamp(), zoned.later().ok()?.timestamp()])
            }
            _ => None,
        }
    }

    /// This form as a request that happens once, if it carries a key.
    ///
    /// # Errors
    /// [`WebError::Malformed`] for a key that can be none.
    pub fn once(&self, who: &SignedIn, now: Timestamp) -> Result<Option<IdempotentRequest>, WebError> {
        let fields = serde_json::to_vec(self).map_err(|error| WebError::Internal(error.to_string()))?;
        once(&self.key, &[b"POST", b"/raffles", &fields], who, now)
    }
}

fn read<T>(value: Result<T, Invalid>, wrong: &mut Option<String>) -> Option<T> {
    value.map_err(|invalid| *wrong = Some(invalid.to_string())).ok()
}

/// The moment at which New York's clock shows a time; none for nothing.
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
    fn the_sale_ends_by_new_yorks_clock_also_in_the_hour_that_comes_twice() {
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
    fn a_time_that_does_not_exist_or_comes_twice_is_told_in_words() {
        let words = |text: &str| typed(text, "").raffle().unwrap_err().closes_at.unwrap();
        assert!(words("2026-03-08T02:30").contains("left out"), "{}", words("2026-03-08T02:30"));
        assert!(words("2026-11-01T01:30").contains("comes twice"));
        for text in ["soon", "2026-13-01T00:00", "9999-12-31T23:59:60Z", "17:00"] {
            assert!(words(text).contains("for example"), "{text}");
        }
        let twice = typed("2026-11-01T01:30", "").twice().unwrap();
        assert_eq!(twice.map(|moment| moment.to_string()), ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"]);
        assert_eq!(typed("2026-11-01T02:30", "").twice(), None);
        assert_eq!(typed("2026-03-08T02:30", "").twice(), None);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
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
    fn only_a_key_of_ours_is_given_back() {
        let form = |key: &str| BuyForm { key: key.to_owned(), ..BuyForm::default() };
        assert!(form("019f0000-0000-7000-8000-000000000000").key().is_some());
        assert!(form("\"><script>").key().is_none());
        assert_eq!(form("").quantity().unwrap(), Quantity::ONE);
    }
}
