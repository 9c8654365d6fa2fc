//! The pages of raffles.

pub(super) mod api;
mod list;
mod manage;
mod new;
mod parts;
mod proof;
mod raffle;

pub use list::home;

use crate::raffles::Raffles;
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Raffles> {
    list::routes().and(new::routes()).and(raffle::routes()).and(manage::routes()).and(proof::routes())
}
