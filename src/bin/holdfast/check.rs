//! `holdfast check`: whether every stock is the sum of its movements.

use holdfast::inventory::check::{Difference, step};

use crate::cli::Check;
use crate::console::Console;
use crate::failure::Failure;
use crate::table::{Host, Opened};

/// Checks all products, and names what does not fit.
///
/// # Errors
/// [`Failure::Differences`] where something does not fit; any failure of the table.
pub async fn run(options: Check, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let opened = host.open(&options.table).await?;
    let checked = all(&opened, console).await;
    opened.close().await;
    match checked? {
        0 => Ok(()),
        differences => Err(Failure::Differences(differences)),
    }
}

/// How many products do not fit.
async fn all(opened: &Opened, console: &dyn Console) -> Result<usize, Failure> {
    let (mut products, mut movements, mut differences) = (0, 0, 0);
    let mut cursor = None;
    loop {
        let some = step(&opened.app, cursor.as_deref()).await?;
        products += some.products;
        movements += some.movements;
        differences += some.differences.len();
        for Difference { sku, stock, sum, words } in some.differences {
            console.say(&format!("{sku}: {words}; its stock is {stock}, and its movements come to {sum}"));
        }
        cursor = some.next;
        if cursor.is_none() {
            break;
        }
    }
    console.say(&format!("Checked {products} products with {movements} movements."));
    Ok(differences)
}
