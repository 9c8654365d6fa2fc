//! `holdfast check`: checks that the data file is intact and that every stock equals the sum of its movements.

use holdfast::inventory::check::Difference;
use holdfast::shared::numbers::counted;

use crate::backup;
use crate::cli::TableOptions;
use crate::console::Console;
use crate::failure::Failure;
use crate::table::{Host, Opened};

/// Checks all products, and prints every difference.
pub async fn run(table: TableOptions, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let opened = host.open_existing(&table).await?;
    let checked = match check_file(&opened, console).await {
        Ok(()) => all(&opened, console).await,
        Err(failure) => Err(failure),
    };
    opened.close().await;
    match checked? {
        0 => Ok(()),
        differences => Err(Failure::Differences(differences)),
    }
}

/// Checks everything that the local engine has stored. AWS takes care of a table on AWS.
async fn check_file(opened: &Opened, console: &dyn Console) -> Result<(), Failure> {
    let Some(local) = &opened.local else { return Ok(()) };
    let report = backup::check(&local.engine, console).await?;
    report.findings.iter().for_each(|finding| console.print(finding));
    if report.damaged > 0 {
        return Err(Failure::Damaged(report.damaged));
    }
    console.print(&format!(
        "Checked {} and {}: all are sound.",
        counted(report.items, "item", "items"),
        counted(report.entries, "index entry", "index entries")
    ));
    Ok(())
}

/// Checks all products. Returns the number of differences.
async fn all(opened: &Opened, console: &dyn Console) -> Result<usize, Failure> {
    let (mut products, mut movements, mut differences) = (0, 0, 0);
    let mut cursor = None;
    loop {
        let some = opened.app.inventory().check_step(cursor.as_deref()).await?;
        products += some.products;
        movements += some.movements;
        differences += some.differences.len();
        for Difference { sku, stock, sum, words } in some.differences {
            console
                .print(&format!("{sku}: {words}; its stock is {stock}, but its movements add up to {sum}"));
        }
        cursor = some.next;
        if cursor.is_none() {
            break;
        }
    }
    console.print(&format!(
        "Checked {} with {}.",
        counted(products, "product", "products"),
        counted(movements, "movement", "movements")
    ));
    Ok(differences)
}
