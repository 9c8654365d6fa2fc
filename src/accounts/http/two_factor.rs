//! The page where a person sets up two-factor authentication, replaces the recovery codes, or switches it off.

use super::parts::Delay;
use super::sign_in_page::{AfterCodes, RecoveryCodesPage};
use crate::accounts::second_step::Enrolling;
use crate::accounts::tokens::require_session;
use crate::accounts::two_factor::{Enrollment, RecoveryCodes, SecondFactorCode, TwoFactorError};
use crate::accounts::{AccountError, Accounts};
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Accounts> {
    Routes::default()
        .get("/account/two-factor", Access::SignedIn, page)
        .post("/account/two-factor", Access::SignedIn, set_up)
        .post("/account/two-factor/codes", Access::SignedIn, new_codes)
        .post("/account/two-factor/off", Access::SignedIn, switch_off)
        .with_secrets()
}

async fn page(State(accounts): State<Accounts>, context: PageContext, who: SignedIn) -> PageAnswer {
    let page = TwoFactorPage::of(&accounts, context, &who, None).await?;
    html(StatusCode::OK, &page)
}

async fn set_up(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    FormData(form): FormData<SetUpForm>,
) -> PageAnswer {
    require_session(&who)?;
    let (current, sealed) = (form.current.parse().ok(), form.enrollment);
    let code = match form.code.parse::<SecondFactorCode>() {
        Ok(code) => code,
        Err(invalid) => return refused(&accounts, context, &who, Some(sealed), invalid.to_string()).await,
    };
    let done = accounts.set_up_two_factor(&who, current, sealed.clone(), &code).await;
    answer(&accounts, context, &who, Some(sealed), done).await
}

async fn new_codes(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    FormData(form): FormData<ConfirmForm>,
) -> PageAnswer {
    require_session(&who)?;
    let done = accounts.new_recovery_codes(&who, form.current.parse().ok()).await;
    answer(&accounts, context, &who, None, done).await
}

async fn switch_off(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    who: SignedIn,
    FormData(form): FormData<ConfirmForm>,
) -> PageAnswer {
    require_session(&who)?;
    match accounts.switch_two_factor_off(&who, form.current.parse().ok()).await {
        Ok(()) => Ok(target.redirect("/account?done=two-factor-off")),
        Err(error) => answer(&accounts, target.context, &who, None, Err(error)).await,
    }
}

/// Shows the new recovery codes, or why there are none.
async fn answer(
    accounts: &Accounts,
    context: PageContext,
    who: &SignedIn,
    sealed: Option<String>,
    done: Result<RecoveryCodes, AccountError>,
) -> PageAnswer {
    let error = match done {
        Ok(codes) => {
            let codes = codes.iter().map(|code| code.reveal()).collect();
            let next = "/account".to_owned();
            return RecoveryCodesPage { context, codes, next, then: AfterCodes::Page }.render();
        }
        Err(error) => error,
    };
    if let Some(message) = refusal(&error) {
        return refused(accounts, context, who, sealed, message.to_owned()).await;
    }
    let delay = Delay::of(error)?;
    let page = TwoFactorPage::of(accounts, context, who, sealed).await?;
    delay.answer(|status, message| html(status, &TwoFactorPage { error: Some(message), ..page }))
}

/// Returns the message of a change that was refused, if the same form can be corrected and sent again.
fn refusal(error: &AccountError) -> Option<&'static str> {
    match error {
        AccountError::WrongPassword => Some("Incorrect current password."),
        AccountError::TwoFactor(TwoFactorError::WrongCode) => Some("Incorrect code."),
        AccountError::TwoFactor(TwoFactorError::UsedCode) => {
            Some("This code was already used. Wait for the next one.")
        }
        AccountError::TwoFactorRequired => Some("Your role requires two-factor authentication. It stays on."),
        AccountError::Changed => Some("Your account just changed. Nothing was saved; try again."),
        _ => None,
    }
}

async fn refused(
    accounts: &Accounts,
    context: PageContext,
    who: &SignedIn,
    sealed: Option<String>,
    message: String,
) -> PageAnswer {
    let page = TwoFactorPage::of(accounts, context, who, sealed).await?;
    html(StatusCode::UNPROCESSABLE_ENTITY, &TwoFactorPage { error: Some(message), ..page })
}

#[derive(Deserialize)]
struct SetUpForm {
    enrollment: String,
    code: String,
    #[serde(default)]
    current: String,
}

#[derive(Deserialize)]
struct ConfirmForm {
    #[serde(default)]
    current: String,
}

/// The page of two-factor authentication.
#[derive(Template)]
#[template(path = "accounts/two_factor.html", config = "templates/askama.toml")]
struct TwoFactorPage {
    context: PageContext,
    email: String,
    has_password: bool,
    is_required: bool,
    /// Whether this server can encrypt secrets.
    is_available: bool,
    /// When it was set up, and how many recovery codes are left.
    current: Option<(DisplayTime, usize)>,
    /// The secret to set it up with.
    enrolling: Option<Enrolling>,
    error: Option<String>,
}

impl TwoFactorPage {
    /// Creates the page. `sealed` is the secret of the form that was sent.
    async fn of(
        accounts: &Accounts,
        context: PageContext,
        who: &SignedIn,
        sealed: Option<String>,
    ) -> Result<Self, AccountError> {
        let account = accounts.find(who.id).await?;
        let is_available = accounts.data_keys().await.is_some();
        let shown = match sealed {
            Some(sealed) if is_available => accounts.shown_again(&account, sealed).await?,
            _ => None,
        };
        let enrolling = match (shown, account.two_factor.is_none() && is_available) {
            (_, false) => None,
            (Some(shown), true) => Some(shown),
            (None, true) => Some(accounts.enrolling(&account, &Enrollment::new(accounts.rng.bytes())).await?),
        };
        let current = account.two_factor.as_ref();
        Ok(Self {
            context,
            email: account.email.to_string(),
            has_password: account.password.is_some(),
            is_required: accounts.security().await?.requires(account.role),
            is_available,
            current: current.map(|factor| (factor.created_at().into(), factor.recovery_codes_left())),
            enrolling,
            error: None,
        })
    }
}
