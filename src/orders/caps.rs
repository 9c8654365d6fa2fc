//! Caps: the most leads of a state that may be in open orders at once.
//!
//! Invariants: a cap's item stores what the cap leaves (`remaining`), so an order is checked by one
//! comparison, regardless of the cap. Changing a cap changes `remaining` by the same amount, and it may become
//! negative. Changing the default changes every state without its own cap in the same transaction.

use futures_util::future::try_join;

use super::domain::{Cap, Caps, DefaultCap, StateCap};
use super::error::OrderError;
use super::items::{CapItem, cap_key, default_cap_key, text_attribute};
use super::stock_counts::FreeLeads;
use crate::accounts::authority::still_authorized;
use crate::base::identity::{Role, SignedIn};
use crate::base::values::{UsState, Version};
use crate::orders::Orders;
use crate::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use crate::store::idempotency::{Done, Idempotency};
use crate::store::schema::PK;
use crate::store::{
    Condition, GuardedWrite, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};

struct StoredCaps {
    default: DefaultCap,
    /// The cap of each state, and whether it is stored.
    states: Vec<(CapItem, bool)>,
}

impl StoredCaps {
    /// Returns the condition that the default has not changed. It is not stored until it is first set.
    fn same_default(&self) -> Condition {
        match self.default.version {
            Version::FIRST => Condition::Absent,
            version => Condition::is_number("version", version.get()),
        }
    }
}

impl Orders {
    /// Returns all caps, read consistently in one call.
    ///
    /// # Errors
    /// [`OrderError::Store`] if the store failed.
    pub async fn caps(&self) -> Result<Caps, OrderError> {
        let StoredCaps { default, states } = self.read_caps().await?;
        Ok(Caps { default, states: states.into_iter().map(|(item, _)| item.into()).collect() })
    }

    /// Returns all caps and the number of free leads, read at the same time.
    pub(super) async fn caps_and_free_leads(&self) -> Result<(Caps, FreeLeads), OrderError> {
        let free = async { self.stock_counts.free_leads().await.map_err(OrderError::from) };
        try_join(self.caps(), free).await
    }

    async fn read_caps(&self) -> Result<StoredCaps, StoreError> {
        let mut keys: Vec<_> = UsState::all().map(cap_key).collect();
        keys.push(default_cap_key());
        let mut read = StoredCaps {
            default: DefaultCap { cap: Cap::DEFAULT, version: Version::FIRST, set_by: None },
            states: UsState::all().map(|state| (CapItem::initial(state), false)).collect(),
        };
        let default = default_cap_key().pk;
        for item in self.dynamo.get_all(&keys).await? {
            if text_attribute(&item, PK) == Some(default.as_str()) {
                read.default = from_item(item)?;
                continue;
            }
            let cap: CapItem = from_item(item)?;
            if let Some(place) = read.states.iter_mut().find(|(one, _)| one.state == cap.state) {
                *place = (cap, true);
            }
        }
        Ok(read)
    }

    /// Sets the cap of one state. With `None`, the state follows the default again.
    ///
    /// # Errors
    /// [`OrderError::CapConflict`]; [`OrderError::NoLongerAllowed`].
    pub async fn set_cap(
        &self,
        state: UsState,
        expected: Version,
        cap: Option<Cap>,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, StateCap>>,
    ) -> Result<Done<StateCap>, OrderError> {
        let change = self.change_cap(state, expected, cap, who, idempotency);
        Idempotency::run(idempotency, &self.dynamo, change).await
    }

    /// Sets the cap of one state, and writes the idempotency record.
    async fn change_cap(
        &self,
        state: UsState,
        expected: Version,
        cap: Option<Cap>,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, StateCap>>,
    ) -> Result<StateCap, OrderError> {
        let mut retries = self.dynamo.retries();
        loop {
            let read = self.read_caps().await?;
            let found = read.states.iter().find(|(one, _)| one.state == state).cloned();
            let (before, stored) = found.unwrap_or((CapItem::initial(state), false));
            if before.version != expected {
                return Err(OrderError::CapConflict(before.into()));
            }
            let mut write = self.dynamo.guarded_write();
            if cap.is_none() {
                // The default must not change while the state begins to follow it.
                write = write.check("default", &default_cap_key(), read.same_default());
            }
            let after = with_cap(&before, cap.unwrap_or(read.default.cap), cap.is_some(), who);
            let write = write_cap(write, &before, &after, stored)?;
            let (subject, words) = (format!("Cap of {state}"), cap_words(&before, &after));
            let write = write.audit(&self.cap_entry(&who.into(), subject, words))?;
            let write = write.authorized(who, Role::Agent);
            let after = StateCap::from(after);
            if self.try_authorized(Idempotency::record(idempotency, write, &after)?).await? {
                return Ok(after);
            }
            retries.backoff().await?;
        }
    }

    /// Makes a write. Returns false if the caps were changed at the same time.
    async fn try_authorized(&self, write: GuardedWrite) -> Result<bool, OrderError> {
        match self.dynamo.write(write).await {
            Ok(()) => Ok(true),
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Refused(refusal)) => {
                still_authorized(&refusal)?;
                Ok(false)
            }
        }
    }

    /// Sets the cap of every state without its own cap.
    ///
    /// # Errors
    /// [`OrderError::DefaultCapConflict`]; [`OrderError::NoLongerAllowed`].
    pub async fn set_default_cap(
        &self,
        expected: Version,
        cap: Cap,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, DefaultCap>>,
    ) -> Result<Done<DefaultCap>, OrderError> {
        let change = self.change_default_cap(expected, cap, who, idempotency);
        Idempotency::run(idempotency, &self.dynamo, change).await
    }

    /// Sets the default cap, and writes the idempotency record.
    async fn change_default_cap(
        &self,
        expected: Version,
        cap: Cap,
        who: &SignedIn,
        idempotency: Option<&Idempotency<'_, DefaultCap>>,
    ) -> Result<DefaultCap, OrderError> {
        let mut retries = self.dynamo.retries();
        loop {
            let read = self.read_caps().await?;
            if read.default.version != expected {
                return Err(OrderError::DefaultCapConflict(read.default));
            }
            let after = DefaultCap { cap, version: read.default.version.next(), set_by: Some(who.actor()) };
            let item = to_item(&default_cap_key(), &after)?;
            let mut write = self.dynamo.guarded_write().put("default", item, read.same_default());
            for (before, stored) in read.states.iter().filter(|(before, _)| !before.own) {
                write = write_cap(write, before, &with_cap(before, cap, false, who), *stored)?;
            }
            let words = format!("Default cap changed from {} to {cap}.", read.default.cap);
            let write = write.audit(&self.cap_entry(&who.into(), "Default cap".to_owned(), words))?;
            let write = write.authorized(who, Role::Agent);
            if self.try_authorized(Idempotency::record(idempotency, write, &after)?).await? {
                return Ok(after);
            }
            retries.backoff().await?;
        }
    }

    fn cap_entry(&self, by: &AuditActor, subject: String, words: String) -> AuditEntry {
        let kind = AuditKind::CapChanged;
        AuditEntry::new(&self.rng, self.clock.now(), by, kind, subject, words).at_path("/orders/caps")
    }
}

/// Describes the change of a state's cap.
fn cap_words(before: &CapItem, after: &CapItem) -> String {
    let to = if after.own { "" } else { "the default, " };
    format!("Cap of {} changed from {} to {to}{}.", before.state, before.cap, after.cap)
}

fn with_cap(before: &CapItem, cap: Cap, own: bool, who: &SignedIn) -> CapItem {
    let remaining = before.remaining + i64::from(cap.get()) - i64::from(before.cap.get());
    let (version, set_by) = (before.version.next(), Some(who.actor()));
    CapItem { cap, own, remaining, version, set_by, ..before.clone() }
}

/// Adds the change of a cap. The number of leads that are out may change at the same time; only the version
/// must match.
fn write_cap(
    write: GuardedWrite,
    before: &CapItem,
    after: &CapItem,
    stored: bool,
) -> Result<GuardedWrite, StoreError> {
    let key = cap_key(before.state);
    if !stored {
        return Ok(write.put("cap", to_item(&key, after)?, Condition::Absent));
    }
    let mut update = Update::default()
        .set("cap", to_attribute(after.cap)?)
        .set("own", to_attribute(after.own)?)
        .set("version", to_attribute(after.version)?)
        .set("setBy", to_attribute(&after.set_by)?)
        .remove("cause");
    if after.remaining != before.remaining {
        update = update.add("room", after.remaining - before.remaining);
    }
    Ok(write.update("cap", &key, &update, Condition::is_number("version", before.version.get())))
}
