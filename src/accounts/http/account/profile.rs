//! Changes of a person's own name, address and time zone.

use http::HeaderMap;

use super::super::parts::message;
use super::page::{AccountPage, ProfileErrors, ProfileFields, Rejection, account_page, done};
use crate::accounts::requester::Requester;
use crate::accounts::tokens::require_session;
use crate::accounts::{AccountError, Accounts};
use crate::base::calendar::ZoneName;
use crate::base::values::{Email, Name, Version};
use crate::shared::pages::*;

pub(super) async fn change_profile(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    who: SignedIn,
    from: Requester,
    headers: HeaderMap,
    FormData(form): FormData<ProfileForm>,
) -> PageAnswer {
    require_session(&who)?;
    let Err(rejection) = change(&accounts, &who, &form, &from).await? else {
        return Ok(done(&target, "profile"));
    };
    let page = account_page(&accounts, target.context, &who, &headers).await?;
    let profile = ProfileFields { name: form.name, email: form.email, ..page.profile };
    rejection.answer(|profile_errors| AccountPage { profile, profile_errors, ..page })
}

async fn change(
    accounts: &Accounts,
    who: &SignedIn,
    form: &ProfileForm,
    from: &Requester,
) -> Result<Result<(), Rejection<ProfileErrors>>, AccountError> {
    let profile = match form.name_and_email() {
        Ok(profile) => profile,
        Err(errors) => return Ok(Err(Rejection::invalid(errors))),
    };
    let current = form.current.parse().ok();
    match accounts.change_profile(who, form.version, profile, current, from).await {
        Ok(_) => Ok(Ok(())),
        Err(error) => rejection_of(error, who).map(Err),
    }
}

/// Returns the rejection of a failed change of the name or the address.
///
/// # Errors
/// The error itself, if another page answers it.
fn rejection_of(error: AccountError, who: &SignedIn) -> Result<Rejection<ProfileErrors>, AccountError> {
    let none = ProfileErrors::default;
    Ok(match error {
        AccountError::WrongPassword => {
            let message = "Incorrect current password. You need it to change your email.";
            Rejection::invalid(ProfileErrors { current: Some(message.to_owned()), ..none() })
        }
        AccountError::EmailTaken(_) => {
            // Only people who work with each other learn who has an account.
            let message = match who.is_agent() {
                true => "Another account has this email.",
                false => "This email can't be used.",
            };
            Rejection::invalid(ProfileErrors { email: Some(message.to_owned()), ..none() })
        }
        AccountError::Conflict(current) => {
            let message = format!(
                "Your account just changed. It is now {}. Nothing was saved; check it and save again.",
                current.label()
            );
            Rejection::conflict(ProfileErrors { notice: Some(message), ..none() })
        }
        other => Rejection::delayed(other, |message| ProfileErrors { notice: Some(message), ..none() })?,
    })
}

pub(super) async fn change_time_zone(
    State(accounts): State<Accounts>,
    target: RenderTarget,
    who: SignedIn,
    FormData(form): FormData<TimeZoneForm>,
) -> PageAnswer {
    require_session(&who)?;
    let zone = match form.time_zone.as_str() {
        "" => None,
        name => Some(name.parse::<ZoneName>().map_err(|invalid| WebError::field("time_zone", &invalid))?),
    };
    accounts.change_time_zone(&who, zone).await?;
    Ok(done(&target, "time-zone"))
}

#[derive(Deserialize)]
pub(super) struct ProfileForm {
    version: Version,
    name: String,
    email: String,
    #[serde(default)]
    current: String,
}

impl ProfileForm {
    /// Parses the name and the address, or returns the errors of both.
    fn name_and_email(&self) -> Result<(Name, Email), ProfileErrors> {
        match (self.name.parse::<Name>(), self.email.parse::<Email>()) {
            (Ok(name), Ok(email)) => Ok((name, email)),
            (name, email) => {
                let (name, email) = (message(name), message(email));
                Err(ProfileErrors { name, email, ..ProfileErrors::default() })
            }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct TimeZoneForm {
    time_zone: String,
}
