//! `holdfast consume`: applies the messages of a Kafka topic to stock until a signal asks it to stop.

use std::pin::pin;
use std::time::{Duration, Instant};

use holdfast::hosts::kafka;
use holdfast::hosts::kafka::ConsumerProgress;
use holdfast::shared::numbers::counted;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::cli::Consume;
use crate::console::{Console, Interrupts, Progress};
use crate::failure::Failure;
use crate::table::Host;

/// The time between two progress updates.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// Consumes until the first signal, and then finishes the running work. The second signal stops immediately.
pub async fn run(options: Consume, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let mut signals = console.signals()?;
    let opened = host.open(&options.table).await?;
    let (stop, stopped) = watch::channel(false);
    let (counts, receiver) = watch::channel(ConsumerProgress::default());
    let kafka = options.kafka();
    let consumed = {
        let consuming = kafka::consume(&opened.app, &kafka, stopped, counts);
        let consuming = until_a_signal(consuming, &mut signals, &stop, console);
        tokio::select! {
            consumed = consuming => consumed,
            () = show(receiver, console) => Err(Failure::EndedAtOnce),
        }
    };
    console.end_progress();
    opened.close().await;
    let ConsumerProgress { applied, duplicates, dead_letters, ignored, .. } = consumed??;
    console
        .print(&format!("Finished {}.", counted(applied + duplicates + dead_letters, "message", "messages")));
    console.print(&format!("  {applied:>7} applied"));
    console.print(&format!("  {duplicates:>7} known from before"));
    console.print(&format!("  {dead_letters:>7} dead letters"));
    if ignored > 0 {
        console.print(&format!("  {ignored:>7} fields of other names were ignored"));
    }
    Ok(())
}

/// Runs the consumer to its end. The first signal asks it to stop.
async fn until_a_signal<T>(
    consuming: impl Future<Output = T>,
    signals: &mut Interrupts,
    stop: &watch::Sender<bool>,
    console: &dyn Console,
) -> Result<T, Failure> {
    let mut consuming = pin!(consuming);
    let signal = tokio::select! {
        ended = &mut consuming => return Ok(ended),
        signal = signals.next() => signal,
    };
    console.note(&format!("{signal}: finishing running work; repeat to stop immediately"));
    let _ = stop.send(true);
    tokio::select! {
        ended = consuming => Ok(ended),
        _ = signals.next() => Err(Failure::EndedAtOnce),
    }
}

/// Shows progress forever.
async fn show(receiver: watch::Receiver<ConsumerProgress>, console: &dyn Console) {
    let (mut before, mut updated) = (ConsumerProgress::default(), Instant::now());
    loop {
        sleep(PROGRESS_INTERVAL).await;
        let now = *receiver.borrow();
        let seconds = updated.elapsed().as_secs_f64().max(0.001);
        let finished = u32::try_from(now.finished() - before.finished()).unwrap_or(u32::MAX);
        console.progress(&Progress::of_words(line(&now, f64::from(finished) / seconds)));
        (before, updated) = (now, Instant::now());
    }
}

fn line(counts: &ConsumerProgress, rate: f64) -> String {
    let ConsumerProgress { applied, duplicates, dead_letters, ignored, again, partitions, lag } = counts;
    let lag = lag.map_or_else(|| "unknown".to_owned(), |lag| lag.to_string());
    let ignored = match *ignored {
        0 => String::new(),
        fields => format!(", {} ignored", counted(fields, "field", "fields")),
    };
    let again = if *again > 0 { format!(", {again} tried again") } else { String::new() };
    let dead_letters = counted(*dead_letters, "dead letter", "dead letters");
    let partitions = counted(*partitions, "partition", "partitions");
    format!(
        "{rate:.0}/s: {applied} applied, {duplicates} known, {dead_letters}{again}{ignored}; lag {lag} in {partitions}"
    )
}
