//! Changes of a person's own password.

use http::HeaderMap;

use super::super::parts::Delay;
use super::page::{AccountPage, PasswordErrors, account_page, answer, done};
use crate::accounts::password::Password;
use crate::accounts::requester::Requester;
use crate::accounts::tokens::require_session;
use crate::accounts::{AccountError, Accounts};
use crate::shared::pages::*;

pub(super) async fn change_password(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    from: Requester,
    headers: HeaderMap,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<PasswordForm>,
) -> PageAnswer {
    require_session(&who)?;
    let (status, password, seconds) = match new_password(&form) {
        Err(errors) => (StatusCode::UNPROCESSABLE_ENTITY, errors, None),
        Ok(new) => {
            let (current, revoke) = (form.current.parse().ok(), form.revoke_tokens.is_some());
            match accounts.change_password(&who, current, new, revoke, &from).await {
                Ok(cookies) => {
                    tracing::info!(account = %who.id, "password changed");
                    return Ok((cookies, done(&context, "password", fragment)).into_response());
                }
                Err(error) => password_rejection(error)?,
            }
        }
    };
    let page = account_page(&accounts, context, &who, &headers, None).await?;
    answer(status, &AccountPage { password, ..page }, seconds)
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

/// Returns the status and message for a failed password change, and how many seconds to wait.
fn password_rejection(
    error: AccountError,
) -> Result<(StatusCode, PasswordErrors, Option<u64>), AccountError> {
    if let AccountError::NewPassword(invalid) = &error {
        let errors = PasswordErrors { new: Some(invalid.to_string()), ..PasswordErrors::default() };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, errors, None));
    }
    let (status, message, seconds) = match error {
        AccountError::WrongPassword => {
            (StatusCode::UNPROCESSABLE_ENTITY, "Incorrect current password.".to_owned(), None)
        }
        AccountError::Changed => {
            let message = "Your account just changed. Nothing was saved; try again.";
            (StatusCode::CONFLICT, message.to_owned(), None)
        }
        other => {
            let Delay { status, message, seconds } = Delay::of(other)?;
            (status, message, Some(seconds))
        }
    };
    Ok((status, PasswordErrors { current: Some(message), ..PasswordErrors::default() }, seconds))
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
