//! Changes of a person's own password.

use http::HeaderMap;

use super::page::{AccountPage, PasswordErrors, Rejection, account_page, done};
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::sign_in::SessionCookies;
use crate::accounts::tokens::require_session;
use crate::accounts::{AccountError, Accounts};
use crate::shared::pages::*;

pub(super) async fn change_password(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    who: SignedIn,
    from: Requester,
    headers: HeaderMap,
    FormData(form): FormData<PasswordForm>,
) -> PageAnswer {
    require_session(&who)?;
    let rejection = match change(&accounts, &who, &form, &from).await? {
        Ok(cookies) => {
            tracing::info!(account = %who.id, "password changed");
            return Ok((cookies, done(&target, "password")).into_response());
        }
        Err(rejection) => rejection,
    };
    let page = account_page(&accounts, target.context, &who, &headers).await?;
    rejection.answer(|password| AccountPage { password, ..page })
}

async fn change(
    accounts: &Accounts,
    who: &SignedIn,
    form: &PasswordForm,
    from: &Requester,
) -> Result<Result<SessionCookies, Rejection<PasswordErrors>>, AccountError> {
    let new = match new_password(form) {
        Ok(new) => new,
        Err(errors) => return Ok(Err(Rejection::invalid(errors))),
    };
    let (current, revoke) = (form.current.parse().ok(), form.revoke_tokens.is_some());
    match accounts.change_password(who, current, new, revoke, from).await {
        Ok(cookies) => Ok(Ok(cookies)),
        Err(error) => rejection_of(error).map(Err),
    }
}

/// Parses the new password, which must be typed twice.
fn new_password(form: &PasswordForm) -> Result<Password, PasswordErrors> {
    let mut errors = PasswordErrors::default();
    if form.new != form.again {
        errors.again = Some("The passwords don't match.".to_owned());
    }
    match form.new.parse() {
        Ok(new) if !errors.any() => Ok(new),
        Ok(_) => Err(errors),
        Err(invalid) => Err(PasswordErrors { new: Some(invalid.to_string()), ..errors }),
    }
}

/// Returns the rejection of a failed password change.
///
/// # Errors
/// The error itself, if another page answers it.
fn rejection_of(error: AccountError) -> Result<Rejection<PasswordErrors>, AccountError> {
    let at_current = |message| PasswordErrors { current: Some(message), ..PasswordErrors::default() };
    Ok(match error {
        AccountError::NewPassword(invalid) => {
            let new = Some(invalid.to_string());
            Rejection::invalid(PasswordErrors { new, ..PasswordErrors::default() })
        }
        AccountError::WrongPassword => {
            Rejection::invalid(at_current("Incorrect current password.".to_owned()))
        }
        AccountError::Changed => {
            let message = "Your account just changed. Nothing was saved; try again.";
            Rejection::conflict(at_current(message.to_owned()))
        }
        other => Rejection::delayed(other, at_current)?,
    })
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    #[serde(default)]
    current: String,
    new: String,
    again: String,
    /// Present if the box is ticked.
    revoke_tokens: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_must_be_typed_twice() {
        let typed = |new: &str, again: &str| {
            let (current, new, again) = (String::new(), new.to_owned(), again.to_owned());
            new_password(&PasswordForm { current, new, again, revoke_tokens: None })
        };
        assert!(typed("correct horse battery", "correct horse battery").is_ok());
        let errors = typed("correct horse battery", "correct horse batterY").unwrap_err();
        assert!(errors.new.is_none() && errors.again.is_some());
        let errors = typed("short", "shor").unwrap_err();
        assert!(errors.new.is_some() && errors.again.is_some());
    }
}
