//! Caps: the most leads of a state that may be in open orders at once.
//!
//! Invariants: a cap's item stores what the cap leaves (`remaining`), so an order is checked by one
//! comparison whatever the cap is. Changing a cap changes `remaining` by the same amount, and it may become
//! negative. Changing the default changes every state without its own cap in the same transaction.

use serde_json::json;

use super::domain::{Cap, DefaultCap, StateCap};
use super::error::OrderError;
use super::items::{CapItem, cap_key, default_cap_key};
use crate::base::values::{UsState, Version};
use crate::orders::Orders;
use crate::orders::domain::Caps;
use crate::store::idempotency::Idempotency;
use crate::store::{
    Condition, GuardedWrite, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};

struct StoredCaps {
    default: DefaultCap,
    /// The cap of each state, and whether it is stored.
    states: Vec<(CapItem, bool)>,
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

    async fn read_caps(&self) -> Result<StoredCaps, StoreError> {
        let mut keys: Vec<_> = UsState::all().map(cap_key).collect();
        keys.push(default_cap_key());
        let mut read = StoredCaps {
            default: DefaultCap { cap: Cap::DEFAULT, version: Version::FIRST },
            states: UsState::all().map(|state| (CapItem::initial(state), false)).collect(),
        };
        let default = default_cap_key().pk;
        for item in self.dynamo.get_all(&keys).await? {
            if item.get("pk").and_then(|pk| pk.as_s().ok()) == Some(&default) {
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
    /// [`OrderError::CapConflict`].
    pub async fn set_cap(
        &self,
        state: UsState,
        expected: Version,
        cap: Option<Cap>,
        idempotency: Option<&Idempotency<'_, StateCap>>,
    ) -> Result<StateCap, OrderError> {
        let mut retries = self.dynamo.retries();
        loop {
            let read = self.read_caps().await?;
            let found = read.states.into_iter().find(|(one, _)| one.state == state);
            let (before, stored) = found.unwrap_or((CapItem::initial(state), false));
            if before.version != expected {
                return Err(OrderError::CapConflict(before.into()));
            }
            let mut write = self.dynamo.guarded_write();
            if cap.is_none() {
                // The default must not change while the state begins to follow it.
                let same = match read.default.version {
                    Version::FIRST => Condition::Absent,
                    version => Condition::is_number("version", version.get()),
                };
                write = write.check("default", &default_cap_key(), same);
            }
            let after = with_cap(&before, cap.unwrap_or(read.default.cap), cap.is_some());
            let write = write_cap(write, &before, &after, stored)?;
            let after = StateCap::from(after);
            match self.dynamo.write(Idempotency::record(idempotency, write, &after)?).await {
                Ok(()) => return Ok(after),
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(_)) => retries.backoff().await?,
            }
        }
    }

    /// Sets the cap of every state without its own cap.
    ///
    /// # Errors
    /// [`OrderError::DefaultCapConflict`].
    pub async fn set_default_cap(
        &self,
        expected: Version,
        cap: Cap,
        idempotency: Option<&Idempotency<'_, DefaultCap>>,
    ) -> Result<DefaultCap, OrderError> {
        let mut retries = self.dynamo.retries();
        loop {
            let StoredCaps { default, states } = self.read_caps().await?;
            if default.version != expected {
                return Err(OrderError::DefaultCapConflict(default));
            }
            let after = DefaultCap { cap, version: default.version.next() };
            let same = match default.version {
                Version::FIRST => Condition::Absent,
                version => Condition::is_number("version", version.get()),
            };
            let mut write =
                self.dynamo.guarded_write().put("default", to_item(&default_cap_key(), &json!(after))?, same);
            for (before, stored) in states.iter().filter(|(before, _)| !before.own) {
                write = write_cap(write, before, &with_cap(before, cap, false), *stored)?;
            }
            match self.dynamo.write(Idempotency::record(idempotency, write, &after)?).await {
                Ok(()) => return Ok(after),
                Err(WriteError::Store(error)) => return Err(error.into()),
                Err(WriteError::Refused(_)) => retries.backoff().await?,
            }
        }
    }
}

fn with_cap(before: &CapItem, cap: Cap, own: bool) -> CapItem {
    let remaining = before.remaining + i64::from(cap.get()) - i64::from(before.cap.get());
    CapItem { cap, own, remaining, version: before.version.next(), ..before.clone() }
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
        .remove("cause");
    if after.remaining != before.remaining {
        update = update.add("room", after.remaining - before.remaining);
    }
    Ok(write.update("cap", &key, &update, Condition::is_number("version", before.version.get())))
}
