//! One raffle: looked at, bought from, and given back to.
//!
//! The key of a purchase stays as it is until the purchase has an answer, also where the page asks for news meanwhile,
//! so that sending it again after a lost reply buys nothing twice.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;

use super::Answer;
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::{self, Done, Once};
use crate::raffle::domain::{RaffleId, RaffleState, TicketNumber};
use crate::raffle::error::RaffleError;
use crate::raffle::forms::{BuyForm, CancelForm};
use crate::raffle::store::{self, Purchase};
use crate::raffle::views::{LivePart, LiveView, RafflePage, Told};
use crate::web::access::{Access, Routes};
use crate::web::extract::{FormData, InPath, InQuery, TwoInPath};
use crate::web::pages::Shell;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, answer, html, see_other, with_toast_there};

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/raffles/{id}", Access::SignedIn, show)
        .get("/raffles/{id}/live", Access::SignedIn, live)
        .post("/raffles/{id}/tickets", Access::SignedIn, buy)
        .post("/raffles/{id}/tickets/{number}/cancel", Access::SignedIn, cancel)
}

/// The raffle with a form for another purchase.
fn fresh(app: &App, state: RaffleState) -> LiveView {
    LiveView::new(state, app.entropy.uuid(), 1)
}

async fn show(State(app): State<App>, shell: Shell, who: SignedIn, InPath(id): InPath<RaffleId>) -> Answer {
    let live = fresh(&app, store::read(&app, id, &who).await?);
    html(StatusCode::OK, &RafflePage { shell, live, told: None })
}

/// What is new since the page looked last; 204 if nothing is.
async fn live(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    InPath(id): InPath<RaffleId>,
    InQuery(form): InQuery<BuyForm>,
) -> Answer {
    if !fragment {
        return Ok(see_other(&shell, &format!("/raffles/{id}"), false));
    }
    let Some(state) = store::read_changed(&app, id, &who, &form.seen).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let key = form.key().unwrap_or_else(|| app.entropy.uuid());
    let quantity = form.quantity().map_or(1, |quantity| quantity.get());
    let live = LiveView::new(state, key, quantity);
    html(StatusCode::OK, &LivePart { shell, live, told: None })
}

async fn buy(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    InPath(id): InPath<RaffleId>,
    FormData(form): FormData<BuyForm>,
) -> Answer {
    let page = Page { shell, fragment };
    let quantity = match form.quantity() {
        Ok(quantity) => quantity,
        Err(invalid) => {
            let live = fresh(&app, store::read(&app, id, &who).await?);
            return page.show(
                StatusCode::UNPROCESSABLE_ENTITY,
                live,
                Told::nothing_bought(&invalid.to_string()),
            );
        }
    };
    let recorded =
        |purchase: &Purchase| answer(StatusCode::CREATED, &purchase.numbers, purchase.raffle.version, None);
    let once = form.once(id, quantity, &who, app.clock.now())?;
    let once = once.map(|request| Once { request, answer: &recorded });
    match store::buy(&app, id, quantity, &who, once.as_ref()).await {
        Ok(Done::Now(Purchase { numbers, raffle })) => {
            page.bought(fresh(&app, raffle), Told::bought(&numbers))
        }
        Ok(Done::Before(answer)) => {
            let live = fresh(&app, store::read(&app, id, &who).await?);
            page.bought(live, Told::bought_before(&numbers(&answer)))
        }
        Err(RaffleError::Denied { denial, fresh: state }) => {
            page.show(StatusCode::CONFLICT, fresh(&app, *state), Told::nothing_bought(&denial.words()))
        }
        Err(RaffleError::KeyOfAnotherRequest) => {
            let live = fresh(&app, store::read(&app, id, &who).await?);
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
    shell: Shell,
    fragment: bool,
}

impl Page {
    fn show(self, status: StatusCode, live: LiveView, told: Told) -> Answer {
        let (shell, told) = (self.shell, Some(told));
        if self.fragment {
            html(status, &LivePart { shell, live, told })
        } else {
            html(status, &RafflePage { shell, live, told })
        }
    }

    fn bought(self, live: LiveView, told: Told) -> Answer {
        if self.fragment {
            return self.show(StatusCode::OK, live, told);
        }
        let there = see_other(&self.shell, &format!("/raffles/{}", live.state.id), false);
        Ok(with_toast_there(there, Tone::Success, "Bought. Your tickets are below."))
    }
}

async fn cancel(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    TwoInPath(id, number): TwoInPath<RaffleId, TicketNumber>,
    FormData(form): FormData<CancelForm>,
) -> Answer {
    if let Some(cursor) = form.cursor.as_deref() {
        return super::manage::cancel(&app, shell, fragment, &who, (id, number), form.version()?, cursor)
            .await;
    }
    let page = Page { shell, fragment };
    let (state, told) = match store::cancel(&app, id, number, form.version()?, &who, None).await {
        Ok(state) => (state, Told::given_back(number)),
        Err(RaffleError::Drawn(state)) => (*state, Told::drawn_meanwhile()),
        // Given back from another page, or an administrator took it: what is so now is shown.
        Err(RaffleError::NoSuchTicket(_) | RaffleError::VersionMissing | RaffleError::TicketConflict(_)) => {
            (store::read(&app, id, &who).await?, Told::gone(number))
        }
        Err(error) => return Err(error.into()),
    };
    if page.fragment {
        return page.show(StatusCode::OK, fresh(&app, state), told);
    }
    let there = see_other(&page.shell, &format!("/raffles/{id}"), false);
    Ok(with_toast_there(there, Tone::Info, told.toast))
}
