//! The page where an administrator chooses the roles that need two-factor authentication.

use crate::accounts::AccountError;
use crate::accounts::change::Operator;
use crate::accounts::security::Security;
use crate::base::identity::Role;
use crate::base::values::Version;
use crate::people::People;
use crate::shared::pages::*;

const PATH: &str = "/people/security";

/// The page after sessions ended.
const ENDED: &str = "/people/security?saved=ended";

/// The box that ends sessions.
const END: &str = "end_sessions";

pub(super) fn routes() -> Routes<People> {
    Routes::default().get(PATH, Access::Administrator, show).post(PATH, Access::Administrator, save).post(
        "/people/security/sessions",
        Access::Administrator,
        end_sessions,
    )
}

async fn show(
    State(people): State<People>,
    context: PageContext,
    Query(query): Query<SecurityQuery>,
) -> PageAnswer {
    let security = people.accounts.security().await?;
    let notice = match query.saved.as_deref() {
        // The page itself says that there is something left to do.
        _ if security.ending.is_some() => None,
        Some("ended") => Some("Saved. Sessions of people without two-factor authentication ended."),
        Some(_) => Some("Saved. It applies from the next sign-in."),
        None => None,
    };
    html(StatusCode::OK, &SecurityPage { context, security, notice, error: None })
}

async fn save(State(people): State<People>, target: RenderTarget, submission: Submission) -> PageAnswer {
    let form = &submission.form;
    let expected: Option<Version> =
        form.get("version").filter(|text| !text.is_empty()).and_then(|text| text.parse().ok());
    let roles = Role::ALL.into_iter().filter(|role| form.get(role.as_str()).is_some()).collect();
    let (end, operator) = (form.get(END).is_some(), Operator::Administrator(&submission.who));
    match people.accounts.require_two_factor(expected, roles, end, operator).await {
        Ok(saved) if saved.ending.is_some() => {
            people.accounts.end_sessions_without_two_factor(operator).await?;
            Ok(target.redirect(ENDED))
        }
        Ok(_) => Ok(target.redirect("/people/security?saved=1")),
        Err(error) => show_refusal(&people, target.context, error).await,
    }
}

/// Shows the current settings with the reason why a change was refused.
async fn show_refusal(people: &People, context: PageContext, error: AccountError) -> PageAnswer {
    let (status, words) = match error {
        AccountError::Changed => {
            let words = "Another administrator just changed this. Your change wasn't saved. The current settings are below.";
            (StatusCode::CONFLICT, words)
        }
        AccountError::NoDataKey => {
            (StatusCode::UNPROCESSABLE_ENTITY, "Set HOLDFAST_DATA_KEY on the server first.")
        }
        other => return Err(other.into()),
    };
    let security = people.accounts.security().await?;
    html(status, &SecurityPage { context, security, notice: None, error: Some(words) })
}

/// Continues to end sessions after an interruption.
async fn end_sessions(State(people): State<People>, target: RenderTarget, who: SignedIn) -> PageAnswer {
    people.accounts.end_sessions_without_two_factor(Operator::Administrator(&who)).await?;
    Ok(target.redirect(ENDED))
}

#[derive(Deserialize)]
struct SecurityQuery {
    saved: Option<String>,
}

/// The page of the settings for signing in.
#[derive(Template)]
#[template(path = "people/security.html", config = "templates/askama.toml")]
struct SecurityPage {
    context: PageContext,
    security: Security,
    notice: Option<&'static str>,
    error: Option<&'static str>,
}

impl SecurityPage {
    /// Returns the roles, the most powerful first.
    fn roles(&self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().rev()
    }

    fn version(&self) -> String {
        self.security.version.map(|version| version.to_string()).unwrap_or_default()
    }
}
