//! Rules in the table: all in one partition, so that one consistent read matches an event against all of them.
//!
//! Invariants: there are never more than 100 rules; a change applies to the version that it names.

use super::domain::{Rule, RuleChange, RuleId, Settings};
use super::error::RuleError;
use crate::base::values::{Invalid, Version};
use crate::rules::Rules;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::shared::cursors::{cursor_after, start_after};
use crate::shared::idempotency::write_with_record;
use crate::store::idempotency::{Done, Idempotency};
use crate::store::schema::SK;
use crate::store::{
    Condition, GuardedWrite, Key, Select, StoreError, Update, from_item, to_attribute, to_item,
};
use crate::web::lists::Listed;

const RULES: &str = "RULES";
const LIST: &str = "rules";

fn rule_key(id: RuleId) -> Key {
    Key::new(RULES, id.to_string())
}

/// Returns the key of the number of rules. Each creation checks it against the maximum.
fn count_key() -> Key {
    Key::new("RULES#COUNT", "COUNT")
}

impl Rules {
    /// Returns all rules, oldest first, read consistently. A rule that cannot be read is logged and skipped, so
    /// that the others run.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed.
    pub async fn all(&self) -> Result<Vec<Rule>, StoreError> {
        let mut select = Select::partition(RULES, i32::try_from(Rule::MAX_COUNT).unwrap_or(i32::MAX));
        let mut rules = Vec::new();
        loop {
            let page = self.dynamo.select(&select).await?;
            for item in page.items {
                match from_item(item) {
                    Ok(rule) => rules.push(rule),
                    Err(error) => tracing::error!(%error, "a rule cannot be read and does not run"),
                }
            }
            let Some(last) = page.last.as_ref().and_then(|key| key.get(SK)?.as_s().ok()) else {
                return Ok(rules);
            };
            select = select.after("", &Key::new(RULES, last.clone()));
        }
    }

    /// Returns a page of rules, oldest first, read consistently. Takes one call.
    ///
    /// # Errors
    /// [`RuleError::Cursor`] for a cursor of another list.
    pub async fn list(&self, limit: u16, cursor: Option<&str>) -> Result<Listed<Rule>, RuleError> {
        let mut select = Select::partition(RULES, i32::from(limit) + 1);
        if let Some(id) = start_after(LIST, cursor)? {
            select = select.after("", &rule_key(id));
        }
        let page = self.dynamo.select(&select).await?;
        let mut items = page.items.into_iter().map(from_item).collect::<Result<Vec<Rule>, _>>()?;
        let more = items.len() > usize::from(limit);
        items.truncate(limit.into());
        let next = items.last().filter(|_| more).map(|last| cursor_after(LIST, last.id));
        Ok(Listed { items, next })
    }

    /// Returns a rule, read consistently.
    ///
    /// # Errors
    /// [`RuleError::NotFound`].
    pub async fn find(&self, id: RuleId) -> Result<Rule, RuleError> {
        let item = self.dynamo.get(&rule_key(id)).await?.ok_or(RuleError::NotFound(id))?;
        Ok(from_item(item)?)
    }

    /// Creates a rule.
    ///
    /// # Errors
    /// [`RuleError::Validation`], [`RuleError::TooMany`].
    pub async fn create(
        &self,
        settings: Settings,
        by: &AuditActor,
        idempotency: Option<&Idempotency<'_, Rule>>,
    ) -> Result<Done<Rule>, RuleError> {
        let settings = settings.validated().map_err(validation_error)?;
        let now = self.clock.now();
        let rule = Rule::new(RuleId::new(now, &self.rng.bytes()), settings, now, by.by.clone());
        let below_maximum = Condition::Any(vec![
            Condition::Absent,
            Condition::LessThan("number", to_attribute(Rule::MAX_COUNT)?),
        ]);
        let write = self
            .dynamo
            .guarded_write()
            .put("rule", to_item(&rule_key(rule.id), &rule)?, Condition::Absent)
            .update("count", &count_key(), &Update::default().add("number", 1), below_maximum)
            .audit(&self.rule_entry(&rule, by, "Rule created.".to_owned()))?;
        let done = write_with_record::<_, RuleError>(&self.dynamo, write, rule, idempotency).await?;
        done.map_err(|_| RuleError::TooMany)
    }

    /// Changes a rule.
    ///
    /// # Errors
    /// [`RuleError::NotFound`], [`RuleError::Conflict`], [`RuleError::Validation`].
    pub async fn update(
        &self,
        id: RuleId,
        expected: Version,
        change: &RuleChange,
        by: &AuditActor,
        idempotency: Option<&Idempotency<'_, Rule>>,
    ) -> Result<Done<Rule>, RuleError> {
        let update = self.write_change(id, expected, change, by, idempotency);
        Idempotency::run(idempotency, &self.dynamo, update).await
    }

    async fn write_change(
        &self,
        id: RuleId,
        expected: Version,
        change: &RuleChange,
        by: &AuditActor,
        idempotency: Option<&Idempotency<'_, Rule>>,
    ) -> Result<Rule, RuleError> {
        let before = self.find(id).await?;
        if before.version != expected {
            return Err(RuleError::Conflict(Box::new(before)));
        }
        let after = before.changed(change, self.clock.now(), by.by.clone()).map_err(validation_error)?;
        let same = Condition::is_number("version", expected.get());
        let entry = self.rule_entry(&after, by, before.settings.change_words(&after.settings));
        let write = self.dynamo.guarded_write().put("rule", to_item(&rule_key(id), &after)?, same);
        let write = write.audit(&entry)?;
        self.write_or_conflict(id, Idempotency::record(idempotency, write, &after)?).await?;
        Ok(after)
    }

    /// Deletes a rule. Its runs stay in the list of runs.
    ///
    /// # Errors
    /// [`RuleError::NotFound`], [`RuleError::Conflict`].
    pub async fn delete(
        &self,
        id: RuleId,
        expected: Version,
        by: &AuditActor,
        idempotency: Option<&Idempotency<'_, ()>>,
    ) -> Result<Done<()>, RuleError> {
        let delete = self.write_deletion(id, expected, by, idempotency);
        Idempotency::run(idempotency, &self.dynamo, delete).await
    }

    async fn write_deletion(
        &self,
        id: RuleId,
        expected: Version,
        by: &AuditActor,
        idempotency: Option<&Idempotency<'_, ()>>,
    ) -> Result<(), RuleError> {
        let before = self.find(id).await?;
        if before.version != expected {
            return Err(RuleError::Conflict(Box::new(before)));
        }
        let same = Condition::is_number("version", expected.get());
        let write = self.dynamo.guarded_write().delete("rule", &rule_key(id), same).update(
            "count",
            &count_key(),
            &Update::default().add("number", -1),
            Condition::Exists,
        );
        let write = write.audit(&self.rule_entry(&before, by, "Rule deleted.".to_owned()))?;
        self.write_or_conflict(id, Idempotency::record(idempotency, write, &())?).await
    }

    fn rule_entry(&self, rule: &Rule, by: &AuditActor, detail: String) -> AuditEntry {
        let (kind, subject) = (AuditKind::RuleChanged, rule.settings.name.to_string());
        AuditEntry::new(&self.rng, self.clock.now(), by, kind, subject, detail)
            .at_path(format!("/automation/rules/{}", rule.id))
    }

    async fn write_or_conflict(&self, id: RuleId, write: GuardedWrite) -> Result<(), RuleError> {
        match self.dynamo.try_write(write).await? {
            true => Ok(()),
            false => Err(RuleError::Conflict(Box::new(self.find(id).await?))),
        }
    }
}

fn validation_error((field, invalid): (&'static str, Invalid)) -> RuleError {
    RuleError::Validation { field, invalid }
}
