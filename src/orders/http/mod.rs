//! The pages of orders.
//!
//! Invariants: one URL serves the whole page, or a fragment if htmx asks for it. Every form works without
//! JavaScript. A person who loses a race sees the current data in a form that lets them continue.

pub(super) mod api;
mod caps;
mod create;
mod create_form;
mod export;
mod list;
mod order;
pub(super) mod parts;
mod release;

use crate::orders::Orders;
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Orders> {
    list::routes()
        .and(create::routes())
        .and(caps::routes())
        .and(export::routes())
        .and(order::routes())
        .and(release::routes())
}
