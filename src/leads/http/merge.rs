//! Possible duplicates of a lead, and the page that merges two leads.

use super::parts::{LeadView, label};
use crate::base::values::Version;
use crate::leads::custom_field_items::LeadWithFields;
use crate::leads::domain::{FieldEdits, Lead, LeadChange, LeadField, LeadId};
use crate::leads::merge_leads::Merge;
use crate::leads::texts::text_of;
use crate::leads::{LeadError, Leads};
use crate::shared::forms::RawForm;
use crate::shared::pages::*;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default()
        .get("/leads/{id}/duplicates", Access::Viewer, duplicates)
        .get("/leads/{id}/merge", Access::Agent, choose)
        .post("/leads/{id}/merge", Access::Agent, merge)
}

async fn duplicates(State(leads): State<Leads>, target: RenderTarget, Path(id): Path<LeadId>) -> PageAnswer {
    let lead = leads.find(id).await?;
    let found = leads.possible_duplicates(&lead).await?.into_iter().map(LeadView::of).collect();
    let RenderTarget { context, fragment } = target;
    let page = DuplicatesPage { context, lead: LeadView::of(lead), found, fragment };
    if fragment { html(StatusCode::OK, &page.as_found()) } else { html(StatusCode::OK, &page) }
}

#[derive(Debug, Deserialize)]
struct MergeQuery {
    with: Option<String>,
}

async fn choose(
    State(leads): State<Leads>,
    target: RenderTarget,
    Path(id): Path<LeadId>,
    Query(query): Query<MergeQuery>,
) -> PageAnswer {
    let other: LeadId = parse_lead("with", query.with.as_deref())?;
    let (kept, other) = leads.find_pair(id, other).await?;
    html(StatusCode::OK, &MergePage::new(target.context, kept, other, None))
}

fn parse_lead(field: &'static str, text: Option<&str>) -> Result<LeadId, WebError> {
    text.unwrap_or_default().parse().map_err(|invalid| WebError::field(field, &invalid))
}

async fn merge(
    State(leads): State<Leads>,
    target: RenderTarget,
    Path(id): Path<LeadId>,
    submission: Submission,
) -> PageAnswer {
    let merge = read_merge(&leads, id, &submission.form).await?;
    let (by, idempotency) = ((&submission.who).into(), submission.idempotency());
    let (status, error) = match leads.merge(&merge, &by, Some(&idempotency)).await {
        Ok(_) => return Ok(target.done(&format!("/leads/{id}"), "Leads merged.")),
        Err(LeadError::Conflict(_)) => (
            StatusCode::CONFLICT,
            "One of these leads has changed. Here are both as they are now.".to_owned(),
        ),
        Err(LeadError::RuleViolation(rule)) => (StatusCode::UNPROCESSABLE_ENTITY, rule.words().to_owned()),
        Err(LeadError::Invalid(_, invalid)) => (StatusCode::UNPROCESSABLE_ENTITY, invalid.to_string()),
        Err(error) => return Err(error.into()),
    };
    let (kept, other) = leads.find_pair(id, merge.merged.0).await?;
    html(status, &MergePage::new(target.context, kept, other, Some(error)))
}

/// Reads both leads, and the values that the person chose.
async fn read_merge(leads: &Leads, id: LeadId, form: &RawForm) -> Result<Merge, Problem> {
    let version = form.version()?;
    let other = parse_lead("merged", form.get("merged"))?;
    let other_version: Version =
        form.text("mergedVersion").parse().map_err(|invalid| WebError::field("mergedVersion", &invalid))?;
    let (kept, merged) = leads.find_pair(id, other).await?;
    let choices = choices(form, &kept, &merged);
    Ok(Merge { kept: (id, version), merged: (other, other_version), choices })
}

/// Returns the values of the other lead that the person chose.
fn choices(form: &RawForm, kept: &LeadWithFields, other: &LeadWithFields) -> LeadChange {
    let takes = |name: &str| form.get(&format!("choose.{name}")) == Some("other");
    let takes_field = |field: LeadField| takes(field.as_str());
    let lead = &other.lead;
    let edits = other
        .fields
        .iter()
        .filter(|field| kept.fields.get(&field.name).is_some() && takes(&format!("fields.{}", field.name)));
    let edits = edits.map(|field| (field.name.clone(), Some(field.text.clone()))).collect();
    LeadChange {
        name: takes_field(LeadField::Name).then(|| lead.name.clone()),
        email: takes_field(LeadField::Email).then(|| lead.email.clone()),
        phone: takes_field(LeadField::Phone).then(|| lead.phone.clone()),
        company: takes_field(LeadField::Company).then(|| lead.company.clone()),
        state: takes_field(LeadField::State).then_some(lead.state),
        lead_score: takes_field(LeadField::LeadScore).then_some(lead.lead_score),
        status: takes_field(LeadField::Status).then_some(lead.status),
        source: takes_field(LeadField::Source).then(|| lead.source.clone()),
        owner: takes_field(LeadField::Owner).then(|| lead.owner.clone()),
        fields: FieldEdits::new(edits).unwrap_or_default(),
    }
}

/// A field that differs between two leads.
#[derive(Debug, Clone)]
struct Difference {
    name: String,
    label: String,
    kept: String,
    other: String,
}

fn differences(kept: &LeadWithFields, other: &LeadWithFields) -> Vec<Difference> {
    let text = |lead: &Lead, field: LeadField| label(field, &text_of(&lead.value(field)));
    let own = LeadField::EDITABLE.into_iter().map(|field| Difference {
        name: field.as_str().to_owned(),
        label: field.label().to_owned(),
        kept: text(&kept.lead, field),
        other: text(&other.lead, field),
    });
    let custom = other.fields.iter().map(|field| Difference {
        name: format!("fields.{}", field.name),
        label: field.name.to_string(),
        kept: kept.fields.get(&field.name).map(ToString::to_string).unwrap_or_default(),
        other: field.text.to_string(),
    });
    own.chain(custom).filter(|one| one.kept != one.other).collect()
}

impl Difference {
    /// Whether only one lead has a value, which the merged lead then gets.
    fn is_decided(&self) -> bool {
        self.kept.is_empty() || self.other.is_empty()
    }
}

/// `GET /leads/{id}/merge`
#[derive(Template)]
#[template(path = "leads/merge.html", config = "templates/askama.toml")]
struct MergePage {
    context: PageContext,
    kept: LeadView,
    other: LeadView,
    differences: Vec<Difference>,
    error: Option<String>,
}

impl MergePage {
    fn new(context: PageContext, kept: LeadWithFields, other: LeadWithFields, error: Option<String>) -> Self {
        let differences = differences(&kept, &other);
        let (kept, other) = (LeadView::of(kept.lead), LeadView::of(other.lead));
        Self { context, kept, other, differences, error }
    }
}

/// `GET /leads/{id}/duplicates`
#[derive(Template)]
#[template(path = "leads/duplicates.html", config = "templates/askama.toml", blocks = ["found"])]
struct DuplicatesPage {
    context: PageContext,
    lead: LeadView,
    found: Vec<LeadView>,
    /// Whether the answer is a part of the lead's page.
    fragment: bool,
}
