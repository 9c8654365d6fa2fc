//! `holdfast upgrade`: rewrites what older versions of the program wrote in the present form of items.

use holdfast::dynamo::{SCHEMA, upgrade_all};

use crate::cli::Upgrade;
use crate::failure::Failure;
use crate::say;
use crate::table::Opened;

/// Rewrites until everything is in the present form.
///
/// # Errors
/// Any [`Failure`] of opening the table, or of the store.
pub async fn run(options: Upgrade) -> Result<(), Failure> {
    let opened = Opened::open(&options.table).await?;
    let mut told = 0;
    let upgraded = upgrade_all(&opened.app.dynamo, |so_far| {
        // A line for each ten thousand is enough to see it move.
        if so_far.rewritten / 10_000 > told {
            told = so_far.rewritten / 10_000;
            tracing::info!(items = so_far.rewritten, "rewritten so far");
        }
    })
    .await;
    opened.close().await;
    let upgraded = upgraded?;
    say(&format!("Rewrote {} items. All items are of schema {SCHEMA}.", upgraded.rewritten));
    Ok(())
}
