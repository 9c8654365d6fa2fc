//! Parked messages: listed, retried, dismissed. Each change is of a version.

use std::collections::BTreeMap;

use super::apply::{put_product, read};
use super::domain::{
    Delivery, Message, Note, Outcome, Parked, ParkedId, ParkedStatus, Reason, Refusal, plan,
};
use super::error::InventoryError;
use super::items::{
    Remembered, bytes_of, first_body_key, message_key, movement_item, parked_item, parked_key,
    parked_partition, parked_sort, parked_with_body, remembered_item,
};
use crate::app::App;
use crate::dynamo::ledger::{Done, Once, Recall};
use crate::dynamo::schema::{PK, STATUS_NEWEST};
use crate::dynamo::{
    Condition, Cursor, CursorError, GuardedWrite, Item, Key, Select, WriteError, from_item, to_attribute,
};
use crate::leads::domain::Actor;
use crate::values::Version;

/// More than a parked message has items: a message of a topic has at most some megabytes.
const MOST_ITEMS: i32 = 100;
const LIST: &str = "parked";

/// One page of parked messages.
#[derive(Debug, Default)]
pub struct ParkedPage {
    /// The messages, last parked first.
    pub parked: Vec<Parked>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// A page of the parked messages of a status, last parked first.
///
/// # Errors
/// [`InventoryError::Cursor`] for a cursor of another list.
pub async fn list(
    app: &App,
    status: ParkedStatus,
    limit: u16,
    cursor: Option<&str>,
) -> Result<ParkedPage, InventoryError> {
    let index = STATUS_NEWEST;
    let mut select = Select::index(index, parked_partition(status), i32::from(limit)).backwards();
    if let Some(text) = cursor {
        let cursor = Cursor::<2>::decode(LIST, text)?;
        let [sort, id] = cursor.parts();
        let id: ParkedId = id.parse().map_err(|_| CursorError)?;
        if !sort.ends_with(&id.to_string()) {
            return Err(CursorError.into());
        }
        select = select.after(sort, &parked_key(id));
    }
    let page = app.dynamo.select(&select).await?;
    let keys: Vec<Key> = page.items.iter().filter_map(id_of).map(parked_key).collect();
    let items = if keys.is_empty() { Vec::new() } else { app.dynamo.get_all(&keys).await? };
    let all = items.into_iter().map(from_item).collect::<Result<Vec<Parked>, _>>()?;
    let next = all.last().filter(|_| page.more);
    let next = next.map(|last| Cursor::after([parked_sort(last), last.id.to_string()]).encode(LIST));
    // The index may be a moment behind.
    Ok(ParkedPage { parked: all.into_iter().filter(|parked| parked.status == status).collect(), next })
}

pub(super) fn id_of(item: &Item) -> Option<ParkedId> {
    item.get(PK)?.as_s().ok()?.strip_prefix("PARKED#")?.parse().ok()
}

/// A parked message with its bytes, as they came.
///
/// # Errors
/// [`InventoryError::NoSuchParked`].
pub async fn find(app: &App, id: ParkedId) -> Result<(Parked, Vec<u8>), InventoryError> {
    let page = app.dynamo.select(&Select::partition(parked_key(id).pk, MOST_ITEMS)).await?;
    parked_with_body(page.items)?.ok_or(InventoryError::NoSuchParked(id))
}

/// A parked message without its bytes, which may be many.
async fn read_parked(app: &App, id: ParkedId) -> Result<Parked, InventoryError> {
    let item = app.dynamo.get(&parked_key(id)).await?.ok_or(InventoryError::NoSuchParked(id))?;
    Ok(from_item(item)?)
}

/// The longest message that is shown among others.
const SHORT: u64 = 8_192;

/// The bytes of parked messages, as they came; none of those that are too long to be shown among others. One call.
///
/// # Errors
/// [`InventoryError::Store`].
pub async fn short_bodies(app: &App, parked: &[Parked]) -> Result<Vec<Option<Vec<u8>>>, InventoryError> {
    let short = parked.iter().filter(|one| (1..=SHORT).contains(&one.bytes));
    let keys: Vec<Key> = short.map(|one| first_body_key(one.id)).collect();
    let items = if keys.is_empty() { Vec::new() } else { app.dynamo.get_all(&keys).await? };
    let mut found: BTreeMap<ParkedId, Vec<u8>> =
        items.into_iter().filter_map(|item| Some((id_of(&item)?, bytes_of(&item)?.to_vec()))).collect();
    let body = |one: &Parked| if one.bytes == 0 { Some(Vec::new()) } else { found.remove(&one.id) };
    Ok(parked.iter().map(body).collect())
}

/// The parked message, if it is still open and of this version.
fn expect(parked: Parked, version: Version) -> Result<Parked, InventoryError> {
    if parked.version != version || parked.status != ParkedStatus::Open {
        return Err(InventoryError::ParkedConflict(Box::new(parked)));
    }
    Ok(parked)
}

fn unchanged(parked: &Parked) -> Condition {
    Condition::is_number("version", parked.version.get())
}

/// Dismisses a parked message for good: it changes no stock, also if it comes again.
///
/// # Errors
/// [`InventoryError::NoSuchParked`], [`InventoryError::ParkedConflict`].
pub async fn dismiss(
    app: &App,
    id: ParkedId,
    version: Version,
    note: Option<Note>,
    by: &Actor,
    once: Option<&Once<'_, Parked>>,
) -> Result<Parked, InventoryError> {
    let before = expect(read_parked(app, id).await?, version)?;
    let after = before.ended(ParkedStatus::Dismissed, by, note, app.clock.now());
    let write = app.dynamo.guarded_write().put("parked", parked_item(&after)?, unchanged(&before));
    match app.dynamo.write(Once::record(once, write, &after)?).await {
        Ok(()) => Ok(after),
        Err(WriteError::Store(error)) => Err(error.into()),
        Err(WriteError::Refused(_)) => {
            Err(InventoryError::ParkedConflict(Box::new(read_parked(app, id).await?)))
        }
    }
}

/// Applies a parked message now, in the same transaction that takes it off the list.
///
/// # Errors
/// [`InventoryError::StillRefused`] with the reason of now, [`InventoryError::ParkedConflict`],
/// [`InventoryError::NoSuchParked`], [`InventoryError::Crowded`].
pub async fn retry(app: &App, id: ParkedId, version: Version, by: &Actor) -> Result<Parked, InventoryError> {
    match retry_once(app, id, version, by, None).await? {
        Done::Now(parked) => Ok(parked),
        // Only the ledger says that it was done before, and there is no key to look for in it.
        Done::Before(_) => read_parked(app, id).await,
    }
}

/// The same, for a request that may have a key.
///
/// # Errors
/// As [`retry`], and [`InventoryError::KeyOfAnotherRequest`].
pub async fn retry_once(
    app: &App,
    id: ParkedId,
    version: Version,
    by: &Actor,
    once: Option<&Once<'_, Parked>>,
) -> Result<Done<Parked>, InventoryError> {
    if let Some(done) = done_before(app, once).await? {
        return Ok(done);
    }
    match try_again(app, id, version, by, once).await {
        Err(refused @ (InventoryError::StillRefused(_) | InventoryError::ParkedConflict(_))) => {
            // What refused it may be what the same request, or somebody faster, made of it between two reads.
            if let Some(done) = done_before(app, once).await? {
                return Ok(done);
            }
            expect(read_parked(app, id).await?, version)?;
            Err(refused)
        }
        done => done,
    }
}

/// What the same request came to before, if it came.
async fn done_before(
    app: &App,
    once: Option<&Once<'_, Parked>>,
) -> Result<Option<Done<Parked>>, InventoryError> {
    match Once::look_up(once, &app.dynamo).await? {
        Recall::Same(answer) => Ok(Some(Done::Before(answer))),
        Recall::Other => Err(InventoryError::KeyOfAnotherRequest),
        Recall::Nothing => Ok(None),
    }
}

async fn try_again(
    app: &App,
    id: ParkedId,
    version: Version,
    by: &Actor,
    once: Option<&Once<'_, Parked>>,
) -> Result<Done<Parked>, InventoryError> {
    let mut retries = app.dynamo.retries();
    loop {
        let (parked, raw) = find(app, id).await?;
        let before = expect(parked, version)?;
        let delivery =
            before.delivery(raw).map_err(|flaw| InventoryError::StillRefused(Reason::from(&flaw)))?;
        let remembered = remembered(app, &delivery.message).await?;
        if remembered.as_ref().is_some_and(|remembered| remembered.parked != Some(id)) {
            return Err(InventoryError::StillRefused(Reason::from(&Refusal::OtherContent)));
        }
        let (write, after) = retried(app, &before, &delivery, remembered.as_ref(), by).await?;
        match app.dynamo.write(Once::record(once, write, &after)?).await {
            Ok(()) => return Ok(Done::Now(after)),
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Refused(refusal)) => match Once::recall(once, &refusal)? {
                Recall::Same(answer) => return Ok(Done::Before(answer)),
                Recall::Other => return Err(InventoryError::KeyOfAnotherRequest),
                Recall::Nothing => retries.backoff().await?,
            },
        }
    }
}

async fn remembered(app: &App, message: &Message) -> Result<Option<Remembered>, InventoryError> {
    Ok(app.dynamo.get(&message_key(&message.message_id)).await?.map(from_item).transpose()?)
}

/// The write that applies a parked message to its product as it is now.
async fn retried(
    app: &App,
    before: &Parked,
    delivery: &Delivery,
    remembered: Option<&Remembered>,
    by: &Actor,
) -> Result<(GuardedWrite, Parked), InventoryError> {
    let (message, now) = (&delivery.message, app.clock.now());
    let product = read(app, &message.sku).await?;
    let mut plan = plan(product.as_ref(), [delivery], &Default::default(), now, Some(by));
    let movement = match plan.steps.pop().map(|step| step.outcome) {
        Some(Outcome::Applied(movement)) => movement,
        Some(Outcome::Parked(parked)) => return Err(InventoryError::StillRefused(parked.reason)),
        Some(Outcome::Duplicate) | None => {
            return Err(InventoryError::StillRefused(Reason::from(&Refusal::OtherContent)));
        }
    };
    let after = before.ended(ParkedStatus::Applied, by, None, now);
    let entry = Remembered { version: Some(movement.version), ..Remembered::of(message) };
    // What could not be read when it came was not remembered by its id.
    let as_remembered = match remembered {
        Some(_) => Condition::Equals("parked", to_attribute(before.id)?),
        None => Condition::Absent,
    };
    let mut write = app
        .dynamo
        .guarded_write()
        .put("parked", parked_item(&after)?, unchanged(before))
        .put("message", remembered_item(&entry)?, as_remembered)
        .put("movement", movement_item(&message.sku, &movement)?, Condition::Absent);
    if let Some(moved) = &plan.product {
        write = put_product(write, product.as_ref(), moved)?;
    }
    Ok((write, after))
}
