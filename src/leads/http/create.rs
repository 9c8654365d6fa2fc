//! The page of a new lead.

use axum::handler::Handler as _;

use super::custom_form::{CustomForm, NewFields};
use super::edit_form::EditErrors;
use super::form::{LeadForm, owner_choices};
use super::form_limit;
use super::parse::{optional, read};
use crate::accounts::agents::AccountReference;
use crate::leads::domain::{FieldEdits, Lead, NewLead};
use crate::leads::texts::Texts;
use crate::leads::{LeadError, Leads};
use crate::shared::forms::RawForm;
use crate::shared::pages::*;
use crate::store::idempotency::Idempotency;
use crate::web::respond::answer;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().post("/leads", Access::Agent, create.layer(form_limit())).get(
        "/leads/new",
        Access::Agent,
        new,
    )
}

async fn new(State(leads): State<Leads>, context: PageContext) -> PageAnswer {
    let owners = owner_choices(context.account.as_ref(), None, &leads.agents().await?);
    let form = LeadForm::empty(owners);
    html(StatusCode::OK, &NewPage { form, key: leads.rng.uuid(), context })
}

async fn create(State(leads): State<Leads>, target: RenderTarget, submission: Submission) -> PageAnswer {
    let form = &submission.form;
    let typed = Texts::of_form(form);
    let errors = match new_lead(&leads, &typed, form).await? {
        Err(errors) => *errors,
        Ok(new) => match save(&leads, &submission, new).await {
            Ok(page) => return Ok(target.done(&page, "Lead created.")),
            Err(LeadError::RuleViolation(rule)) => EditErrors::of_rule(rule),
            Err(error) => return Err(error.into()),
        },
    };
    let custom = CustomForm::filled(Vec::new(), &NewFields::of(form), &errors.custom);
    let owners = owner_choices(Some(&submission.who), None, &leads.agents().await?);
    let form = LeadForm::for_new(typed, custom, errors.own, owners);
    html(StatusCode::UNPROCESSABLE_ENTITY, &NewPage { context: target.context, form, key: leads.rng.uuid() })
}

/// Creates the lead, and returns the path of its page. A form that is sent again returns the same path.
async fn save(leads: &Leads, submission: &Submission, new: NewLead) -> Result<String, LeadError> {
    let created = |lead: &Lead| {
        answer(StatusCode::CREATED, lead, lead.version.get(), Some(format!("/leads/{}", lead.id)))
    };
    let request = submission.request_by_key();
    let idempotency = request.map(|request| Idempotency { request, answer: &created });
    let done = leads.create(new, &submission.who.actor(), idempotency.as_ref()).await?;
    Ok(done.answer(created).location.unwrap_or_else(|| "/leads".to_owned()))
}

/// Reads a new lead and looks up its owner.
async fn new_lead(
    leads: &Leads,
    typed: &Texts,
    form: &RawForm,
) -> Result<Result<NewLead, Box<EditErrors>>, LeadError> {
    let (new, owner) = match parse_lead(typed, form) {
        Ok(parsed) => parsed,
        Err(errors) => return Ok(Err(errors)),
    };
    let Some(reference) = owner else { return Ok(Ok(new)) };
    match leads.owner(&reference).await {
        Ok(owner) => Ok(Ok(NewLead { owner: Some(owner), ..new })),
        Err(LeadError::Invalid(field, invalid)) => Ok(Err(Box::new(EditErrors::of_field(field, &invalid)))),
        Err(error) => Err(error),
    }
}

/// Parses the fields of a new lead.
///
/// # Errors
/// A message for each invalid field.
fn parse_lead(typed: &Texts, form: &RawForm) -> Result<(NewLead, Option<AccountReference>), Box<EditErrors>> {
    let mut errors = Box::<EditErrors>::default();
    let own = &mut errors.own;
    let name = read(&typed.name, &mut own.name, str::parse);
    let email = read(&typed.email, &mut own.email, str::parse);
    let phone = read(&typed.phone, &mut own.phone, optional);
    let company = read(&typed.company, &mut own.company, optional);
    let state = read(&typed.state, &mut own.state, optional);
    let lead_score = read(&typed.lead_score, &mut own.lead_score, str::parse);
    let status = read(&typed.status, &mut own.status, str::parse);
    let source = read(&typed.source, &mut own.source, optional);
    let owner = read(&typed.owner, &mut own.owner, optional);
    // Fields of a deleted lead that is created again come as they were.
    let mut fields = NewFields::of(form).into_fields(&mut errors.custom);
    for (name, text) in form.starting_with("fields.").filter(|(_, text)| !text.is_empty()) {
        let edit = name.parse().and_then(|name| FieldEdits::new(vec![(name, Some(text.parse()?))]));
        match edit.and_then(|edit| fields.edited(&edit)) {
            Ok(edited) => fields = edited,
            Err(invalid) => errors.custom.of_all(&invalid),
        }
    }
    match (name, email) {
        (Some(name), Some(email)) if *errors == EditErrors::default() => {
            let new = NewLead {
                phone: phone.flatten(),
                company: company.flatten(),
                state: state.flatten(),
                lead_score: lead_score.unwrap_or_default(),
                status: status.unwrap_or_default(),
                source: source.flatten(),
                fields,
                ..NewLead::named(name, email)
            };
            Ok((new, owner.flatten()))
        }
        _ => Err(errors),
    }
}

/// `GET /leads/new`
#[derive(Template)]
#[template(path = "leads/new.html", config = "templates/askama.toml")]
struct NewPage {
    context: PageContext,
    /// The fields.
    form: LeadForm,
    /// The idempotency key of the form.
    key: uuid::Uuid,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pairs: &[(&str, &str)]) -> Result<NewLead, Box<EditErrors>> {
        let sent = serde_urlencoded::to_string(pairs).unwrap();
        let form: RawForm = serde_urlencoded::from_str(&sent).unwrap();
        parse_lead(&Texts::of_form(&form), &form).map(|(new, _)| new)
    }

    #[test]
    fn a_new_lead_reports_all_invalid_fields_at_once() {
        let errors = parsed(&[
            ("name", " "),
            ("email", "ann"),
            ("phone", "x"),
            ("company", "\u{7}"),
            ("state", "ZZ"),
            ("leadScore", "101"),
            ("status", "?"),
            ("source", "\u{7}"),
            ("owner", "nobody"),
            ("new.0.name", "Size"),
        ])
        .unwrap_err();
        assert!(
            errors.own.iter().all(|(_, message)| message.as_ref().is_some_and(|m| m.ends_with('.'))),
            "{errors:?}"
        );
        assert!(errors.custom.added(0).is_some());
    }

    #[test]
    fn a_new_lead_has_its_fields() {
        let new = parsed(&[
            ("name", " Ann  Lee "),
            ("email", "ann@example.com"),
            ("phone", "212-555-0100"),
            ("state", ""),
            ("leadScore", " 7 "),
            ("status", "PROSPECT"),
            ("new.0.name", "Size"),
            ("new.0.text", "10"),
            ("fields.Industry", "Roofing"),
        ])
        .unwrap();
        assert_eq!((new.name.as_str(), new.state, new.lead_score.get()), ("Ann Lee", None, 7));
        assert_eq!(new.phone.unwrap().as_str(), "212-555-0100");
        assert_eq!(serde_json::to_string(&new.fields).unwrap(), r#"{"Size":"10","Industry":"Roofing"}"#);
    }
}
