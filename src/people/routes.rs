//! All routes of people, with their access.

use super::http;
use super::service::People;
use crate::web::routes::Routes;

/// Returns all routes of people.
pub fn routes(people: People) -> Routes {
    http::routes().with_state(people)
}
