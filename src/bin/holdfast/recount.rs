//! `holdfast recount`: recomputes the statistics. Works while the server runs.

use holdfast::app::App;
use holdfast::shared::numbers::counted;
use holdfast::stats::{RecountError, Recounted};

use crate::cli::TableOptions;
use crate::console::{Console, Progress};
use crate::failure::Failure;
use crate::table::Host;

/// Recounts until the statistics match the leads and orders.
pub async fn run(table: TableOptions, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let opened = host.open(&table).await?;
    let recounted = opened
        .app
        .statistics()
        .recount(|so_far| {
            let words = format!("{} counted", records(&so_far));
            console.progress(&Progress::of_words(words));
        })
        .await;
    console.end_progress();
    let lists = recount_lists(&opened.app).await;
    opened.close().await;
    lists?;
    let recounted = recounted.map_err(|error| match error {
        RecountError::Store(error) => Failure::from(error),
        RecountError::Superseded => Failure::Recount(error.to_string()),
    })?;
    let found = match recounted.corrections {
        0 => "No record was counted wrongly.".to_owned(),
        _ => "Some records were counted wrongly and are now corrected.".to_owned(),
    };
    console.print(&format!("Counted {}. {found}", records(&recounted)));
    Ok(())
}

fn records(counted_so_far: &Recounted) -> String {
    let leads = counted(counted_so_far.leads, "lead", "leads");
    let orders = counted(counted_so_far.orders, "order", "orders");
    format!("{leads} and {orders}")
}

/// Updates what lists show besides the statistics: the sold tickets of raffles, and the last runs of rules.
pub async fn recount_lists(app: &App) -> Result<(), Failure> {
    app.raffles().recount_sold().await?;
    app.rules().recount_last_runs().await?;
    Ok(())
}
