//! What the JSON API of all features imports: `use crate::shared::api::*`.

pub use axum::Json;
pub use axum::extract::State;
pub use axum::response::{IntoResponse, Response};
pub use http::StatusCode;
pub use serde::{Deserialize, Serialize};

pub use crate::base::identity::SignedIn;
pub use crate::store::idempotency::{Answer, Idempotency};
pub use crate::web::access::Access;
pub use crate::web::change::{Change, Deletion, EmptyBody};
pub use crate::web::error::WebError;
pub use crate::web::extract::{JsonRequest, Path, Query, WithKey};
pub use crate::web::lists::{Listed, PageParameters, limit, parameter};
pub use crate::web::pages::PageContext;
pub use crate::web::problem::Problem;
pub use crate::web::respond::{answer, no_content};
pub use crate::web::routes::Routes;
