//! The message id behind the form of a manual adjustment. The JSON API makes it in the same way.

use crate::base::identity::SignedIn;
use crate::base::values::fingerprint;
use crate::inventory::Inventory;
use crate::inventory::domain::MessageId;
use crate::web::error::WebError;

/// Returns the message id of a manual adjustment. The same key of the same account gives the same id; without a key,
/// each adjustment gets a new one.
///
/// # Errors
/// [`WebError::Internal`], which does not occur in practice: a key that is too long is replaced by its hash.
pub(in crate::inventory) fn adjustment_id(
    inventory: &Inventory,
    who: &SignedIn,
    key: Option<&str>,
) -> Result<MessageId, WebError> {
    let key = key.filter(|key| !key.is_empty());
    let key = key.map_or_else(|| inventory.rng.uuid().to_string(), str::to_owned);
    let id = |key: &str| format!("adjust:{}:{key}", who.id).parse::<MessageId>();
    let id = id(&key).or_else(|_| id(&fingerprint(&[key.as_bytes()])));
    id.map_err(|invalid| WebError::Internal(format!("the adjustment has no valid ID: {invalid}")))
}
