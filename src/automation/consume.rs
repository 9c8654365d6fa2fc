//! What is made of the table's stream: the statistics, and the runs of rules.
//!
//! What always holds: everything here may be done again for the same changes, by several at once, and has its effect
//! once.

use super::events::{Event, events_of};
use super::rules::domain::Rule;
use super::rules::{running, store};
use crate::app::App;
use crate::dynamo::StoreError;
use crate::dynamo::stream::{Change, Sequence};
use crate::leads::items::{COUNTED, LEAD};
use crate::leads::stats::count;
use crate::orders;
use crate::orders::items::{CAP, ORDER};

/// The first change that was not dealt with, and why. Those before it were; telling it and all behind it again is right.
#[derive(Debug, thiserror::Error)]
#[error("a change was not dealt with: {cause}")]
pub struct Unconsumed {
    /// Its place.
    pub sequence: Sequence,
    /// What failed.
    #[source]
    pub cause: StoreError,
}

/// Whether a change is one that anything is made of.
pub fn is_relevant(change: &Change) -> bool {
    match change.key.sk.as_str() {
        LEAD | ORDER | CAP => true,
        // What was counted of a lead or an order is for the counting alone.
        COUNTED => change.key.pk.starts_with("STATE#"),
        _ => false,
    }
}

/// Counts the changes, then runs the rules that answer them.
///
/// # Errors
/// [`Unconsumed`]: the first change that was not dealt with.
pub async fn consume(app: &App, changes: &[Change]) -> Result<(), Unconsumed> {
    let counted = count(app, changes).await;
    let uncounted = counted.err().map(|error| Unconsumed { sequence: error.sequence, cause: error.cause });
    let mut rules = None;
    for change in changes.iter().filter(|change| is_relevant(change)) {
        if uncounted.as_ref().is_some_and(|first| change.sequence >= first.sequence) {
            break;
        }
        answer(app, change, &mut rules)
            .await
            .map_err(|cause| Unconsumed { sequence: change.sequence.clone(), cause })?;
    }
    uncounted.map_or(Ok(()), Err)
}

/// Runs the rules that answer a change. They are read when the first event asks for them.
async fn answer(app: &App, change: &Change, rules: &mut Option<Vec<Rule>>) -> Result<(), StoreError> {
    let events: Vec<Event> = events_of(change)?;
    if events.is_empty() {
        return Ok(());
    }
    let rules = match rules {
        Some(rules) => rules,
        None => rules.insert(store::all(app).await?),
    };
    for event in &events {
        for rule in rules.iter().filter(|rule| rule.answers(event)) {
            running::run(app, rule, event).await?;
        }
    }
    Ok(())
}

/// What is done every half minute: large orders that were cut off are settled, failed runs tried again, and the rules
/// run whose time has come. What fails keeps none of the others back.
///
/// # Errors
/// The last failure of the store; doing it again is right.
pub async fn sweep(app: &App) -> Result<(), StoreError> {
    let helped = orders::store::help(app).await.map(drop);
    let rules = store::all(app).await?;
    let fired = running::fire_due(app, &rules).await;
    let retried = running::retry_due(app, &rules).await;
    helped.and(fired).and(retried)
}
