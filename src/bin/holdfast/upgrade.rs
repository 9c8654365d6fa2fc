//! `holdfast upgrade`: rewrites what older versions of the program wrote in the present form of items, and takes over
//! their statistics.

use holdfast::dynamo::{SCHEMA, upgrade_all};
use holdfast::leads::stats;

use crate::cli::Upgrade;
use crate::console::{Console, Progress};
use crate::failure::Failure;
use crate::table::Host;

/// Rewrites until everything is in the present form.
///
/// # Errors
/// Any [`Failure`] of opening the table, or of the store.
pub async fn run(options: Upgrade, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let opened = host.open_existing(&options.table).await?;
    let upgraded = upgrade_all(&opened.app.dynamo, |so_far| {
        let words = format!("{} items rewritten", so_far.rewritten);
        console.progress(&Progress { done: 0, of: 0, words });
    })
    .await;
    console.end_progress();
    let statistics = stats::take_over(&opened.app).await;
    opened.close().await;
    let upgraded = upgraded?;
    statistics?;
    console.say(&format!("Rewrote {} items. All items are of schema {SCHEMA}.", upgraded.rewritten));
    Ok(())
}
