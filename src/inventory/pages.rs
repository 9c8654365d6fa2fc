//! The pages of the inventory.

use crate::app::App;
use crate::web::access::Routes;

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
}
