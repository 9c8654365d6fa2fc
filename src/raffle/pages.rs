//! The pages of raffles.

use crate::app::App;
use crate::web::access::Routes;

/// The routes of the pages.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
}
