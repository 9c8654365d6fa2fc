//! Changes of a person's own name, address and time zone.

use http::HeaderMap;

use super::super::parts::Delay;
use super::page::{AccountPage, ProfileErrors, ProfileFields, account_page, answer, done};
use crate::accounts::requester::Requester;
use crate::accounts::tokens::require_session;
use crate::accounts::{AccountError, Accounts};
use crate::base::calendar::ZoneName;
use crate::base::values::{Email, Name, Version};
use crate::shared::pages::*;

pub(super) async fn change_profile(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    from: Requester,
    headers: HeaderMap,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<ProfileForm>,
) -> PageAnswer {
    require_session(&who)?;
    let (status, errors, seconds) = match (form.name.parse::<Name>(), form.email.parse::<Email>()) {
        (Ok(name), Ok(email)) => {
            let (profile, current) = ((name, email), form.current.parse().ok());
            match accounts.change_profile(&who, form.version, profile, current, &from).await {
                Ok(_) => return Ok(done(&context, "profile", fragment)),
                Err(error) => profile_rejection(error, &who)?,
            }
        }
        (name, email) => {
            let errors = ProfileErrors {
                name: name.err().map(|invalid| invalid.to_string()),
                email: email.err().map(|invalid| invalid.to_string()),
                ..ProfileErrors::default()
            };
            (StatusCode::UNPROCESSABLE_ENTITY, errors, None)
        }
    };
    let page = account_page(&accounts, context, &who, &headers, None).await?;
    let profile = ProfileFields { name: form.name, email: form.email, ..page.profile };
    let page = AccountPage { profile, profile_errors: errors, ..page };
    answer(status, &page, seconds)
}

/// Returns the status and messages for a refused change of the name or the address, and how many seconds to wait.
fn profile_rejection(
    error: AccountError,
    who: &SignedIn,
) -> Result<(StatusCode, ProfileErrors, Option<u64>), AccountError> {
    let none = ProfileErrors::default;
    let invalid = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(match error {
        AccountError::WrongPassword => {
            let message = "Incorrect current password. You need it to change your email.";
            (invalid, ProfileErrors { current: Some(message.to_owned()), ..none() }, None)
        }
        AccountError::EmailTaken(_) => {
            // Only people who work with each other learn who has an account.
            let message = match who.is_agent() {
                true => "Another account has this email.",
                false => "This email can't be used.",
            };
            (invalid, ProfileErrors { email: Some(message.to_owned()), ..none() }, None)
        }
        AccountError::Conflict(current) => {
            let message = format!(
                "Your account just changed. It is now {}. Nothing was saved; check it and save again.",
                current.label()
            );
            (StatusCode::CONFLICT, ProfileErrors { notice: Some(message), ..none() }, None)
        }
        other => {
            let Delay { status, message, seconds } = Delay::of(other)?;
            (status, ProfileErrors { notice: Some(message), ..none() }, Some(seconds))
        }
    })
}

pub(super) async fn change_time_zone(
    State(accounts): State<Accounts>,
    context: PageContext,
    who: SignedIn,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<TimeZoneForm>,
) -> PageAnswer {
    require_session(&who)?;
    let zone = match form.time_zone.as_str() {
        "" => None,
        name => Some(name.parse::<ZoneName>().map_err(|invalid| WebError::field("time_zone", &invalid))?),
    };
    accounts.change_time_zone(&who, zone).await?;
    Ok(done(&context, "time-zone", fragment))
}

#[derive(Deserialize)]
pub(super) struct ProfileForm {
    version: Version,
    name: String,
    email: String,
    #[serde(default)]
    current: String,
}

#[derive(Deserialize)]
pub(super) struct TimeZoneForm {
    time_zone: String,
}
