//! `holdfast export`: files for the shell.

use std::path::Path;

use holdfast::app::App;
use holdfast::orders::period::Period;

use crate::cli::{ExportOrders, ExportTickets};
use crate::console::Console;
use crate::failure::Failure;
use crate::table::Host;

/// CSV, and where the next part begins.
type Part = (String, Option<String>);

/// Writes fulfilled orders as CSV, all parts as one file.
///
/// # Errors
/// [`Failure::Days`] if the last day is before the first; any failure of the file or the table.
pub async fn orders(options: ExportOrders, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let period = Period::of(options.from, options.to).map_err(Failure::Days)?;
    let part = async |app: &App, cursor: Option<&str>| -> Result<Part, Failure> {
        let part = app.orders().export_part(&period, cursor).await?;
        Ok((part.csv, part.next))
    };
    let opened = host.open_existing(&options.table).await?;
    let exported = write_all(&opened.app, options.output.as_deref(), part, console).await;
    opened.close().await;
    exported
}

/// Writes a raffle's sold tickets as CSV, all parts as one file.
///
/// # Errors
/// [`Failure::Raffle`] if there is no such raffle; any failure of the file or the table.
pub async fn tickets(options: ExportTickets, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let part = async |app: &App, cursor: Option<&str>| -> Result<Part, Failure> {
        let part = app.raffles().export_part(options.raffle, cursor).await?;
        Ok((part.csv, part.next))
    };
    let opened = host.open_existing(&options.table).await?;
    let exported = write_all(&opened.app, options.output.as_deref(), part, console).await;
    opened.close().await;
    exported
}

async fn write_all(
    app: &App,
    output: Option<&Path>,
    part: impl AsyncFn(&App, Option<&str>) -> Result<Part, Failure>,
    console: &dyn Console,
) -> Result<(), Failure> {
    // The file is made once there is something to write, so that a mistake leaves none behind.
    let (mut csv, mut next) = part(app, None).await?;
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
            Some(cursor) => (csv, next) = part(app, Some(&cursor)).await?,
            None => return Ok(()),
        }
    }
}
