//! The changes that a row of an import makes to an existing lead. Pure.
//!
//! Invariant: a value that a rule forbids, or that does not fit, is left out with a note, and the rest is saved.

use super::row::{ImportRow, KnownEmails};
use crate::base::text::isolated;
use crate::leads::custom_field_items::LeadWithFields;
use crate::leads::domain::{
    CustomFields, FieldEdits, FieldName, FieldText, Lead, LeadChange, LeadField, Score, Status,
};

/// How many custom fields a note names.
const NAMED: usize = 3;

/// The changes that a row makes to an existing lead.
pub(super) struct KnownChange {
    /// The change, which breaks no rule of the lead.
    pub(super) change: LeadChange,
    /// The values of the row that are not saved, each with the reason.
    pub(super) unsaved: Vec<String>,
    /// Whether the lead becomes QUALIFIED because neither the row nor the lead has the score for a conversion.
    pub(super) lacks_score: bool,
}

impl KnownChange {
    /// Compares a row with a lead as it was read.
    pub(super) fn of(found: &LeadWithFields, row: &ImportRow, known: KnownEmails) -> Self {
        let (lead, new) = (&found.lead, &row.new);
        let replaces = known == KnownEmails::Update;
        let lacks_score = replaces && row.conversion.is_some() && !can_convert(lead, row);
        let status = match row.conversion {
            Some(_) if !lacks_score => Status::Converted,
            _ => new.status,
        };
        let mut change = LeadChange {
            name: Some(new.name.clone()).filter(|name| replaces && row.has_name && *name != lead.name),
            email: Some(new.email.clone()).filter(|email| replaces && *email != lead.email),
            phone: optional(&lead.phone, &new.phone, replaces),
            company: optional(&lead.company, &new.company, replaces),
            state: optional(&lead.state, &new.state, replaces),
            lead_score: Some(new.lead_score)
                .filter(|score| replaces && row.has_score && *score != lead.lead_score),
            status: Some(status).filter(|status| replaces && row.has_status && *status != lead.status),
            source: optional(&lead.source, &new.source, replaces),
            owner: optional(&lead.owner, &new.owner, replaces),
            fields: FieldEdits::default(),
        };
        let mut unsaved = drop_forbidden(&mut change, lead);
        // The text of a status that the lead can have is not kept beside it.
        let understood = row.conversion.as_ref().filter(|_| !lacks_score).map(|one| one.field.as_str());
        let edits = field_edits(&found.fields, &new.fields, replaces, understood);
        let (fields, left_out) = fitting(&found.fields, edits);
        change.fields = fields;
        unsaved.extend(left_out_note(&left_out));
        Self { change, unsaved, lacks_score }
    }
}

/// Whether an existing lead has the score for a conversion, with the score of the row or else its own.
fn can_convert(lead: &Lead, row: &ImportRow) -> bool {
    let score = if row.has_score { row.new.lead_score } else { lead.lead_score };
    lead.status == Status::Converted || score >= Score::TO_CONVERT
}

fn optional<T: Clone + PartialEq>(old: &Option<T>, new: &Option<T>, replaces: bool) -> Option<Option<T>> {
    let fills = old.is_none() || (replaces && old != new);
    new.as_ref().filter(|_| fills).map(|value| Some(value.clone()))
}

/// Removes the values that a rule forbids, and returns why.
fn drop_forbidden(change: &mut LeadChange, lead: &Lead) -> Vec<String> {
    let mut unsaved = Vec::new();
    while let Some(rule) = change.broken_rule(lead) {
        let field = rule.field();
        let dropped = match field {
            LeadField::Status => change.status.take().map(|status| status.label().to_owned()),
            LeadField::LeadScore => change.lead_score.take().map(|score| score.to_string()),
            LeadField::State => change.state.take().flatten().map(|state| state.name().to_owned()),
            _ => None,
        };
        // Rules about other values are left to the write, which explains them.
        let Some(value) = dropped else { break };
        unsaved.push(format!("{} “{value}” isn't saved. {}", field.label(), rule.words()));
    }
    unsaved
}

type FieldEdit = (FieldName, Option<FieldText>);

fn field_edits(
    old: &CustomFields,
    new: &CustomFields,
    replaces: bool,
    understood: Option<&str>,
) -> Vec<FieldEdit> {
    let edits = new.iter().filter(|field| match old.get(&field.name) {
        _ if understood == Some(field.name.as_str()) => false,
        None => true,
        Some(text) => replaces && *text != field.text,
    });
    edits.map(|field| (field.name.clone(), Some(field.text.clone()))).collect()
}

/// Returns the edits that fit into the custom fields of a lead, and the names of the others.
fn fitting(old: &CustomFields, edits: Vec<FieldEdit>) -> (FieldEdits, Vec<FieldName>) {
    let all = FieldEdits::new(edits.clone()).unwrap_or_default();
    if old.edited(&all).is_ok() {
        return (all, Vec::new());
    }
    let (mut fields, mut kept, mut left_out) = (old.clone(), Vec::new(), Vec::new());
    for edit in edits {
        let one = FieldEdits::new(vec![edit.clone()]).unwrap_or_default();
        match fields.edited(&one) {
            Ok(after) => {
                fields = after;
                kept.push(edit);
            }
            Err(_) => left_out.push(edit.0),
        }
    }
    (FieldEdits::new(kept).unwrap_or_default(), left_out)
}

fn left_out_note(left_out: &[FieldName]) -> Option<String> {
    let names: Vec<String> =
        left_out.iter().take(NAMED).map(|name| format!("“{}”", isolated(name.as_str()))).collect();
    let more = if left_out.len() > NAMED { ", …" } else { "" };
    let fields = if left_out.len() == 1 { "custom field isn't" } else { "custom fields aren't" };
    (!left_out.is_empty()).then(|| {
        format!(
            "{} {fields} saved: {}{more}. A lead can have at most {} custom fields and {} KB in total.",
            left_out.len(),
            names.join(", "),
            CustomFields::MAX,
            CustomFields::MAX_BYTES / 1024
        )
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::super::row::{Conversion, RowSource};
    use super::*;
    use crate::base::identity::Actor;
    use crate::base::values::OrderId;
    use crate::leads::domain::{LeadId, NewLead, Stock};

    fn new(json: serde_json::Value) -> NewLead {
        serde_json::from_value(json).unwrap()
    }

    fn stored(json: serde_json::Value) -> LeadWithFields {
        let stored = new(json);
        let fields = stored.fields.clone();
        let id = LeadId::new(Timestamp::UNIX_EPOCH, &[0; 10]);
        let lead = stored.into_lead(id, Timestamp::UNIX_EPOCH, Actor::new("t")).unwrap();
        LeadWithFields { lead, fields }
    }

    fn ann(score: i64, status: &str) -> LeadWithFields {
        stored(json!({
            "name": "Ann Lee", "email": "ann@example.com", "leadScore": score, "status": status, "state": "NY",
        }))
    }

    fn row(json: serde_json::Value) -> ImportRow {
        let source = RowSource { import: "t".to_owned(), began: Timestamp::UNIX_EPOCH, row: 1 };
        let (has_status, has_score) = (json.get("status").is_some(), json.get("leadScore").is_some());
        let new = new(json);
        ImportRow { new, has_name: true, has_status, has_score, conversion: None, source }
    }

    /// A row with the status "Customer" and too low a score for it, as it is read.
    fn customer(mut json: serde_json::Value) -> ImportRow {
        json["status"] = json!("QUALIFIED");
        json["fields"] = json!({ "Status (file)": "Customer" });
        let conversion =
            Conversion { field: "Status (file)".to_owned(), warning: "It becomes QUALIFIED.".to_owned() };
        ImportRow { conversion: Some(conversion), ..row(json) }
    }

    fn changed(known: KnownEmails) -> LeadChange {
        let found = stored(json!({
            "name": "Ann Lee", "email": "ann@example.com", "phone": "212-555-0100", "leadScore": 50,
            "fields": { "Industry": "Roofing" },
        }));
        let row = row(json!({
            "name": "Ann Li", "email": "ann@example.com", "phone": "303-555-0100", "state": "NY", "company": "Acme",
            "fields": { "Industry": "Solar", "Size": "10" },
        }));
        KnownChange::of(&found, &row, known).change
    }

    #[test]
    fn filling_changes_only_what_is_empty() {
        let change = changed(KnownEmails::Fill);
        assert_eq!((&change.name, &change.phone, change.lead_score), (&None, &None, None));
        assert!(change.state.is_some() && change.company.is_some());
        assert_eq!(change.fields.iter().count(), 1);
    }

    #[test]
    fn updating_replaces_what_the_row_has() {
        let change = changed(KnownEmails::Update);
        assert!(change.name.is_some() && change.phone.is_some() && change.state.is_some());
        assert_eq!((change.lead_score, change.status), (None, None), "the row has none");
        assert_eq!(change.fields.iter().count(), 2);
    }

    #[test]
    fn a_value_that_a_rule_forbids_is_left_out_and_the_rest_is_saved() {
        let row = row(json!({
            "name": "Ann Lee", "email": "ann@example.com", "phone": "303-555-0100", "leadScore": 40,
            "status": "PROSPECT", "state": "TX",
        }));
        let mut found = ann(90, "CONVERTED");
        let order = OrderId::new(Timestamp::UNIX_EPOCH, &[8; 10]);
        found.lead = found.lead.moved(Stock::Assigned, Some(order), Timestamp::UNIX_EPOCH, Actor::new("t"));
        let KnownChange { change, unsaved, .. } = KnownChange::of(&found, &row, KnownEmails::Update);
        assert_eq!((change.status, change.lead_score, change.state), (None, None, None));
        assert!(change.phone.is_some() && change.broken_rule(&found.lead).is_none());
        let begins = ["Status “Prospect” isn't", "Lead score “40” isn't", "State “Texas” isn't"];
        assert_eq!(unsaved.len(), 3, "{unsaved:?}");
        for (note, begin) in unsaved.iter().zip(begins) {
            assert!(note.starts_with(begin), "{note}");
        }
    }

    #[test]
    fn a_conversion_is_judged_by_the_score_of_the_row_or_else_of_the_lead() {
        let bare = || json!({ "name": "Ann Lee", "email": "ann@example.com" });
        let scored = json!({ "name": "Ann Lee", "email": "ann@example.com", "leadScore": 40 });
        for (found, row, status, lacks_score) in [
            (ann(90, "QUALIFIED"), customer(bare()), Some(Status::Converted), false),
            (ann(90, "CONVERTED"), customer(bare()), None, false),
            (ann(50, "PROSPECT"), customer(bare()), Some(Status::Qualified), true),
            (ann(90, "PROSPECT"), customer(scored.clone()), Some(Status::Qualified), true),
            (ann(90, "CONVERTED"), customer(scored), None, false),
        ] {
            let known = KnownChange::of(&found, &row, KnownEmails::Update);
            assert_eq!((known.change.status, known.lacks_score), (status, lacks_score), "{found:?}");
            assert_eq!(known.change.fields.is_empty(), !lacks_score, "the text is kept beside QUALIFIED");
            assert_eq!(known.change.broken_rule(&found.lead), None);
        }
        let filled = KnownChange::of(&ann(90, "PROSPECT"), &customer(bare()), KnownEmails::Fill);
        assert!(filled.change.is_empty() && !filled.lacks_score, "a lead always has a status");
    }

    #[test]
    fn custom_fields_that_do_not_fit_are_left_out() {
        let fields = |names: std::ops::Range<usize>, text: &str| -> serde_json::Value {
            names.map(|n| (format!("Field {n:02}"), json!(text))).collect::<serde_json::Map<_, _>>().into()
        };
        let ann = |fields| json!({ "name": "Ann", "email": "ann@example.com", "phone": "303-555-0100", "fields": fields });
        let found = stored(ann(fields(0..38, "x")));
        let known = KnownChange::of(&found, &row(ann(fields(36..44, "y"))), KnownEmails::Fill);
        assert_eq!(known.change.fields.iter().count(), 2);
        assert_eq!(known.unsaved.len(), 1);
        let expected =
            "4 custom fields aren't saved: “Field 40”, “Field 41”, “Field 42”, …. A lead can have at most 40";
        assert!(known.unsaved[0].starts_with(expected), "{:?}", known.unsaved);
        let mut long = ann(fields(0..1, &"z".repeat(8_000)));
        long["fields"]["Field 50"] = json!("short");
        long["fields"]["Field 51"] = json!("w".repeat(400));
        let found = stored(ann(json!({ "Old": "x".repeat(8_000) })));
        let known = KnownChange::of(&found, &row(long), KnownEmails::Update);
        assert_eq!(known.change.fields.iter().count(), 2, "{:?}", known.unsaved);
        assert!(
            known.unsaved[0].starts_with("1 custom field isn't saved: “Field 51”."),
            "{:?}",
            known.unsaved
        );
    }
}
