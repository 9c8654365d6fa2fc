//! Every route of this feature, with who may use it.

use super::pages;
use super::service::Imports;
use crate::web::routes::Routes;

/// All routes of imports.
pub fn routes(imports: Imports) -> Routes {
    pages::routes().with_state(imports)
}
