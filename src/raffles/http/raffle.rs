//! The page of one raffle: viewing it, buying tickets, and canceling them.
//!
//! The idempotency key of a purchase form stays the same until the purchase has an answer, even if the page polls in
//! between. So a retry after a lost reply buys nothing twice.

use jiff::Timestamp;
use uuid::Uuid;

use super::manage;
use super::parts::{DRAWN, Phase, named};
use crate::base::text::isolated;
use crate::base::values::Invalid;
use crate::raffles::Raffles;
use crate::raffles::buy::Purchase;
use crate::raffles::domain::{Quantity, RaffleId, RaffleState, RaffleStatus, TicketNumber, WinnerState};
use crate::raffles::error::RaffleError;
use crate::shared::charts::Bar;
use crate::shared::forms::{RawForm, keyed_request};
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::store::idempotency::{Answer, Done, Idempotency, IdempotentRequest};
use crate::web::extract::PathPair;
use crate::web::respond::answer;

pub(super) fn routes() -> Routes<Raffles> {
    Routes::default()
        .get("/raffles/{id}", Access::SignedIn, show)
        .get("/raffles/{id}/live", Access::SignedIn, live)
        .post("/raffles/{id}/tickets", Access::SignedIn, buy)
        .post("/raffles/{id}/tickets/{number}/cancel", Access::SignedIn, cancel)
}

/// Returns the raffle with a new purchase form.
fn fresh(raffles: &Raffles, state: RaffleState) -> LiveView {
    LiveView::new(state, raffles.rng.uuid(), 1)
}

async fn current(raffles: &Raffles, id: RaffleId, who: &SignedIn) -> Result<LiveView, RaffleError> {
    Ok(fresh(raffles, raffles.read(id, who).await?))
}

async fn show(
    State(raffles): State<Raffles>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<RaffleId>,
) -> PageAnswer {
    let live = current(&raffles, id, &who).await?;
    html(StatusCode::OK, &RafflePage { context, live, notice: None })
}

/// Returns the raffle if it has changed since the page's last poll, else 204.
async fn live(
    State(raffles): State<Raffles>,
    target: RenderTarget,
    who: SignedIn,
    Path(id): Path<RaffleId>,
    Query(form): Query<BuyForm>,
) -> PageAnswer {
    if !target.fragment {
        return Ok(target.redirect(&format!("/raffles/{id}")));
    }
    let Some(state) = raffles.read_changed(id, &who, &form.seen).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let key = form.key().unwrap_or_else(|| raffles.rng.uuid());
    let quantity = form.quantity().map_or(1, |quantity| quantity.get());
    let live = LiveView::new(state, key, quantity);
    html(StatusCode::OK, &LiveFragment { context: target.context, live, notice: None })
}

async fn buy(
    State(raffles): State<Raffles>,
    target: RenderTarget,
    Path(id): Path<RaffleId>,
    submission: Submission,
) -> PageAnswer {
    let (form, who) = (BuyForm::of(&submission.form), &submission.who);
    let quantity = match form.quantity() {
        Ok(quantity) => quantity,
        Err(invalid) => {
            let (live, notice) =
                (current(&raffles, id, who).await?, Notice::nothing_bought(&invalid.to_string()));
            return show_result(target, StatusCode::UNPROCESSABLE_ENTITY, live, notice);
        }
    };
    let request = form.idempotent_request(id, quantity, who, raffles.clock.now())?;
    let idempotency = request.map(|request| Idempotency { request, answer: &recorded });
    match raffles.buy(id, quantity, who, idempotency.as_ref()).await {
        Ok(done) => bought(&raffles, target, id, who, done).await,
        Err(error) => not_bought(&raffles, target, id, who, error).await,
    }
}

/// Returns the answer for the idempotency record of a purchase: its ticket numbers.
fn recorded(purchase: &Purchase) -> Answer {
    answer(StatusCode::CREATED, &purchase.numbers, purchase.raffle.version, None)
}

/// Shows the tickets that a purchase got, now or before.
async fn bought(
    raffles: &Raffles,
    target: RenderTarget,
    id: RaffleId,
    who: &SignedIn,
    done: Done<Purchase>,
) -> PageAnswer {
    let (numbers, detail, live) = match done {
        Done::Now(Purchase { numbers, raffle }) => (numbers, "Good luck.", fresh(raffles, raffle)),
        Done::Replayed(answer) => (numbers_of(&answer), FIRST_TRY, current(raffles, id, who).await?),
    };
    if !target.fragment {
        return Ok(target.done(&format!("/raffles/{id}"), "Bought. Your tickets are below."));
    }
    let notice = Notice::good(format!("You bought {}.", named(&numbers)), detail);
    show_result(target, StatusCode::OK, live, notice)
}

/// For a request that bought the tickets before, and whose reply was lost.
const FIRST_TRY: &str = "Your earlier purchase went through. You didn't get extra tickets.";

/// Parses the ticket numbers of a stored answer.
fn numbers_of(answer: &Answer) -> Vec<TicketNumber> {
    serde_json::from_str(&answer.body).unwrap_or_default()
}

/// Shows why no tickets were bought, or returns the failure.
async fn not_bought(
    raffles: &Raffles,
    target: RenderTarget,
    id: RaffleId,
    who: &SignedIn,
    error: RaffleError,
) -> PageAnswer {
    let (live, notice) = match error {
        RaffleError::Refused { refusal, fresh: state } => {
            (fresh(raffles, *state), Notice::nothing_bought(&refusal.words()))
        }
        RaffleError::KeyReused(_) => {
            let notice = Notice::bad("No more tickets were bought.", FORM_REUSED);
            (current(raffles, id, who).await?, notice)
        }
        error => return Err(error.into()),
    };
    show_result(target, StatusCode::CONFLICT, live, notice)
}

/// For a form that was used for another purchase before.
const FORM_REUSED: &str =
    "Your earlier purchase went through. Check your tickets, and buy again if you want more.";

/// Shows the raffle with the result of a form, as a page or a fragment.
fn show_result(
    RenderTarget { context, fragment }: RenderTarget,
    status: StatusCode,
    live: LiveView,
    notice: Notice,
) -> PageAnswer {
    let notice = Some(notice);
    if fragment {
        html(status, &LiveFragment { context, live, notice })
    } else {
        html(status, &RafflePage { context, live, notice })
    }
}

async fn cancel(
    State(raffles): State<Raffles>,
    target: RenderTarget,
    PathPair(id, number): PathPair<RaffleId, TicketNumber>,
    submission: Submission,
) -> PageAnswer {
    let (form, who) = (&submission.form, &submission.who);
    let version = form.get("version").map(|_| form.version()).transpose()?;
    // Without a version, the same form may also cancel a later purchase of the same number, so it has no record.
    let idempotency = version.map(|_| submission.idempotency());
    let done = raffles.cancel(id, number, version, who, idempotency.as_ref()).await;
    // An administrator cancels a ticket in the list, which sends its cursor. The page of the list shows all owners.
    match form.get("cursor").filter(|_| who.is_administrator()) {
        Some(cursor) => manage::canceled(&raffles, target, who, id, cursor, done).await,
        None => canceled(&raffles, target, who, (id, number), done).await,
    }
}

/// Shows the raffle after a person canceled one of their tickets.
async fn canceled(
    raffles: &Raffles,
    target: RenderTarget,
    who: &SignedIn,
    (id, number): (RaffleId, TicketNumber),
    done: Result<Done<RaffleState>, RaffleError>,
) -> PageAnswer {
    let (state, notice, toast) = match done {
        Ok(Done::Now(state)) => {
            let headline = format!("Ticket {number} is back in the pool.");
            (state, Notice::good(headline, ""), "Your ticket is back in the pool.")
        }
        Err(RaffleError::Drawn(state)) => (*state, Notice::bad("You still have this ticket.", DRAWN), DRAWN),
        // The ticket was canceled on another page or by an administrator. Show the current tickets.
        Ok(Done::Replayed(_))
        | Err(RaffleError::NoSuchTicket(_) | RaffleError::VersionMissing | RaffleError::TicketConflict(_)) => {
            let headline = format!("Ticket {number} is no longer yours.");
            let notice = Notice::bad(headline, "It was already returned. Your tickets are below.");
            (raffles.read(id, who).await?, notice, "It was already returned.")
        }
        Err(error) => return Err(error.into()),
    };
    if target.fragment {
        return show_result(target, StatusCode::OK, fresh(raffles, state), notice);
    }
    Ok(with_toast_there(target.redirect(&format!("/raffles/{id}")), Tone::Info, toast))
}

/// The purchase form. The page also sends it when it polls, and gets it back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct BuyForm {
    /// The idempotency key.
    key: String,
    /// How many tickets to buy.
    quantity: String,
    /// The tag of the raffle that the page shows.
    seen: String,
}

impl BuyForm {
    fn of(form: &RawForm) -> Self {
        Self { key: form.text("key"), quantity: form.text("quantity"), seen: form.text("seen") }
    }

    /// Returns the key if it is a UUID, as our pages make them.
    fn key(&self) -> Option<Uuid> {
        Uuid::try_parse(&self.key).ok()
    }

    /// Returns how many tickets to buy. An empty field means one.
    fn quantity(&self) -> Result<Quantity, Invalid> {
        match self.quantity.trim() {
            "" => Ok(Quantity::ONE),
            text => text.parse(),
        }
    }

    /// Returns this form as an idempotent request, if it has a key.
    fn idempotent_request(
        &self,
        id: RaffleId,
        quantity: Quantity,
        who: &SignedIn,
        now: Timestamp,
    ) -> Result<Option<IdempotentRequest>, WebError> {
        let (path, quantity) = (format!("/raffles/{id}/tickets"), quantity.to_string());
        keyed_request(&self.key, &[b"POST", path.as_bytes(), quantity.as_bytes()], who, now)
    }
}

/// The live section of a raffle's page. The page replaces it when the raffle changes.
#[derive(Debug, Clone)]
struct LiveView {
    state: RaffleState,
    phase: Phase,
    /// The idempotency key of the purchase form.
    key: Uuid,
    /// The quantity in the purchase form.
    quantity: u32,
    /// The time the sale ends or ended, if set.
    closes: Option<DisplayTime>,
    drawn: Option<DisplayTime>,
}

impl LiveView {
    fn new(state: RaffleState, key: Uuid, quantity: u32) -> Self {
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
    fn is_open(&self) -> bool {
        self.state.status == RaffleStatus::Open
    }

    /// Returns the announcement for screen readers when the raffle enters its current phase.
    fn announcement(&self) -> String {
        match (self.phase, &self.state.winner) {
            (Phase::Drawn, Some(winner)) if winner.yours => {
                format!("You won with ticket {}.", winner.number)
            }
            (Phase::Drawn, Some(winner)) => format!("Winner: ticket {}.", winner.number),
            (Phase::Over, _) => "Sales have ended.".to_owned(),
            (Phase::SoldOut, _) => "Sold out.".to_owned(),
            _ => String::new(),
        }
    }

    /// Returns the tickets left as a bar.
    fn left(&self) -> Bar {
        Bar::new(self.state.remaining, self.state.tickets)
    }

    /// Returns why the person cannot buy tickets, as a sentence.
    fn reason(&self) -> Option<String> {
        self.state.refusal.as_ref().map(|refusal| format!("{}.", refusal.words))
    }

    /// Describes the person's own tickets.
    fn mine(&self) -> String {
        let (held, limit) = (self.state.mine.len(), self.state.limit_per_person);
        match held {
            0 => format!("No tickets yet. The limit is {} per person.", counted(limit, "ticket", "tickets")),
            _ => format!("{held} of {limit}"),
        }
    }

    /// Names the person's tickets that did not win, if there are any.
    fn other_tickets(&self) -> Option<String> {
        let winner = self.state.winner.as_ref().map(|winner| winner.number);
        let others: Vec<TicketNumber> =
            self.state.mine.iter().copied().filter(|number| Some(*number) != winner).collect();
        (!others.is_empty()).then(|| named(&others))
    }

    /// Returns whether the person won.
    fn is_won(&self) -> bool {
        self.state.winner.as_ref().is_some_and(|winner| winner.yours)
    }

    /// Returns the winner's name and email address if the person may see them.
    fn winner_named(&self) -> Option<String> {
        let WinnerState { name, email, yours, .. } = self.state.winner.as_ref()?;
        match (name, email) {
            (Some(name), Some(email)) if !yours => Some(format!("{}, {email}", isolated(name.as_str()))),
            _ => None,
        }
    }
}

/// The result of a submitted form, as a notice.
#[derive(Debug, Clone)]
struct Notice {
    headline: String,
    detail: String,
    is_good: bool,
}

impl Notice {
    fn good(headline: String, detail: &str) -> Self {
        Self { headline, detail: detail.to_owned(), is_good: true }
    }

    fn bad(headline: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { headline: headline.into(), detail: detail.into(), is_good: false }
    }

    fn nothing_bought(why: &str) -> Self {
        let stop = if why.ends_with('.') { "" } else { "." };
        Self::bad("No tickets were bought.", format!("{why}{stop}"))
    }
}

/// `GET /raffles/{id}`
#[derive(Template)]
#[template(path = "raffles/raffle.html", config = "templates/askama.toml")]
struct RafflePage {
    context: PageContext,
    live: LiveView,
    notice: Option<Notice>,
}

/// `GET /raffles/{id}/live`, and the answer to forms on the page: the live section and the notice. The notice is
/// outside the live section, so that the next poll does not remove it.
#[derive(Template)]
#[template(path = "raffles/live.html", config = "templates/askama.toml")]
struct LiveFragment {
    context: PageContext,
    live: LiveView,
    notice: Option<Notice>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uuid_is_accepted_as_a_key() {
        let form = |key: &str| BuyForm { key: key.to_owned(), ..BuyForm::default() };
        assert!(form("019f0000-0000-7000-8000-000000000000").key().is_some());
        assert!(form("\"><script>").key().is_none());
        assert_eq!(form("").quantity().unwrap(), Quantity::ONE);
    }
}
