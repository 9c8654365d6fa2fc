//! The page of a new lead.

use askama::Template;
use axum::extract::State;
use http::StatusCode;

use super::form::{LeadForm, parse_state, read, rule_message};
use super::parts::{Answer, RenderTarget};
use crate::base::identity::SignedIn;
use crate::leads::domain::{Lead, NewLead};
use crate::leads::texts::{Messages, Texts};
use crate::leads::{LeadError, Leads};
use crate::shared::forms::RawForm;
use crate::store::idempotency::{Done, Idempotency};
use crate::web::access::Access;
use crate::web::extract::FormData;
use crate::web::pages::PageContext;
use crate::web::respond::{answer, html};
use crate::web::routes::Routes;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().post("/leads", Access::Agent, create).get("/leads/new", Access::Agent, new)
}

async fn new(State(leads): State<Leads>, context: PageContext) -> Answer {
    html(StatusCode::OK, &NewPage { context, form: LeadForm::empty(), key: leads.rng.uuid() })
}

async fn create(
    State(leads): State<Leads>,
    target: RenderTarget,
    who: SignedIn,
    FormData(form): FormData<RawForm>,
) -> Answer {
    let typed = Texts::of_form(&form);
    let created = |lead: &Lead| {
        answer(StatusCode::CREATED, lead, lead.version.get(), Some(format!("/leads/{}", lead.id)))
    };
    let idempotency = form.once_by_key("/leads", &who, leads.clock.now());
    let idempotency = idempotency.map(|request| Idempotency { request, answer: &created });
    let errors = match new_lead(&typed) {
        Err(errors) => *errors,
        Ok(new) => match leads.create(new, &who.actor(), idempotency.as_ref()).await {
            Ok(Done::Now(lead)) => {
                return Ok(target.to(&format!("/leads/{}", lead.id), "The lead was created."));
            }
            Ok(Done::Replayed(answer)) => {
                let location = answer.location.as_deref().unwrap_or("/leads");
                return Ok(target.to(location, "The lead was created."));
            }
            Err(LeadError::RuleViolation(rule)) => rule_message(rule),
            Err(error) => return Err(error.into()),
        },
    };
    let page =
        NewPage { context: target.context, form: LeadForm::for_new(typed, errors), key: leads.rng.uuid() };
    html(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Parses the fields of a new lead.
///
/// # Errors
/// A message for each invalid field.
fn new_lead(typed: &Texts) -> Result<NewLead, Box<Messages>> {
    let mut errors = Box::<Messages>::default();
    let name = read(&typed.name, &mut errors.name, str::parse);
    let email = read(&typed.email, &mut errors.email, str::parse);
    let state = read(&typed.state, &mut errors.state, parse_state);
    let lead_score = read(&typed.lead_score, &mut errors.lead_score, str::parse);
    let status = read(&typed.status, &mut errors.status, str::parse);
    match (name, email, state, lead_score, status) {
        (Some(name), Some(email), Some(state), Some(lead_score), Some(status)) => {
            Ok(NewLead { name, email, state, lead_score, status })
        }
        _ => Err(errors),
    }
}

/// `GET /leads/new`
#[derive(Template)]
#[template(path = "leads/new.html")]
struct NewPage {
    /// The page context.
    context: PageContext,
    /// The fields.
    form: LeadForm,
    /// The idempotency key of the form.
    key: uuid::Uuid,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pairs: &[(&str, &str)]) -> Texts {
        let sent = serde_urlencoded::to_string(pairs).unwrap();
        Texts::of_form(&serde_urlencoded::from_str(&sent).unwrap())
    }

    #[test]
    fn a_new_lead_reports_all_invalid_fields_at_once() {
        let invalid =
            typed(&[("name", " "), ("email", "ann"), ("state", "ZZ"), ("leadScore", "101"), ("status", "?")]);
        let errors = new_lead(&invalid).unwrap_err();
        assert!(
            errors.iter().all(|(_, message)| message.as_ref().is_some_and(|m| m.ends_with('.'))),
            "{errors:?}"
        );
        assert_eq!(invalid.lead_score, "101");
        let valid = typed(&[
            ("name", " Ann  Lee "),
            ("email", "ann@example.com"),
            ("state", ""),
            ("leadScore", " 7 "),
            ("status", "PROSPECT"),
        ]);
        let new = new_lead(&valid).unwrap();
        assert_eq!((new.name.as_str(), new.state, new.lead_score.get()), ("Ann Lee", None, 7));
    }
}
