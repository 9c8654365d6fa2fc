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

/// A part of a CSV file, and the cursor of the next part.
type Part = (String, Option<String>);

/// Writes fulfilled orders as CSV, all parts to one file.
pub async fn orders(options: ExportOrders, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let period = Period::of(options.from, options.to).map_err(Failure::Days)?;
    let part = async |app: &App, cursor: Option<&str>| -> Result<Part, Failure> {
        let part = app.orders().export_part(&period, cursor).await?;
        if cursor.is_none() {
            app.orders().record_export(&period, &ExportCursor::default(), &AuditActor::command()).await?;
        }
        Ok((part.csv, part.next))
    };
    export(&options.target, host, console, part).await
}

/// Writes a raffle's sold tickets as CSV, all parts to one file.
pub async fn tickets(options: ExportTickets, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let part = async |app: &App, cursor: Option<&str>| -> Result<Part, Failure> {
        let part = app.raffles().export_part(options.raffle, cursor).await?;
        if cursor.is_none() {
            app.raffles()
                .record_export(options.raffle, &ExportCursor::default(), &AuditActor::command())
                .await?;
        }
        Ok((part.csv, part.next))
    };
    export(&options.target, host, console, part).await
}

async fn export(
    target: &ExportTarget,
    host: &Host<'_>,
    console: &dyn Console,
    part: impl AsyncFn(&App, Option<&str>) -> Result<Part, Failure>,
) -> Result<(), Failure> {
    let opened = host.open_existing(&target.table).await?;
    let exported = write_all(&opened.app, target.output.as_deref(), part, console).await;
    opened.close().await;
    exported
}

async fn write_all(
    app: &App,
    output: Option<&Path>,
    part: impl AsyncFn(&App, Option<&str>) -> Result<Part, Failure>,
    console: &dyn Console,
) -> Result<(), Failure> {
    // The file is created once there is something to write, so that a failed export leaves no file behind.
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
