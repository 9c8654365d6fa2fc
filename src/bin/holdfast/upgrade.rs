//! `holdfast upgrade`: rewrites items of older versions in the current schema, and migrates their statistics.

use holdfast::app::App;
use holdfast::imports::ImportError;
use holdfast::shared::numbers::counted;
use holdfast::store::{SCHEMA, Upgraded, upgrade_all};

use crate::cli::Upgrade;
use crate::console::{Console, Progress};
use crate::failure::Failure;
use crate::recount::recount_lists;
use crate::table::Host;

/// Rewrites items until all of them use the current schema.
pub async fn run(options: Upgrade, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let opened = host.open_existing(&options.table).await?;
    if options.finish {
        opened.app.dynamo.finish_upgrade().await?;
    }
    let upgraded = upgrade(&opened.app, console).await;
    opened.close().await;
    let Upgraded { rewritten, schema, .. } = upgraded?;
    console
        .print(&format!("Rewrote {}. All items use schema {schema}.", counted(rewritten, "item", "items")));
    if schema < SCHEMA {
        console.print(
            "Run `holdfast upgrade --finish` only once no earlier version runs any more: earlier versions cannot read the \
             items that are written after that.",
        );
    }
    Ok(())
}

/// Takes all steps of an upgrade, also after one that failed. Returns the first failure.
async fn upgrade(app: &App, console: &dyn Console) -> Result<Upgraded, Failure> {
    let show = |words: String| console.progress(&Progress::of_words(words));
    let items = upgrade_all(&app.dynamo, |so_far| {
        show(format!("{} rewritten", counted(so_far.rewritten, "item", "items")));
    });
    let upgraded = items.await;
    console.end_progress();
    let leads = app.leads();
    let words = leads.upgrade_words(|so_far| {
        show(format!("search words of {} rewritten", counted(so_far, "lead", "leads")));
    });
    let words = words.await;
    console.end_progress();
    let accounts = app.accounts().upgrade().await;
    let statistics = app.statistics().migrate().await;
    let lists = recount_lists(app).await;
    let upgraded = upgraded?;
    words.map_err(ImportError::from)?;
    accounts?;
    statistics?;
    lists?;
    Ok(upgraded)
}
