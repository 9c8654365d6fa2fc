//! `holdfast export`: exports files from the shell.

use std::path::Path;

use holdfast::app::App;
use holdfast::orders::period::Period;

use crate::cli::{ExportOrders, ExportTickets};
use crate::console::Console;
use crate::failure::Failure;
use crate::table::Host;

/// A page of CSV, and the cursor of the next page.
type Page = (String, Option<String>);

/// Writes fulfilled orders as CSV, all pages to one file.
///
/// # Errors
/// [`Failure::Days`] if the last day is before the first; any failure of the file or the table.
pub async fn orders(options: ExportOrders, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let period = Period::of(options.from, options.to).map_err(Failure::Days)?;
    let page = async |app: &App, cursor: Option<&str>| -> Result<Page, Failure> {
        let page = app.orders().export_part(&period, cursor).await?;
        Ok((page.csv, page.next))
    };
    let opened = host.open_existing(&options.table).await?;
    let exported = write_all(&opened.app, options.output.as_deref(), page, console).await;
    opened.close().await;
    exported
}

/// Writes a raffle's sold tickets as CSV, all pages to one file.
///
/// # Errors
/// [`Failure::Raffle`] if there is no such raffle; any failure of the file or the table.
pub async fn tickets(options: ExportTickets, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let page = async |app: &App, cursor: Option<&str>| -> Result<Page, Failure> {
        let page = app.raffles().export_page(options.raffle, cursor).await?;
        Ok((page.csv, page.next))
    };
    let opened = host.open_existing(&options.table).await?;
    let exported = write_all(&opened.app, options.output.as_deref(), page, console).await;
    opened.close().await;
    exported
}

async fn write_all(
    app: &App,
    output: Option<&Path>,
    page: impl AsyncFn(&App, Option<&str>) -> Result<Page, Failure>,
    console: &dyn Console,
) -> Result<(), Failure> {
    // The file is created once there is something to write, so that a failed export leaves no file behind.
    let (mut csv, mut next) = page(app, None).await?;
    let mut file = match output {
        Some(path) => Some(console.create(path).map_err(Failure::file("write", path))?),
        None => None,
    };
    loop {
        let written = match &mut file {
            Some(file) => file.write_all(csv.as_bytes()).and_then(|()| file.flush()),
            None => console.write(csv.as_bytes()),
        };
        written.map_err(Failure::Output)?;
        match next {
            Some(cursor) => (csv, next) = page(app, Some(&cursor)).await?,
            None => return Ok(()),
        }
    }
}
