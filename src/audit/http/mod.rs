//! The pages and the JSON API of the audit log.

mod api;
mod list;

use crate::audit::Audit;
use crate::web::routes::Routes;

/// Returns the routes.
pub(super) fn routes() -> Routes<Audit> {
    api::routes().and(list::routes())
}
