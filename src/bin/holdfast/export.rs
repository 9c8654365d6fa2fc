//! `holdfast export`: files for the shell.

use std::fs::OpenOptions;
use std::io::{Write, stdout};

use holdfast::app::App;
use holdfast::orders::export::part;
use holdfast::orders::period::Period;

use crate::cli::ExportOrders;
use crate::failure::Failure;
use crate::table::Opened;

/// Writes fulfilled orders as CSV, all parts as one file.
///
/// # Errors
/// [`Failure::Days`] if the last day is before the first; any failure of the file or the table.
pub async fn orders(options: ExportOrders) -> Result<(), Failure> {
    let period = Period::of(options.from, options.to).map_err(Failure::Days)?;
    let mut output: Box<dyn Write> = match &options.output {
        // A file that is there is not written over.
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).open(path);
            Box::new(file.map_err(Failure::file("write", path))?)
        }
        None => Box::new(stdout().lock()),
    };
    let opened = Opened::open(&options.table).await?;
    let exported = write_all(&opened.app, &period, &mut output).await;
    opened.close().await;
    exported
}

async fn write_all(app: &App, period: &Period, output: &mut dyn Write) -> Result<(), Failure> {
    let mut cursor = None;
    loop {
        let part = part(app, period, cursor.as_deref()).await?;
        output.write_all(part.csv.as_bytes()).and_then(|()| output.flush()).map_err(Failure::Output)?;
        match part.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}
