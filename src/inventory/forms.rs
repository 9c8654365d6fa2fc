//! What forms and requests about the inventory carry.

use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::fingerprint;
use crate::inventory::domain::MessageId;

/// The id of an adjustment by hand: the same key of the same account is the same adjustment; without a key, each is its own.
pub(super) fn adjustment_id(app: &App, who: &SignedIn, key: Option<&str>) -> Result<MessageId, String> {
    let key = key.map_or_else(|| app.entropy.uuid().to_string(), str::to_owned);
    let id = |key: &str| format!("adjust:{}:{key}", who.id).parse::<MessageId>();
    // A key may be as long as an id of a message, which then is of its hash.
    let id = id(&key).or_else(|_| id(&fingerprint(&[key.as_bytes()])));
    id.map_err(|invalid| format!("an adjustment could not be named: {invalid}"))
}
