//! The page of commands.

pub(super) mod api;
mod commands;

use crate::commands::Commands;
use crate::web::routes::Routes;

/// Returns the routes of the page.
pub(super) fn routes() -> Routes<Commands> {
    commands::routes()
}
