//! Forms of the inventory: fields as typed, and their parsed values.

use super::domain::{LowMark, MessageId, Product, ProductName, Reference, Units};
use super::store::DetailsChange;
use crate::base::identity::SignedIn;
use crate::base::values::Invalid;
use crate::base::values::fingerprint;
use crate::inventory::Inventory;
use crate::orders::forms::Pairs;
use crate::web::error::WebError;

/// Returns the message id of a manual adjustment. The same key of the same account gives the same id; without a key,
/// each adjustment gets a new one.
///
/// # Errors
/// [`WebError::Internal`], which does not occur in practice: a key that is too long is replaced by its hash.
pub(super) fn adjustment_id(
    inventory: &Inventory,
    who: &SignedIn,
    key: Option<&str>,
) -> Result<MessageId, WebError> {
    let key = key.filter(|key| !key.is_empty());
    let key = key.map_or_else(|| inventory.rng.uuid().to_string(), str::to_owned);
    let id = |key: &str| format!("adjust:{}:{key}", who.id).parse::<MessageId>();
    let id = id(&key).or_else(|_| id(&fingerprint(&[key.as_bytes()])));
    id.map_err(|invalid| WebError::Internal(format!("the adjustment has no valid id: {invalid}")))
}

fn text(form: &Pairs, name: &str) -> String {
    form.get(name).unwrap_or_default().trim().to_owned()
}

/// The fields of an adjustment as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AdjustTexts {
    pub(super) stock: String,
    pub(super) reason: String,
}

impl AdjustTexts {
    pub(super) fn of(form: &Pairs) -> Self {
        Self { stock: text(form, "stock"), reason: text(form, "reason") }
    }

    /// Parses the new stock.
    pub(super) fn stock(&self) -> Result<Units, Invalid> {
        self.stock.parse()
    }

    /// Parses the reason, if one was typed.
    pub(super) fn reason(&self) -> Result<Option<Reference>, Invalid> {
        Some(&self.reason).filter(|reason| !reason.is_empty()).map(|reason| reason.parse()).transpose()
    }
}

/// The name and low-stock mark as typed, with the values that the form showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct DetailsTexts {
    pub(super) name: String,
    pub(super) low_mark: String,
    base: Option<(String, String)>,
}

impl DetailsTexts {
    /// Returns the current details of a product.
    pub(super) fn of(product: &Product) -> Self {
        Self { name: product.name.to_string(), low_mark: product.low_mark.to_string(), base: None }
    }

    /// Reads a submitted form.
    pub(super) fn sent(form: &Pairs) -> Self {
        let base = form.get("base.name").map(|name| (name.to_owned(), text(form, "base.lowMark")));
        Self { name: text(form, "name"), low_mark: text(form, "lowMark"), base }
    }

    fn is_new(&self, now: &str, base: impl Fn(&(String, String)) -> &String) -> bool {
        self.base.as_ref().map(base).is_none_or(|base| base != now)
    }

    /// Returns the fields that the person changed, or the errors of the name and the mark.
    pub(super) fn change(&self) -> Result<DetailsChange, [Option<Invalid>; 2]> {
        let name = self.is_new(&self.name, |base| &base.0).then(|| self.name.parse::<ProductName>());
        let mark = self.is_new(&self.low_mark, |base| &base.1).then(|| self.low_mark.parse::<LowMark>());
        match (name.transpose(), mark.transpose()) {
            (Ok(name), Ok(low_mark)) => Ok(DetailsChange { name, low_mark }),
            (name, mark) => Err([name.err(), mark.err()]),
        }
    }

    /// Applies the person's changes to the current product. Fields they did not change show the current values.
    pub(super) fn merged_with(self, now: &Product) -> Self {
        let fresh = Self::of(now);
        let own_name = self.is_new(&self.name, |base| &base.0);
        let own_mark = self.is_new(&self.low_mark, |base| &base.1);
        Self {
            name: if own_name { self.name } else { fresh.name },
            low_mark: if own_mark { self.low_mark } else { fresh.low_mark },
            base: None,
        }
    }
}
