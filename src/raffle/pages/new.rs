//! The form of a new raffle.

use axum::extract::State;
use http::StatusCode;

use super::Answer;
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::{self, Done, Once};
use crate::raffle::domain::RaffleState;
use crate::raffle::error::RaffleError;
use crate::raffle::forms::{RaffleMessages, RaffleTexts};
use crate::raffle::store;
use crate::raffle::views::NewPage;
use crate::web::access::{Access, Routes};
use crate::web::extract::FormData;
use crate::web::pages::Shell;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, answer, html, see_other, with_toast_there};

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app).get("/raffles/new", Access::Administrator, new).post(
        "/raffles",
        Access::Administrator,
        create,
    )
}

fn fresh(app: &App, typed: RaffleTexts) -> RaffleTexts {
    RaffleTexts { key: app.entropy.uuid().to_string(), ..typed }
}

async fn new(State(app): State<App>, shell: Shell) -> Answer {
    let typed = fresh(&app, RaffleTexts::default());
    html(StatusCode::OK, &NewPage::new(shell, typed, RaffleMessages::default()))
}

async fn create(
    State(app): State<App>,
    shell: Shell,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    FormData(typed): FormData<RaffleTexts>,
) -> Answer {
    let again =
        |typed, wrong| html(StatusCode::UNPROCESSABLE_ENTITY, &NewPage::new(shell.clone(), typed, wrong));
    let new = match typed.raffle() {
        Ok(new) => new,
        Err(wrong) => return again(typed, *wrong),
    };
    let recorded = |raffle: &RaffleState| {
        let path = format!("/raffles/{}", raffle.id);
        answer(StatusCode::CREATED, &raffle.id, raffle.version, Some(path))
    };
    let once = typed.once(&who, app.clock.now())?;
    let once = once.map(|request| Once { request, answer: &recorded });
    let done = match store::create(&app, &new, &who, once.as_ref()).await {
        Ok(Done::Now(raffle)) => recorded(&raffle),
        Ok(Done::Before(answer)) => answer,
        Err(RaffleError::Misfit { field: "closesAt", invalid }) => {
            let closes_at = Some(invalid.to_string());
            return again(typed, RaffleMessages { closes_at, ..RaffleMessages::default() });
        }
        Err(RaffleError::KeyOfAnotherRequest) => {
            let page = NewPage::new(shell.clone(), fresh(&app, typed), RaffleMessages::default());
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page.sent_before());
        }
        Err(error) => return Err(error.into()),
    };
    let ledger::Answer { location, .. } = done;
    let there = see_other(&shell, location.as_deref().unwrap_or("/raffles"), fragment);
    Ok(with_toast_there(there, Tone::Success, "The raffle is open."))
}
