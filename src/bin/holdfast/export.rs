//! `holdfast export`: exports files from the shell.

use std::path::Path;

use holdfast::app::App;
use holdfast::orders::period::Period;
use holdfast::shared::audit_log::AuditActor;
use holdfast::shared::exports::ExportCursor;

use crate::cli::{ExportOrders, ExportTarget, ExportTickets};
use crate::console::Console;
use crate::failure::Failure;
use crate::table::Host;

/// A page of CSV, and the cursor of the next page.
type Page = (String, Option<String>);

/// Writes fulfilled orders as CSV, all pages to one file.
pub async fn orders(options: ExportOrders, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let period = Period::of(options.from, options.to).map_err(Failure::Days)?;
    let page = async |app: &App, cursor: Option<&str>| -> Result<Page, Failure> {
        let page = app.orders().export_part(&period, cursor).await?;
        if cursor.is_none() {
            app.orders().record_export(&period, &ExportCursor::default(), &AuditActor::command()).await?;
        }
        Ok((page.csv, page.next))
    };
    export(&options.target, host, console, page).await
}

/// Writes a raffle's sold tickets as CSV, all pages to one file.
pub async fn tickets(options: ExportTickets, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let page = async |app: &App, cursor: Option<&str>| -> Result<Page, Failure> {
        let page = app.raffles().export_page(options.raffle, cursor).await?;
        if cursor.is_none() {
            app.raffles()
                .record_export(options.raffle, &ExportCursor::default(), &AuditActor::command())
                .await?;
        }
        Ok((page.csv, page.next))
    };
    export(&options.target, host, console, page).await
}

async fn export(
    target: &ExportTarget,
    host: &Host<'_>,
    console: &dyn Console,
    page: impl AsyncFn(&App, Option<&str>) -> Result<Page, Failure>,
) -> Result<(), Failure> {
    let opened = host.open_existing(&target.table).await?;
    let exported = write_all(&opened.app, target.output.as_deref(), page, console).await;
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
