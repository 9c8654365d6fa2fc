//! Caps: the most leads of a state that may be out in open orders at once.
//!
//! What always holds: a cap's item knows what it leaves (`room`), so that an order is guarded by one comparison
//! whatever the cap is; changing a cap changes the room by as much, also under nothing. A change of the default changes,
//! in one transaction, every state that has no cap of its own.

use serde_json::json;

use super::domain::{Cap, DefaultCap, StateCap};
use super::error::OrderError;
use super::items::{CapItem, cap_key, default_cap_key};
use super::store::Caps;
use crate::app::App;
use crate::dynamo::ledger::Once;
use crate::dynamo::{
    Condition, GuardedWrite, StoreError, Update, WriteError, from_item, to_attribute, to_item,
};
use crate::values::{UsState, Version};

struct Read {
    default: DefaultCap,
    /// Each state's cap, and whether it is stored.
    states: Vec<(CapItem, bool)>,
}

/// All caps, read consistently in one call.
///
/// # Errors
/// [`OrderError::Store`] if the store failed.
pub async fn caps(app: &App) -> Result<Caps, OrderError> {
    let Read { default, states } = read(app).await?;
    Ok(Caps { default, states: states.into_iter().map(|(item, _)| item.into()).collect() })
}

async fn read(app: &App) -> Result<Read, StoreError> {
    let mut keys: Vec<_> = UsState::all().map(cap_key).collect();
    keys.push(default_cap_key());
    let mut read = Read {
        default: DefaultCap { cap: Cap::DEFAULT, version: Version::FIRST },
        states: UsState::all().map(|state| (CapItem::initial(state), false)).collect(),
    };
    let default = default_cap_key().pk;
    for item in app.dynamo.get_all(&keys).await? {
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

/// Sets the cap of one state; with none, it follows the default again.
///
/// # Errors
/// [`OrderError::CapConflict`].
pub async fn set_cap(
    app: &App,
    state: UsState,
    expected: Version,
    cap: Option<Cap>,
    once: Option<&Once<'_, StateCap>>,
) -> Result<StateCap, OrderError> {
    let mut retries = app.dynamo.retries();
    loop {
        let read = read(app).await?;
        let found = read.states.into_iter().find(|(one, _)| one.state == state);
        let (before, stored) = found.unwrap_or((CapItem::initial(state), false));
        if before.version != expected {
            return Err(OrderError::CapConflict(before.into()));
        }
        let mut write = app.dynamo.guarded_write();
        if cap.is_none() {
            // The default must still be what it is when the state begins to follow it.
            let same = match read.default.version {
                Version::FIRST => Condition::Absent,
                version => Condition::is_number("version", version.get()),
            };
            write = write.check("default", &default_cap_key(), same);
        }
        let after = changed(&before, cap.unwrap_or(read.default.cap), cap.is_some());
        let write = set(write, &before, &after, stored)?;
        let after = StateCap::from(after);
        match app.dynamo.write(Once::record(once, write, &after)?).await {
            Ok(()) => return Ok(after),
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Refused(_)) => retries.backoff().await?,
        }
    }
}

/// Sets the cap of every state that has none of its own.
///
/// # Errors
/// [`OrderError::DefaultCapConflict`].
pub async fn set_default_cap(
    app: &App,
    expected: Version,
    cap: Cap,
    once: Option<&Once<'_, DefaultCap>>,
) -> Result<DefaultCap, OrderError> {
    let mut retries = app.dynamo.retries();
    loop {
        let Read { default, states } = read(app).await?;
        if default.version != expected {
            return Err(OrderError::DefaultCapConflict(default));
        }
        let after = DefaultCap { cap, version: default.version.next() };
        let same = match default.version {
            Version::FIRST => Condition::Absent,
            version => Condition::is_number("version", version.get()),
        };
        let mut write =
            app.dynamo.guarded_write().put("default", to_item(&default_cap_key(), &json!(after))?, same);
        for (before, stored) in states.iter().filter(|(before, _)| !before.own) {
            write = set(write, before, &changed(before, cap, false), *stored)?;
        }
        match app.dynamo.write(Once::record(once, write, &after)?).await {
            Ok(()) => return Ok(after),
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Refused(_)) => retries.backoff().await?,
        }
    }
}

fn changed(before: &CapItem, cap: Cap, own: bool) -> CapItem {
    let room = before.room + i64::from(cap.get()) - i64::from(before.cap.get());
    CapItem { cap, own, room, version: before.version.next(), ..before.clone() }
}

/// What is out may change meanwhile: only the cap must still be what it was.
fn set(
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
    if after.room != before.room {
        update = update.add("room", after.room - before.room);
    }
    Ok(write.update("cap", &key, &update, Condition::is_number("version", before.version.get())))
}
