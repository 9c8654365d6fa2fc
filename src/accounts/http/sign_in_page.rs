//! What the steps of signing in show.

use super::parts::{local_path, with_next};
use crate::accounts::second_step::Enrolling;
use crate::accounts::sign_up::SignUp;
use crate::accounts::two_factor::qr_svg;
use crate::shared::pages::*;
use crate::web::unsent::UnsentForm;

/// A step of signing in.
pub(super) enum Step {
    /// The address and the password.
    Password,
    /// A code of the second factor, with the ticket of the first step.
    Code(String),
    /// Setting up the second factor.
    Enroll(Enrolling),
}

/// The sign-in page.
#[derive(Template)]
#[template(path = "accounts/sign_in.html", config = "templates/askama.toml", blocks = ["form"])]
pub(super) struct SignInPage {
    pub(super) context: PageContext,
    pub(super) step: Step,
    /// The address to redirect to afterwards.
    pub(super) next: String,
    /// The typed address.
    pub(super) email: String,
    pub(super) error: Option<String>,
    /// A form to send after signing in.
    pub(super) unsent: Option<UnsentForm>,
    /// Whether the person just signed up.
    pub(super) signed_up: bool,
    /// Whether people may create their own accounts.
    pub(super) sign_up_offered: bool,
}

impl SignInPage {
    pub(super) fn new(context: PageContext, sign_up: &SignUp, next: String) -> Self {
        Self {
            context,
            step: Step::Password,
            next,
            email: String::new(),
            error: None,
            unsent: None,
            signed_up: false,
            sign_up_offered: !sign_up.is_off(),
        }
    }

    /// Renders the page, or only its form for the dialog in which a page signs in again.
    pub(super) fn render_as(self, status: StatusCode, fragment: bool) -> PageAnswer {
        if fragment { html(status, &self.as_form()) } else { html(status, &self) }
    }

    fn is_first_step(&self) -> bool {
        matches!(self.step, Step::Password)
    }

    fn sign_up(&self) -> String {
        with_next(&self.context, "/sign-up", &self.next)
    }
}

impl Enrolling {
    /// Returns the QR code as SVG, or `None` if the address is too long for one.
    pub(super) fn qr(&self) -> Option<String> {
        qr_svg(&self.uri)
    }
}

/// What follows after the recovery codes.
pub(super) enum AfterCodes {
    /// The page at the path to continue at.
    Page,
    /// The request that waits for the dialog in which a page signs in again.
    Dialog,
    /// The form that arrived without a session.
    SendAgain(SendAgainForm),
}

/// The page with the recovery codes, which the person sees once.
#[derive(Template)]
#[template(path = "accounts/recovery_codes.html", config = "templates/askama.toml", blocks = ["codes"])]
pub(super) struct RecoveryCodesPage {
    pub(super) context: PageContext,
    pub(super) codes: Vec<String>,
    /// The path to continue at.
    pub(super) next: String,
    pub(super) then: AfterCodes,
}

impl RecoveryCodesPage {
    /// Renders the page, or only the codes for the dialog.
    pub(super) fn render(&self) -> PageAnswer {
        match self.then {
            AfterCodes::Dialog => html(StatusCode::OK, &self.as_codes()),
            AfterCodes::Page | AfterCodes::SendAgain(_) => html(StatusCode::OK, self),
        }
    }
}

/// A form that arrived without a session, to send again.
pub(super) struct SendAgainForm {
    to: String,
    fields: Vec<(String, String)>,
}

impl From<UnsentForm> for SendAgainForm {
    fn from(form: UnsentForm) -> Self {
        Self { fields: form.pairs().unwrap_or_default(), to: form.to }
    }
}

/// The page that offers to send the form that arrived without a session. It waits for a click, because another person may
/// have signed in.
#[derive(Template)]
#[template(path = "accounts/send_again.html", config = "templates/askama.toml")]
pub(super) struct SendAgainPage {
    context: PageContext,
    name: String,
    /// The address that discards the form.
    next: String,
    form: SendAgainForm,
}

impl SendAgainPage {
    pub(super) fn new(context: PageContext, who: SignedIn, next: String, form: UnsentForm) -> Self {
        let next = local_path(&context.base, &next).unwrap_or("/").to_owned();
        let name = who.name.to_string();
        Self { context: PageContext { account: Some(who), ..context }, name, next, form: form.into() }
    }

    pub(super) fn render(&self) -> PageAnswer {
        html(StatusCode::OK, self)
    }
}
