//! The sign-in page, and signing out.

use http::HeaderMap;

use super::parts::{Delay, local_path, redirect_to_next, retry_after, with_next};
use crate::accounts::Accounts;
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::sign_up::SignUp;
use crate::base::identity::Via;
use crate::base::values::Email;
use crate::shared::pages::*;
use crate::web::respond::with_event;
use crate::web::unsent::UnsentForm;

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
    match who {
        Some(who) if fragment => Ok(signed_in(&who)),
        Some(_) => Ok(redirect_to_next(&context, &query.next, false)),
        None => {
            let signed_up = query.signed_up.is_some();
            let page = SignInPage::new(context, &accounts.sign_up, query.next);
            SignInPage { signed_up, ..page }.render_as(StatusCode::OK, fragment)
        }
    }
}

/// Says who is signed in now, to the dialog in which a page signs in again.
fn signed_in(who: &SignedIn) -> Response {
    let account = serde_json::json!({
        "id": who.id, "name": who.name, "email": who.email, "role": who.role.as_str(),
    });
    with_event(StatusCode::NO_CONTENT.into_response(), "signed-in", &account)
}

async fn sign_in(
    State(accounts): State<Accounts>,
    context: PageContext,
    from: Requester,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<SignInForm>,
) -> PageAnswer {
    let SignInForm { email, password, next, unsent_to, unsent } = form;
    let unsent = unsent_form(unsent_to, unsent);
    // An invalid address or password gets the same message as a wrong one.
    let account = match (email.parse::<Email>(), password.parse::<Password>()) {
        (Ok(address), Ok(password)) => accounts.sign_in(&address, password, &from).await,
        _ => Ok(None),
    };
    let page = |status, error: String| {
        let page = SignInPage::new(context.clone(), &accounts.sign_up, next.clone());
        let unsent = unsent.clone();
        SignInPage { email, error: Some(error), unsent, ..page }.render_as(status, fragment)
    };
    match account {
        Ok(Some(account)) => {
            tracing::info!(account = %account.id, "signed in by password");
            let cookies = accounts.begin_session(&account, &from, "Signed in by password with").await?;
            let who = account.signed_in(Via::Session);
            let response = match unsent {
                _ if fragment => signed_in(&who),
                Some(form) => SendAgainPage::new(context, who, next, form).render()?,
                None => redirect_to_next(&context, &next, false),
            };
            Ok((cookies, response).into_response())
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
    /// Where to send the form that arrived without a session.
    #[serde(default)]
    unsent_to: String,
    /// The fields of this form, URL-encoded.
    #[serde(default)]
    unsent: String,
}

/// Returns the form that the sign-in page carries, if it can be sent to this site.
fn unsent_form(to: String, fields: String) -> Option<UnsentForm> {
    local_path("", &to)?;
    UnsentForm::new(to, fields)
}

/// The sign-in page.
#[derive(Template)]
#[template(path = "accounts/sign_in.html", blocks = ["form"])]
struct SignInPage {
    context: PageContext,
    /// The address to redirect to afterwards.
    next: String,
    /// The typed address.
    email: String,
    error: Option<String>,
    /// A form to send after signing in.
    unsent: Option<UnsentForm>,
    /// Whether the person just signed up.
    signed_up: bool,
    /// Whether people may create their own accounts.
    sign_up_offered: bool,
}

impl SignInPage {
    fn new(context: PageContext, sign_up: &SignUp, next: String) -> Self {
        let sign_up_offered = !sign_up.is_off();
        Self {
            context,
            next,
            email: String::new(),
            error: None,
            unsent: None,
            signed_up: false,
            sign_up_offered,
        }
    }

    /// Renders the page, or only its form for the dialog in which a page signs in again.
    fn render_as(self, status: StatusCode, fragment: bool) -> PageAnswer {
        if fragment { html(status, &self.as_form()) } else { html(status, &self) }
    }

    fn sign_up(&self) -> String {
        with_next(&self.context, "/sign-up", &self.next)
    }
}

/// The page that offers to send the form that arrived without a session. It waits for a click, because another person may
/// have signed in.
#[derive(Template)]
#[template(path = "accounts/send_again.html")]
struct SendAgainPage {
    context: PageContext,
    name: String,
    /// The address that discards the form.
    next: String,
    to: String,
    fields: Vec<(String, String)>,
}

impl SendAgainPage {
    fn new(context: PageContext, who: SignedIn, next: String, form: UnsentForm) -> Self {
        let next = local_path(&context.base, &next).unwrap_or("/").to_owned();
        let (fields, name) = (form.pairs().unwrap_or_default(), who.name.to_string());
        Self { context: PageContext { account: Some(who), ..context }, name, next, to: form.to, fields }
    }

    fn render(&self) -> PageAnswer {
        html(StatusCode::OK, self)
    }
}
