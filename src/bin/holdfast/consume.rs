//! `holdfast consume`: messages of a Kafka topic into movements, until a signal asks to end.

use std::io::{IsTerminal as _, stderr};
use std::pin::pin;
use std::time::{Duration, Instant};

use holdfast::native::kafka::{self, Tally};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::cli::Consume;
use crate::failure::Failure;
use crate::say;
use crate::signals::Signals;
use crate::table::Opened;

/// Between two looks of the line on a terminal, and two lines of the log elsewhere.
const LIVE: Duration = Duration::from_millis(500);
const LOGGED: Duration = Duration::from_secs(10);

/// Consumes until the first signal, then finishes what runs; the second one ends at once.
///
/// # Errors
/// [`Failure::Consume`]; any failure of the table.
pub async fn run(options: Consume) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(Failure::Runtime)?;
    let opened = Opened::open(&options.table).await?;
    let (stop, stopped) = watch::channel(false);
    let (tally, told) = watch::channel(Tally::default());
    let shown = tokio::spawn(show(told));
    let kafka = options.kafka();
    let consumed = {
        let consuming = kafka::consume(&opened.app, &kafka, stopped, tally);
        until_a_signal(consuming, &mut signals, &stop).await
    };
    shown.abort();
    opened.close().await;
    let Tally { applied, duplicates, parked, .. } = consumed?;
    say(&format!("Finished {} messages.", applied + duplicates + parked));
    say(&format!("  {applied:>7} applied"));
    say(&format!("  {duplicates:>7} known from before"));
    say(&format!("  {parked:>7} parked"));
    Ok(())
}

/// The end of the consumer, which the first signal asks for.
async fn until_a_signal<T>(
    consuming: impl Future<Output = T>,
    signals: &mut Signals,
    stop: &watch::Sender<bool>,
) -> T {
    let mut consuming = pin!(consuming);
    let signal = tokio::select! {
        ended = &mut consuming => return ended,
        signal = signals.next() => signal,
    };
    tracing::info!("{signal}: finishing what runs; once more ends at once");
    let _ = stop.send(true);
    tokio::select! {
        ended = consuming => ended,
        signal = signals.next() => {
            tracing::warn!("{signal}: ended at once");
            std::process::exit(130);
        }
    }
}

/// Shows how it goes: on one line of a terminal, else in the log now and then.
async fn show(told: watch::Receiver<Tally>) {
    let live = stderr().is_terminal();
    let bar = ProgressBar::new_spinner();
    // A template that is not understood would leave the plain line.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    let (mut before, mut looked) = (Tally::default(), Instant::now());
    loop {
        sleep(if live { LIVE } else { LOGGED }).await;
        let now = *told.borrow();
        let seconds = looked.elapsed().as_secs_f64().max(0.001);
        let finished = u32::try_from(now.finished() - before.finished()).unwrap_or(u32::MAX);
        let line = line(&now, f64::from(finished) / seconds);
        if live {
            bar.set_message(line);
            bar.tick();
        } else if now != before {
            tracing::info!("{line}");
        }
        (before, looked) = (now, Instant::now());
    }
}

fn line(tally: &Tally, rate: f64) -> String {
    let Tally { applied, duplicates, parked, again, partitions, lag } = tally;
    let lag = lag.map_or_else(|| "unknown".to_owned(), |lag| lag.to_string());
    let again = if *again > 0 { format!(", {again} tried again") } else { String::new() };
    format!(
        "{rate:.0}/s: {applied} applied, {duplicates} known, {parked} parked{again}; lag {lag} in {partitions} partitions"
    )
}
