//! The style guide: every token and component of the stylesheet in all its states, for people who build pages.
//!
//! It uses the parts of the pages, and the tokens are read from the stylesheet, so it shows what pages show. Only a
//! local server has it, because the people who use a workspace need none of it.

mod page;
mod tokens;

use crate::web::access::Access;
use crate::web::routes::Routes;

/// Returns the route of the style guide.
pub fn routes() -> Routes {
    Routes::default().get("/styleguide", Access::Public, page::styleguide)
}
