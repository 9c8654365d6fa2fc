//! The sign-in page, and signing out.

use http::HeaderMap;

use super::parts::{Delay, redirect_to_next, retry_after, with_next};
use crate::accounts::Accounts;
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::sign_up::SignUp;
use crate::base::values::Email;
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default()
        .get("/sign-in", Access::Anyone, sign_in_page)
        .post("/sign-in", Access::Anyone, sign_in)
        .post("/sign-out", Access::Anyone, sign_out)
}

async fn sign_in_page(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: Option<SignedIn>,
    Query(query): Query<SignInQuery>,
    WantsFragment(fragment): WantsFragment,
) -> PageAnswer {
    if who.is_some() {
        return Ok(redirect_to_next(&context, &query.next, fragment));
    }
    let signed_up = query.signed_up.is_some();
    html(StatusCode::OK, &SignInPage { signed_up, ..SignInPage::new(context, &accounts.sign_up, query.next) })
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
            let cookies = accounts.begin_session(&account, &from, "Signed in by password with").await?;
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

async fn sign_out(
    State(accounts): State<Accounts>,
    context: PageContext,
    WantsFragment(fragment): WantsFragment,
    headers: HeaderMap,
) -> PageAnswer {
    let expired = accounts.sign_out(&headers).await?;
    Ok((expired, see_other(&context, "/sign-in", fragment)).into_response())
}

#[derive(Deserialize)]
struct SignInQuery {
    #[serde(default)]
    next: String,
    /// Present after signing up.
    signed_up: Option<String>,
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
    /// Whether the person just signed up.
    signed_up: bool,
    /// Whether people may create their own accounts.
    sign_up_offered: bool,
}

impl SignInPage {
    fn new(context: PageContext, sign_up: &SignUp, next: String) -> Self {
        let (email, sign_up_offered) = (String::new(), !sign_up.is_off());
        Self { context, next, email, error: None, signed_up: false, sign_up_offered }
    }

    fn sign_up(&self) -> String {
        with_next(&self.context, "/sign-up", &self.next)
    }
}
