//! `holdfast replay`: applies files of messages to stock.
//!
//! Invariants: replaying the same files changes nothing, even after an interrupted run; messages of one product are
//! applied in the order of the files.

mod counts;
mod input;
mod survey;

use std::collections::BTreeSet;
use std::time::Duration;

use holdfast::app::App;
use holdfast::inventory::domain::{Message, Sku};
use holdfast::inventory::ingest::RawMessage;
use holdfast::inventory::retail::{self, Row, Survey};
use holdfast::shared::numbers::counted;
use tokio::time::sleep;

use self::counts::{Counts, sum};
use self::input::{Input, next_line, with_id};
use self::survey::{Files, Lines, survey_messages, survey_retail};
use crate::cli::{Format, Replay};
use crate::console::{Console, Progress};
use crate::failure::Failure;
use crate::table::Host;

/// This many messages, or bytes of messages, are sorted by product before they are applied, because messages of one
/// product share transactions.
const MAX_MESSAGES: usize = 10_000;
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// At least this many messages are applied at once; a batch ends with the last message of a product.
const BATCH_SIZE: usize = 300;
/// How often a busy table is tried, and the delays in between. Each delay is twice the previous one.
const ATTEMPTS: u32 = 8;
const FIRST_DELAY: Duration = Duration::from_millis(200);
const MAX_DELAY: Duration = Duration::from_secs(5);

/// Replays files, and prints progress and a report. Files that cannot be read, or that are not messages, are refused
/// before anything is applied.
pub async fn run(options: Replay, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let mut inputs: Vec<Input> = Vec::new();
    for path in &options.files {
        let input = Input::of(path, console)?;
        // The same file twice contains the same messages twice.
        if inputs.iter().all(|other| other.digest != input.digest) {
            inputs.push(input);
        }
    }
    let survey = match options.format {
        Format::Messages => Files::Messages(survey_messages(&inputs, console)?),
        Format::OnlineRetail => Files::Retail(survey_retail(&inputs, console)?),
    };
    if options.dry_run {
        return survey.print(inputs.len(), console);
    }
    let opened = host.open(&options.table).await?;
    let mut replayer = Replayer::new(&opened.app, console);
    let replayed = match &survey {
        Files::Messages(lines) => replayer.messages(&inputs, lines).await,
        Files::Retail(survey) => replayer.retail(&inputs, survey).await,
    };
    console.end_progress();
    let counts = replayer.counts;
    opened.close().await;
    counts.print(inputs.len(), console);
    replayed.and_then(|()| counts.outcome())
}

/// Applies messages, and counts the results.
struct Replayer<'a> {
    app: &'a App,
    console: &'a dyn Console,
    done: u64,
    of: u64,
    counts: Counts,
    window: Vec<(Option<Sku>, RawMessage)>,
    bytes: usize,
}

impl<'a> Replayer<'a> {
    fn new(app: &'a App, console: &'a dyn Console) -> Self {
        let (counts, window) = (Counts::default(), Vec::new());
        Self { app, console, done: 0, of: 0, counts, window, bytes: 0 }
    }

    async fn messages(&mut self, inputs: &[Input], lines: &Lines) -> Result<(), Failure> {
        self.of = lines.messages + sum(&lines.others);
        for input in inputs {
            let mut file = input.open(self.console)?;
            let mut row = 0;
            while let Some(line) =
                next_line(&mut file, &mut row).map_err(Failure::file("read", &input.path))?
            {
                self.counts.rows += 1;
                let bytes = with_id(line, &input.digest, row);
                self.push(RawMessage { source: input.source(Some(row)), bytes }).await?;
            }
        }
        self.flush().await
    }

    async fn retail(&mut self, inputs: &[Input], survey: &Survey) -> Result<(), Failure> {
        self.counts.rows = survey.rows;
        self.counts.skipped = survey.skipped.clone();
        self.of = survey.rows - sum(&survey.skipped) + survey.products() as u64;
        let mut opened = BTreeSet::new();
        for input in inputs {
            let failed = |cause| Failure::Retail { path: input.path.clone(), cause };
            for row in retail::rows(input.open(self.console)?).map_err(failed)? {
                let (row, read) = row.map_err(failed)?;
                let Row::Product(change) = read else { continue };
                // The count comes right before the product's first row, so that they share a transaction.
                if opened.insert(change.sku.clone())
                    && let Some(opening) = survey.opening(&change.sku)
                {
                    self.counts.openings += 1;
                    self.push(RawMessage { source: input.source(None), bytes: bytes_of(&opening) }).await?;
                }
                let message = change.message(&input.digest, row).map_err(failed)?;
                self.push(RawMessage { source: input.source(Some(row)), bytes: bytes_of(&message) }).await?;
            }
        }
        self.flush().await
    }

    async fn push(&mut self, message: RawMessage) -> Result<(), Failure> {
        self.bytes += message.bytes.len();
        let sku = message.read().ok().map(|delivery| {
            self.counts.ignored += delivery.ignored as u64;
            delivery.message.sku
        });
        self.window.push((sku, message));
        if self.window.len() >= MAX_MESSAGES || self.bytes >= MAX_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Applies the messages of the window, product by product.
    async fn flush(&mut self) -> Result<(), Failure> {
        let mut window = std::mem::take(&mut self.window);
        self.bytes = 0;
        // The sort is stable: it keeps the order of the messages of one product.
        window.sort_by(|one, other| one.0.cmp(&other.0));
        let mut batch: Vec<RawMessage> = Vec::new();
        let mut before: Option<Sku> = None;
        for (sku, message) in window {
            if batch.len() >= BATCH_SIZE && sku != before {
                self.apply(std::mem::take(&mut batch)).await?;
            }
            batch.push(message);
            before = sku;
        }
        self.apply(batch).await
    }

    /// Applies some messages. Retries those that a busy table did not accept before any later message.
    async fn apply(&mut self, mut messages: Vec<RawMessage>) -> Result<(), Failure> {
        for attempt in 0..ATTEMPTS {
            let outcomes = self.app.inventory().ingest(&messages).await;
            outcomes.iter().flatten().for_each(|outcome| self.counts.add(outcome));
            self.done += outcomes.iter().flatten().count() as u64;
            self.show();
            let taken = messages.into_iter().zip(outcomes);
            messages = taken.filter(|(_, outcome)| outcome.is_none()).map(|(message, _)| message).collect();
            if messages.is_empty() {
                return Ok(());
            }
            sleep(FIRST_DELAY.saturating_mul(1 << attempt).min(MAX_DELAY)).await;
        }
        Err(Failure::Unfinished)
    }

    fn show(&self) {
        let Counts { applied, duplicates, dead_letters, .. } = &self.counts;
        let dead_letters = counted(sum(dead_letters), "dead letter", "dead letters");
        let words = format!("{applied} applied, {duplicates} known, {dead_letters}");
        self.console.progress(&Progress { done: self.done, of: self.of, words });
    }
}

/// Serializes a message as it would be sent.
fn bytes_of(message: &Message) -> Vec<u8> {
    // Our own type always serializes.
    let mut json = serde_json::to_value(message).unwrap_or_default();
    if let Some(fields) = json.as_object_mut() {
        fields.insert("schema".to_owned(), Message::SCHEMA.into());
    }
    json.to_string().into_bytes()
}
