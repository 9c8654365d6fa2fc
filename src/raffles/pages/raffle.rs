//! One raffle: looked at, bought from, and given back to.
//!
//! The key of a purchase stays as it is until the purchase has an answer, also where the page asks for news meanwhile,
//! so that sending it again after a lost reply buys nothing twice.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;

use super::Answer;
use crate::base::identity::SignedIn;
use crate::raffles::Raffles;
use crate::raffles::buy::Purchase;
use crate::raffles::domain::{RaffleId, RaffleState, TicketNumber};
use crate::raffles::error::RaffleError;
use crate::raffles::forms::{BuyForm, CancelForm};
use crate::raffles::views::{LivePart, LiveView, RafflePage, Told};
use crate::store::ledger;
use crate::store::ledger::{Done, Idempotency};
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, PathPair, Query};
use crate::web::pages::PageContext;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, answer, html, see_other, with_toast_there};
use crate::web::routes::Routes;

/// The routes.
pub fn routes() -> Routes<Raffles> {
    Routes::default()
        .get("/raffles/{id}", Access::SignedIn, show)
        .get("/raffles/{id}/live", Access::SignedIn, live)
        .post("/raffles/{id}/tickets", Access::SignedIn, buy)
        .post("/raffles/{id}/tickets/{number}/cancel", Access::SignedIn, cancel)
}

/// The raffle with a form for another purchase.
fn fresh(raffles: &Raffles, state: RaffleState) -> LiveView {
    LiveView::new(state, raffles.rng.uuid(), 1)
}

async fn show(
    State(raffles): State<Raffles>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<RaffleId>,
) -> Answer {
    let live = fresh(&raffles, raffles.read(id, &who).await?);
    html(StatusCode::OK, &RafflePage { context, live, told: None })
}

/// What is new since the page looked last; 204 if nothing is.
async fn live(
    State(raffles): State<Raffles>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(id): Path<RaffleId>,
    Query(form): Query<BuyForm>,
) -> Answer {
    if !fragment {
        return Ok(see_other(&context, &format!("/raffles/{id}"), false));
    }
    let Some(state) = raffles.read_changed(id, &who, &form.seen).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let key = form.key().unwrap_or_else(|| raffles.rng.uuid());
    let quantity = form.quantity().map_or(1, |quantity| quantity.get());
    let live = LiveView::new(state, key, quantity);
    html(StatusCode::OK, &LivePart { context, live, told: None })
}

async fn buy(
    State(raffles): State<Raffles>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    Path(id): Path<RaffleId>,
    FormData(form): FormData<BuyForm>,
) -> Answer {
    let page = Page { context, fragment };
    let quantity = match form.quantity() {
        Ok(quantity) => quantity,
        Err(invalid) => {
            let live = fresh(&raffles, raffles.read(id, &who).await?);
            return page.show(
                StatusCode::UNPROCESSABLE_ENTITY,
                live,
                Told::nothing_bought(&invalid.to_string()),
            );
        }
    };
    let recorded =
        |purchase: &Purchase| answer(StatusCode::CREATED, &purchase.numbers, purchase.raffle.version, None);
    let idempotency = form.once(id, quantity, &who, raffles.clock.now())?;
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &recorded });
    match raffles.buy(id, quantity, &who, idempotency.as_ref()).await {
        Ok(Done::Now(Purchase { numbers, raffle })) => {
            page.bought(fresh(&raffles, raffle), Told::bought(&numbers))
        }
        Ok(Done::Replayed(answer)) => {
            let live = fresh(&raffles, raffles.read(id, &who).await?);
            page.bought(live, Told::bought_before(&numbers(&answer)))
        }
        Err(RaffleError::Denied { denial, fresh: state }) => {
            page.show(StatusCode::CONFLICT, fresh(&raffles, *state), Told::nothing_bought(&denial.words()))
        }
        Err(RaffleError::KeyOfAnotherRequest) => {
            let live = fresh(&raffles, raffles.read(id, &who).await?);
            page.show(StatusCode::CONFLICT, live, Told::another_form())
        }
        Err(error) => Err(error.into()),
    }
}

/// The tickets that a purchase gave, as its answer was kept.
fn numbers(answer: &ledger::Answer) -> Vec<TicketNumber> {
    serde_json::from_str(&answer.body).unwrap_or_default()
}

/// How the raffle is shown after something was sent.
struct Page {
    context: PageContext,
    fragment: bool,
}

impl Page {
    fn show(self, status: StatusCode, live: LiveView, told: Told) -> Answer {
        let (context, told) = (self.context, Some(told));
        if self.fragment {
            html(status, &LivePart { context, live, told })
        } else {
            html(status, &RafflePage { context, live, told })
        }
    }

    fn bought(self, live: LiveView, told: Told) -> Answer {
        if self.fragment {
            return self.show(StatusCode::OK, live, told);
        }
        let there = see_other(&self.context, &format!("/raffles/{}", live.state.id), false);
        Ok(with_toast_there(there, Tone::Success, "Bought. Your tickets are below."))
    }
}

async fn cancel(
    State(raffles): State<Raffles>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    PathPair(id, number): PathPair<RaffleId, TicketNumber>,
    FormData(form): FormData<CancelForm>,
) -> Answer {
    if let Some(cursor) = form.cursor.as_deref() {
        return super::manage::cancel(
            &raffles,
            context,
            fragment,
            &who,
            (id, number),
            form.version()?,
            cursor,
        )
        .await;
    }
    let page = Page { context, fragment };
    let (state, told) = match raffles.cancel(id, number, form.version()?, &who, None).await {
        Ok(state) => (state, Told::given_back(number)),
        Err(RaffleError::Drawn(state)) => (*state, Told::drawn_meanwhile()),
        // Given back from another page, or an administrator took it: what is so now is shown.
        Err(RaffleError::NoSuchTicket(_) | RaffleError::VersionMissing | RaffleError::TicketConflict(_)) => {
            (raffles.read(id, &who).await?, Told::gone(number))
        }
        Err(error) => return Err(error.into()),
    };
    if page.fragment {
        return page.show(StatusCode::OK, fresh(&raffles, state), told);
    }
    let there = see_other(&page.context, &format!("/raffles/{id}"), false);
    Ok(with_toast_there(there, Tone::Info, told.toast))
}
