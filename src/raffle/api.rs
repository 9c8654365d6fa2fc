//! The JSON API of raffles.

use crate::app::App;
use crate::web::access::Routes;

/// The routes of the JSON API.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
}
