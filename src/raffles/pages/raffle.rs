//! The page of one raffle: viewing it, buying tickets, and canceling them.
//!
//! The idempotency key of a purchase form stays the same until the purchase has an answer, even if the page polls in
//! between. So a retry after a lost reply buys nothing twice.

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
use crate::raffles::views::{LiveFragment, LiveView, Notice, RafflePage};
use crate::store::idempotency;
use crate::store::idempotency::{Done, Idempotency};
use crate::web::access::Access;
use crate::web::extract::{FormData, Path, PathPair, Query};
use crate::web::pages::PageContext;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, answer, html, see_other, with_toast_there};
use crate::web::routes::Routes;

pub fn routes() -> Routes<Raffles> {
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

async fn show(
    State(raffles): State<Raffles>,
    context: PageContext,
    who: SignedIn,
    Path(id): Path<RaffleId>,
) -> Answer {
    let live = fresh(&raffles, raffles.read(id, &who).await?);
    html(StatusCode::OK, &RafflePage { context, live, notice: None })
}

/// Returns the raffle if it has changed since the page's last poll, else 204.
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
    html(StatusCode::OK, &LiveFragment { context, live, notice: None })
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
                Notice::nothing_bought(&invalid.to_string()),
            );
        }
    };
    let recorded =
        |purchase: &Purchase| answer(StatusCode::CREATED, &purchase.numbers, purchase.raffle.version, None);
    let idempotency = form.idempotent_request(id, quantity, &who, raffles.clock.now())?;
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &recorded });
    match raffles.buy(id, quantity, &who, idempotency.as_ref()).await {
        Ok(Done::Now(Purchase { numbers, raffle })) => {
            page.bought(fresh(&raffles, raffle), Notice::bought(&numbers))
        }
        Ok(Done::Replayed(answer)) => {
            let live = fresh(&raffles, raffles.read(id, &who).await?);
            page.bought(live, Notice::already_bought(&numbers(&answer)))
        }
        Err(RaffleError::Denied { denial, fresh: state }) => {
            page.show(StatusCode::CONFLICT, fresh(&raffles, *state), Notice::nothing_bought(&denial.words()))
        }
        Err(RaffleError::KeyOfAnotherRequest) => {
            let live = fresh(&raffles, raffles.read(id, &who).await?);
            page.show(StatusCode::CONFLICT, live, Notice::form_reused())
        }
        Err(error) => Err(error.into()),
    }
}

/// Parses the ticket numbers of a stored answer.
fn numbers(answer: &idempotency::Answer) -> Vec<TicketNumber> {
    serde_json::from_str(&answer.body).unwrap_or_default()
}

/// How to answer a submitted form: a page or a fragment.
struct Page {
    context: PageContext,
    fragment: bool,
}

impl Page {
    fn show(self, status: StatusCode, live: LiveView, notice: Notice) -> Answer {
        let (context, notice) = (self.context, Some(notice));
        if self.fragment {
            html(status, &LiveFragment { context, live, notice })
        } else {
            html(status, &RafflePage { context, live, notice })
        }
    }

    fn bought(self, live: LiveView, notice: Notice) -> Answer {
        if self.fragment {
            return self.show(StatusCode::OK, live, notice);
        }
        let redirect = see_other(&self.context, &format!("/raffles/{}", live.state.id), false);
        Ok(with_toast_there(redirect, Tone::Success, "Bought. Your tickets are below."))
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
    let (state, notice) = match raffles.cancel(id, number, form.version()?, &who, None).await {
        Ok(state) => (state, Notice::canceled(number)),
        Err(RaffleError::Drawn(state)) => (*state, Notice::already_drawn()),
        // The ticket was canceled on another page or by an administrator. Show the current tickets.
        Err(RaffleError::NoSuchTicket(_) | RaffleError::VersionMissing | RaffleError::TicketConflict(_)) => {
            (raffles.read(id, &who).await?, Notice::not_yours(number))
        }
        Err(error) => return Err(error.into()),
    };
    if page.fragment {
        return page.show(StatusCode::OK, fresh(&raffles, state), notice);
    }
    let redirect = see_other(&page.context, &format!("/raffles/{id}"), false);
    Ok(with_toast_there(redirect, Tone::Info, notice.toast))
}
