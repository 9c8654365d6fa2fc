//! The first steps of a new workspace, for its administrator.

use crate::shared::pages::*;

/// `GET /welcome`
#[derive(Template)]
#[template(path = "dashboard/welcome.html", config = "templates/askama.toml")]
struct WelcomePage {
    context: PageContext,
}

pub(super) async fn welcome_page(context: PageContext) -> PageAnswer {
    html(StatusCode::OK, &WelcomePage { context })
}
