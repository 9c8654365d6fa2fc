//! The form of a new raffle.

use axum::extract::State;
use http::StatusCode;

use super::Answer;
use crate::base::identity::SignedIn;
use crate::raffles::Raffles;
use crate::raffles::domain::RaffleState;
use crate::raffles::error::RaffleError;
use crate::raffles::forms::{RaffleMessages, RaffleTexts};
use crate::raffles::views::NewPage;
use crate::store::idempotency;
use crate::store::idempotency::{Done, Idempotency};
use crate::web::access::Access;
use crate::web::extract::FormData;
use crate::web::pages::PageContext;
use crate::web::request::WantsFragment;
use crate::web::respond::{Tone, answer, html, see_other, with_toast_there};
use crate::web::routes::Routes;

pub fn routes() -> Routes<Raffles> {
    Routes::default().get("/raffles/new", Access::Administrator, new).post(
        "/raffles",
        Access::Administrator,
        create,
    )
}

fn fresh(raffles: &Raffles, typed: RaffleTexts) -> RaffleTexts {
    RaffleTexts { key: raffles.rng.uuid().to_string(), ..typed }
}

async fn new(State(raffles): State<Raffles>, context: PageContext) -> Answer {
    let typed = fresh(&raffles, RaffleTexts::default());
    html(StatusCode::OK, &NewPage::new(context, typed, RaffleMessages::default()))
}

async fn create(
    State(raffles): State<Raffles>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    who: SignedIn,
    FormData(typed): FormData<RaffleTexts>,
) -> Answer {
    let again =
        |typed, wrong| html(StatusCode::UNPROCESSABLE_ENTITY, &NewPage::new(context.clone(), typed, wrong));
    let new = match typed.raffle() {
        Ok(new) => new,
        Err(wrong) => return again(typed, *wrong),
    };
    let recorded = |raffle: &RaffleState| {
        let path = format!("/raffles/{}", raffle.id);
        answer(StatusCode::CREATED, &raffle.id, raffle.version, Some(path))
    };
    let idempotency = typed.idempotent_request(&who, raffles.clock.now())?;
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &recorded });
    let done = match raffles.create(&new, &who, idempotency.as_ref()).await {
        Ok(Done::Now(raffle)) => recorded(&raffle),
        Ok(Done::Replayed(answer)) => answer,
        Err(RaffleError::Validation { field: "closesAt", invalid }) => {
            let closes_at = Some(invalid.to_string());
            return again(typed, RaffleMessages { closes_at, ..RaffleMessages::default() });
        }
        Err(RaffleError::KeyOfAnotherRequest) => {
            let page = NewPage::new(context.clone(), fresh(&raffles, typed), RaffleMessages::default());
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page.already_submitted());
        }
        Err(error) => return Err(error.into()),
    };
    let idempotency::Answer { location, .. } = done;
    let redirect = see_other(&context, location.as_deref().unwrap_or("/raffles"), fragment);
    Ok(with_toast_there(redirect, Tone::Success, "The raffle is open."))
}
