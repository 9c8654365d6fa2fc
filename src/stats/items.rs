//! The items of the statistics: their keys and attributes.

use jiff::civil::Date;

use crate::base::values::UsState;
use crate::leads::domain::Stock;
use crate::shared::audit::RuleCause;
use crate::store::{Item, Key, StoreError};

/// The attribute with the time of the last counted change.
pub(super) const AS_OF: &str = "asOf";
/// The attribute that says that the statistics item counts by state. Earlier versions had one item for each state.
pub(super) const BY_STATE: &str = "byState";
/// The attribute that every write of the statistics increments.
pub(super) const REVISION: &str = "revision";
/// The attribute with the id of the last completed recount.
pub(super) const GENERATION: &str = "generation";
/// The attribute with the id of the running recount.
pub(super) const RECOUNT: &str = "recount";
/// The prefix of a running recount's counter attributes.
pub(super) const NEXT: &str = "n_";

/// Returns the name of a recount's counter attribute.
pub(super) fn next_attribute(name: &str) -> String {
    format!("{NEXT}{name}")
}

pub(super) fn stats_key() -> Key {
    Key::new("STATS", "STATS")
}

/// Returns whether this is the key of the statistics item.
pub fn is_stats(key: &Key) -> bool {
    *key == stats_key()
}

pub(super) fn day_key(date: Date) -> Key {
    Key::new(format!("DAY#{date}"), "DAY")
}

/// Returns the name of the attribute that counts one stock of a state.
pub(super) fn state_attribute(stock: &str, state: UsState) -> String {
    format!("{stock}{state}")
}

/// Returns the name of the attribute with the rule that caused the last change of a state's counts.
pub(super) fn cause_attribute(state: UsState) -> String {
    format!("cause{state}")
}

/// Returns a number attribute, or 0 if the item does not have it.
pub(super) fn number(item: &Item, name: &str) -> i64 {
    let number = || item.get(name)?.as_n().ok()?.parse().ok();
    number().unwrap_or_default()
}

/// Shows a negative counter as 0. A counter is negative only until a change that is not counted yet makes up for it.
pub(super) fn at_least_zero(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The counts by state in the statistics item.
pub struct StateCounts<'a>(&'a Item);

impl<'a> StateCounts<'a> {
    /// Wraps the statistics item.
    pub fn of(item: &'a Item) -> Self {
        Self(item)
    }

    /// Returns the number of leads of a state and stock, or `None` if none were ever counted.
    pub fn stored(&self, state: UsState, stock: Stock) -> Option<u64> {
        let name = state_attribute(stock.slug(), state);
        self.0.contains_key(&name).then(|| at_least_zero(number(self.0, &name)))
    }

    /// Returns the rule that caused the last change of a state's counts, if a rule did.
    ///
    /// # Errors
    /// [`StoreError::Malformed`] if the attribute cannot be read.
    pub fn cause(&self, state: UsState) -> Result<Option<RuleCause>, StoreError> {
        match self.0.get(&cause_attribute(state)) {
            Some(cause) => RuleCause::of([("cause".to_owned(), cause.clone())].into()),
            None => Ok(None),
        }
    }
}
