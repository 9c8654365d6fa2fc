//! The pages of imports: uploading a file, mapping its columns, running the steps and showing the report.
//!
//! Every page works without JavaScript. With JavaScript, a file is sent in parts and the steps run
//! automatically.

mod headers;
mod import;
mod preview;
mod upload;
mod values;

use crate::imports::Imports;
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Imports> {
    upload::routes().and(headers::routes()).and(preview::routes()).and(import::routes())
}
