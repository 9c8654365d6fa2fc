//! The sign-in page, sign-in links, and signing out.

use http::{HeaderMap, Method};

use super::parts::{Delay, NextQuery, redirect_to_next, retry_after, with_next};
use crate::accounts::Accounts;
use crate::accounts::domain::Secret;
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::sign_up::SignUp;
use crate::base::values::Email;
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default()
        .get("/sign-in", Access::Anyone, sign_in_page)
        .post("/sign-in", Access::Anyone, sign_in)
        .get("/sign-in/link/{secret}", Access::Anyone, sign_in_by_link)
        .post("/sign-out", Access::Anyone, sign_out)
}

async fn sign_in_page(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: Option<SignedIn>,
    Query(query): Query<NextQuery>,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    if who.is_some() {
        return Ok(redirect_to_next(&context, &query.next, fragment));
    }
    html(StatusCode::OK, &SignInPage::new(context, &accounts.sign_up, query.next))
}

async fn sign_in(
    State(accounts): State<Accounts>,
    context: PageContext,
    from: Requester,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<SignInForm>,
) -> PageAnswer {
    let SignInForm { email, password, next } = form;
    // An invalid address or password gets the same message as a wrong one.
    let account = match (email.parse::<Email>(), password.parse::<Password>()) {
        (Ok(address), Ok(password)) => accounts.sign_in(&address, password, &from).await,
        _ => Ok(None),
    };
    let page = |status, error: String| {
        let page = SignInPage::new(context.clone(), &accounts.sign_up, next.clone());
        html(status, &SignInPage { email, error: Some(error), ..page })
    };
    match account {
        Ok(Some(account)) => {
            tracing::info!(account = %account.id, "signed in by password");
            let cookies = accounts.begin_session(&account, from.device).await;
            Ok((cookies, redirect_to_next(&context, &next, fragment)).into_response())
        }
        Ok(None) => {
            let message = "The email address or the password is not right.";
            page(StatusCode::UNPROCESSABLE_ENTITY, message.to_owned())
        }
        Err(error) => {
            let Delay { status, message, seconds } = Delay::of(error)?;
            Ok(retry_after(page(status, message)?, seconds))
        }
    }
}

async fn sign_in_by_link(
    State(accounts): State<Accounts>,
    method: Method,
    context: PageContext,
    who: Option<SignedIn>,
    from: Requester,
    Path(secret): Path<String>,
) -> PageAnswer {
    // A HEAD request does not use up the link.
    if method != Method::GET {
        return Ok(StatusCode::OK.into_response());
    }
    let account = match secret.parse::<Secret>() {
        Ok(secret) => accounts.use_link(&secret).await?,
        Err(_) => None,
    };
    if let Some(account) = account {
        tracing::info!(account = %account.id, "signed in by a link");
        let cookies = accounts.begin_session(&account, from.device).await;
        return Ok((cookies, see_other(&context, "/", false)).into_response());
    }
    // The browser's Back button requests the used link again.
    if who.is_some() {
        return Ok(see_other(&context, "/", false));
    }
    let message = "This sign-in link was already used or is too old. Each link works once: ask for a new one, or start \
                 Holdfast again, which prints one.";
    let page = SignInPage::new(context, &accounts.sign_up, String::new());
    html(StatusCode::GONE, &SignInPage { error: Some(message.to_owned()), ..page })
}

async fn sign_out(
    State(accounts): State<Accounts>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    headers: HeaderMap,
) -> impl IntoResponse {
    (accounts.end_session(&headers).await, see_other(&context, "/sign-in", fragment))
}

#[derive(Deserialize)]
struct SignInForm {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// The sign-in page.
#[derive(Template)]
#[template(path = "accounts/sign_in.html")]
struct SignInPage {
    context: PageContext,
    /// The address to redirect to afterwards.
    next: String,
    /// The typed address.
    email: String,
    error: Option<String>,
    /// Whether people may create their own accounts.
    sign_up_offered: bool,
}

impl SignInPage {
    fn new(context: PageContext, sign_up: &SignUp, next: String) -> Self {
        Self { context, next, email: String::new(), error: None, sign_up_offered: !sign_up.is_off() }
    }

    fn sign_up(&self) -> String {
        with_next(&self.context, "/sign-up", &self.next)
    }
}
