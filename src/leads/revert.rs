//! Changes a lead back to an earlier version: the undo of a change, and "restore this version" in the history.
//!
//! It is an ordinary change with a version of its own, so it can conflict and break rules. What orders set, the stock,
//! stays as it is.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;

use super::change::{Alteration, stock_guard, update_guard};
use super::domain::{
    Action, FieldEdits, FieldName, FieldText, HistoryEntry, Lead, LeadChange, LeadField, LeadId, Status,
};
use super::error::{Conflict, LeadError};
use super::items::{HISTORY, LEAD, history_after, lead_key, stored_lead, text};
use super::store::is_lead;
use crate::base::identity::SignedIn;
use crate::base::values::{Invalid, Version};
use crate::leads::Leads;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::schema::SK;
use crate::store::{Condition, Item, Key, Select, StoreError, from_item};

/// The most versions that one call goes back.
const MAX_VERSIONS: u64 = 100;

impl Leads {
    /// Gives a lead the field values of an earlier version. Only an administrator can undo a conversion.
    ///
    /// # Errors
    /// As [`update`](Self::update); [`LeadError::Invalid`] for a version that is not before `expected`, or more than
    /// 100 versions before it, or that has the same values.
    pub async fn revert(
        &self,
        id: LeadId,
        expected: Version,
        to: Version,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        match self.plan_reversion(id, expected, to).await {
            Ok((lead, change)) => self.apply_reversion(&lead, to, &change, who, idempotency).await,
            Err(error) => self.replayed_or(error, idempotency).await,
        }
    }

    /// Reads the lead, and returns it with the change that brings its earlier values back.
    async fn plan_reversion(
        &self,
        id: LeadId,
        expected: Version,
        to: Version,
    ) -> Result<(Lead, LeadChange), LeadError> {
        if to >= expected || expected.get() - to.get() > MAX_VERSIONS {
            let message = "Choose an earlier version, at most 100 versions back.";
            return Err(LeadError::Invalid("to", Invalid::new(message)));
        }
        let (lead, entries) = self.versions_since(id, to).await?;
        if lead.version != expected {
            let since =
                entries.into_iter().filter(|entry| entry.version > expected).take(Conflict::MAX_CHANGES);
            return Err(LeadError::Conflict(Box::new(Conflict { fresh: lead, since: since.collect() })));
        }
        let change = change_back(&lead, &entries)
            .ok_or_else(|| StoreError::invariant_violation("Query", &lead_key(id)))?;
        if change.is_empty() {
            let message = format!("The lead already has the values of version {to}.");
            return Err(LeadError::Invalid("to", Invalid::new(message)));
        }
        Ok((lead, change))
    }

    async fn apply_reversion(
        &self,
        lead: &Lead,
        to: Version,
        change: &LeadChange,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, Lead>>,
    ) -> Result<Done<Lead>, LeadError> {
        let leaves_conversion = |lead: &Lead| {
            lead.status == Status::Converted
                && change.status.is_some_and(|status| status != Status::Converted)
        };
        let reopens = leaves_conversion(lead) && who.is_administrator();
        let rule = |lead: &Lead| match reopens && leaves_conversion(lead) {
            true => change.broken_state_rule(lead),
            false => change.broken_rule(lead),
        };
        let guard = match reopens {
            true => Some(stock_guard(change, Some(Condition::is("status", Status::Converted.as_str())))?),
            false => update_guard(change)?,
        };
        let Some(guard) = guard else {
            let (Ok(error) | Err(error)) = self.explain(lead.id, lead.version, rule).await;
            return self.replayed_or(error, idempotency).await;
        };
        let by = who.actor();
        let apply = |before: &Lead, now| change.applied_to(before, now, by.clone());
        let reason = format!("Back to version {to}").parse().ok();
        let fields = Some(&change.fields);
        let alteration = Alteration { reason, guard, fields, ..Alteration::of(Action::Reverted, &apply) };
        self.alter(lead.id, lead.version, &alteration, idempotency, rule).await
    }

    /// Reads a lead and all entries of its history after a version, newest first. One call reads up to 1 MB of them.
    async fn versions_since(
        &self,
        id: LeadId,
        version: Version,
    ) -> Result<(Lead, Vec<HistoryEntry>), LeadError> {
        let mut retries = self.dynamo.retries();
        loop {
            let mut items = self.items_after(id, version).await?.into_iter().peekable();
            let Some(item) = items.next_if(is_lead) else { return Err(self.missing(id).await?) };
            let entries = items.filter(is_entry).map(from_item).collect::<Result<_, _>>()?;
            if let Some((stored, entries)) = self.resolve_with_history(stored_lead(item)?, entries).await? {
                return Ok((stored.lead, entries));
            }
            retries.backoff().await?;
        }
    }

    /// DynamoDB ends a page at 1 MB, which the entries of long custom fields exceed. An undo that misses the oldest
    /// ones would set wrong values.
    async fn items_after(&self, id: LeadId, version: Version) -> Result<Vec<Item>, StoreError> {
        let pk = lead_key(id).pk;
        let most = usize::try_from(MAX_VERSIONS + 2).unwrap_or(usize::MAX);
        let limit = i32::try_from(most).unwrap_or(i32::MAX);
        let range = Select::partition(pk.clone(), limit).between(history_after(version), LEAD).backwards();
        let mut page = self.dynamo.select(&range).await?;
        let mut items = page.items;
        while page.more
            && items.len() < most
            && let Some(sort) = items.last().and_then(|item| text(item, SK))
        {
            let key = Key::new(pk.clone(), sort);
            page = self.dynamo.select(&range.clone().after(&key.sk, &key)).await?;
            items.append(&mut page.items);
        }
        Ok(items)
    }
}

fn is_entry(item: &Item) -> bool {
    text(item, SK).is_some_and(|sort| sort.starts_with(HISTORY))
}

/// Returns the change that undoes these entries, which are newest first. `None` if a value of the history is invalid.
fn change_back(lead: &Lead, entries: &[HistoryEntry]) -> Option<LeadChange> {
    // The oldest entry comes last and has the values before all changes.
    let mut values: BTreeMap<&'static str, (LeadField, &Value)> = BTreeMap::new();
    let mut custom: BTreeMap<String, (&FieldName, Option<&FieldText>, Option<&FieldText>)> = BTreeMap::new();
    for entry in entries {
        for change in &entry.changes {
            values.insert(change.field.as_str(), (change.field, &change.old));
        }
        for field in &entry.fields {
            let newest = custom.get(&field.name.key()).map_or(field.new.as_ref(), |(_, _, newest)| *newest);
            custom.insert(field.name.key(), (&field.name, field.old.as_ref(), newest));
        }
    }
    let mut back = LeadChange::default();
    for (field, old) in values.into_values().filter(|(field, old)| lead.value(*field) != **old) {
        set_field(&mut back, field, old)?;
    }
    let edits = custom.into_values().filter(|(_, old, newest)| old != newest);
    let edits = edits.map(|(name, old, _)| (name.clone(), old.cloned())).collect();
    back.fields = FieldEdits::new(edits).ok()?;
    Some(back)
}

fn set_field(change: &mut LeadChange, field: LeadField, value: &Value) -> Option<()> {
    fn required<T: FromStr>(value: &Value) -> Option<Option<T>> {
        Some(Some(value.as_str()?.parse().ok()?))
    }
    fn optional<T: FromStr>(value: &Value) -> Option<Option<Option<T>>> {
        if value.is_null() { Some(Some(None)) } else { Some(Some(required(value)?)) }
    }
    match field {
        LeadField::Name => change.name = required(value)?,
        LeadField::Email => change.email = required(value)?,
        LeadField::Phone => change.phone = optional(value)?,
        LeadField::Company => change.company = optional(value)?,
        LeadField::State => change.state = optional(value)?,
        LeadField::LeadScore => change.lead_score = Some(value.as_i64()?.try_into().ok()?),
        LeadField::Status => change.status = required(value)?,
        LeadField::Source => change.source = optional(value)?,
        LeadField::Owner => change.owner = Some(serde_json::from_value(value.clone()).ok()?),
        // Orders set the stock.
        LeadField::Stock => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::base::identity::Actor;
    use crate::leads::domain::{CustomFields, NewLead};

    fn lead() -> Lead {
        let new = serde_json::json!({
            "name": "Ann", "email": "ann@example.com", "state": "NY", "phone": "212-555-0100", "leadScore": 5,
        });
        let new: NewLead = serde_json::from_value(new).unwrap();
        new.into_lead(LeadId::new(Timestamp::UNIX_EPOCH, &[0; 10]), Timestamp::UNIX_EPOCH, Actor::new("t"))
            .unwrap()
    }

    fn step(before: &Lead, change: &LeadChange) -> (Lead, HistoryEntry) {
        let after = change.applied_to(before, Timestamp::UNIX_EPOCH, Actor::new("t"));
        let entry = HistoryEntry::of_change(before, &after, Action::Updated, None);
        (after, entry)
    }

    #[test]
    fn undoing_several_changes_restores_the_oldest_values() {
        let first = lead();
        let change =
            LeadChange { phone: Some(None), lead_score: Some(7.try_into().unwrap()), ..Default::default() };
        let (second, one) = step(&first, &change);
        let change =
            LeadChange { state: Some(None), lead_score: Some(9.try_into().unwrap()), ..Default::default() };
        let (third, two) = step(&second, &change);
        let back = change_back(&third, &[two, one]).unwrap();
        let (restored, _) = step(&third, &back);
        let values = |lead: &Lead| LeadField::ALL.map(|field| lead.value(field));
        assert_eq!(values(&restored), values(&first));
        assert_eq!(restored.version.get(), 4);
    }

    #[test]
    fn a_value_that_came_back_by_itself_is_no_change() {
        let first = lead();
        let (second, one) = step(&first, &LeadChange { state: Some(None), ..Default::default() });
        let (third, two) = step(&second, &LeadChange { state: Some(first.state), ..Default::default() });
        assert!(change_back(&third, &[two, one]).unwrap().is_empty());
    }

    #[test]
    fn custom_fields_go_back_too() {
        let fields = |json: &str| serde_json::from_str::<CustomFields>(json).unwrap();
        let (before, after) = (fields(r#"{"A":"1","B":"2"}"#), fields(r#"{"A":"one","C":"3"}"#));
        let (second, entry) = step(&lead(), &LeadChange::default());
        let back = change_back(&second, &[entry.with_fields(before.changes_to(&after))]).unwrap();
        assert_eq!(after.edited(&back.fields).unwrap().changes_to(&before), []);
    }
}
