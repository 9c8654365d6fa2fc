//! `holdfast replay`: applies files of messages to stock.
//!
//! Invariants: replaying the same files changes nothing, even after an interrupted run; messages of one product are
//! applied in the order of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast::app::App;
use holdfast::inventory::domain::{Channel, Message, Outcome, ParseError, Reason, Sku, Source};
use holdfast::inventory::ingest::RawMessage;
use holdfast::inventory::retail::{self, Row, Survey};
use holdfast::shared::numbers::counted;
use serde_json::Value;
use tokio::time::sleep;

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
/// The longest line of a file of messages.
const MAX_LINE: usize = 1024 * 1024;

/// A file to replay.
struct Input {
    path: PathBuf,
    /// The file's name in movements.
    name: String,
    digest: String,
}

impl Input {
    fn of(path: &Path, console: &dyn Console) -> Result<Self, Failure> {
        let digest = console.open(path).and_then(retail::digest_of).map_err(Failure::file("read", path))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { path: path.to_owned(), name, digest })
    }

    fn open<'a>(&self, console: &'a dyn Console) -> Result<BufReader<Box<dyn io::Read + 'a>>, Failure> {
        console.open(&self.path).map(BufReader::new).map_err(Failure::file("read", &self.path))
    }

    fn source(&self, row: Option<u64>) -> Source {
        let offset = row.and_then(|row| i64::try_from(row).ok());
        Source { topic: Some(self.name.clone()), offset, ..Source::of(Channel::Replay) }
    }
}

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

/// The contents of the files, before anything is written.
enum Files {
    Messages(Lines),
    Retail(Survey),
}

/// The contents of the lines of files of messages.
#[derive(Default)]
struct Lines {
    messages: u64,
    products: BTreeSet<Sku>,
    /// The number of invalid lines, by the name of their error.
    others: BTreeMap<String, u64>,
}

impl Files {
    fn print(&self, files: usize, console: &dyn Console) -> Result<(), Failure> {
        let (rows, messages, products, others, status) = match self {
            Self::Messages(Lines { messages, products, others }) => (
                messages + sum(others),
                *messages,
                products.len(),
                others,
                "would become dead letters, because they are not messages",
            ),
            Self::Retail(survey) => {
                let messages = survey.rows - sum(&survey.skipped);
                let status = "would be skipped, because they are not products";
                (survey.rows, messages, survey.products(), &survey.skipped, status)
            }
        };
        console.print(&format!(
            "Read {} of {}, and wrote nothing.",
            counted(rows, "row", "rows"),
            counted(files, "file", "files")
        ));
        console.print(&format!("  {messages:>7} messages of {}", counted(products, "product", "products")));
        console.print(&format!("  {:>7} {status}{}", sum(others), list_counts(others)));
        if messages == 0 { Err(Failure::NothingApplied("the files hold no messages")) } else { Ok(()) }
    }
}

/// How many lines of a file are read before it is refused because none of them is a message.
const LINES_TO_PROBE: usize = 10;

/// Reads files of messages once, before anything is applied.
fn survey_messages(inputs: &[Input], console: &dyn Console) -> Result<Lines, Failure> {
    let mut lines = Lines::default();
    for input in inputs {
        let (mut file, mut row) = (input.open(console)?, 0);
        let mut wrong: Vec<(u64, ParseError)> = Vec::new();
        let mut good = false;
        while let Some(line) = next_line(&mut file, &mut row).map_err(Failure::file("read", &input.path))? {
            match (RawMessage { source: input.source(Some(row)), bytes: with_id(line, &input.digest, row) })
                .read()
            {
                Ok(delivery) => {
                    good = true;
                    lines.messages += 1;
                    lines.products.insert(delivery.message.sku);
                }
                Err(cause) => {
                    *lines.others.entry(Reason::from(&cause).name).or_default() += 1;
                    if !good && wrong.len() < LINES_TO_PROBE {
                        wrong.push((row, cause));
                    }
                }
            }
            if !good && wrong.len() >= LINES_TO_PROBE {
                break;
            }
        }
        if let Some((line, cause)) = wrong.into_iter().next().filter(|_| !good) {
            return Err(Failure::NoMessages { path: input.path.clone(), line, cause });
        }
    }
    Ok(lines)
}

/// Reads files of Online Retail data once, before anything is applied.
fn survey_retail(inputs: &[Input], console: &dyn Console) -> Result<Survey, Failure> {
    let mut survey = Survey::default();
    for input in inputs {
        let added = survey.add(&input.digest, input.open(console)?);
        added.map_err(|cause| Failure::Retail { path: input.path.clone(), cause })?;
    }
    Ok(survey)
}

/// The results of the rows.
#[derive(Default)]
struct Counts {
    rows: u64,
    openings: u64,
    applied: u64,
    duplicates: u64,
    dead_letters: BTreeMap<String, u64>,
    skipped: BTreeMap<String, u64>,
    /// Fields with unknown names.
    ignored: u64,
}

impl Counts {
    /// A file that was replayed before counts as success; files without any applied message count as failure.
    fn outcome(&self) -> Result<(), Failure> {
        match (self.applied + self.duplicates, sum(&self.dead_letters)) {
            (1.., _) => Ok(()),
            (0, 0) => Err(Failure::NothingApplied("the files hold no messages")),
            (0, _) => Err(Failure::NothingApplied("all messages became dead letters")),
        }
    }

    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Applied(_) => self.applied += 1,
            Outcome::Duplicate => self.duplicates += 1,
            Outcome::DeadLetter(dead_letter) => {
                *self.dead_letters.entry(dead_letter.reason.name.clone()).or_default() += 1
            }
        }
    }

    fn print(&self, files: usize, console: &dyn Console) {
        console.print(&format!(
            "Read {} of {}.",
            counted(self.rows, "row", "rows"),
            counted(files, "file", "files")
        ));
        if self.openings > 0 {
            console
                .print(&format!("  {:>7} products were opened with a count, now or before", self.openings));
        }
        console.print(&format!("  {:>7} messages applied", self.applied));
        console.print(&format!("  {:>7} known from before", self.duplicates));
        console.print(&format!(
            "  {:>7} dead letters{}",
            sum(&self.dead_letters),
            list_counts(&self.dead_letters)
        ));
        console.print(&format!(
            "  {:>7} skipped, because they are not products{}",
            sum(&self.skipped),
            list_counts(&self.skipped)
        ));
        if self.ignored > 0 {
            console.print(&format!("  {:>7} fields of other names were ignored", self.ignored));
        }
    }
}

fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

fn list_counts(counts: &BTreeMap<String, u64>) -> String {
    let all: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
}

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

/// Adds a message id to a line without one, derived from the file's contents and the line number.
fn with_id(line: Vec<u8>, digest: &str, row: u64) -> Vec<u8> {
    // The first line of a file may start with a byte order mark.
    match serde_json::from_slice(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line)) {
        Ok(Value::Object(mut fields)) if !fields.contains_key("messageId") => {
            fields.insert("messageId".to_owned(), format!("file:{digest}:{row}").into());
            Value::Object(fields).to_string().into_bytes()
        }
        _ => line,
    }
}

/// Returns the next line that is not empty, and sets `row` to its number.
fn next_line(file: &mut impl BufRead, row: &mut u64) -> io::Result<Option<Vec<u8>>> {
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(MAX_LINE + 1).unwrap_or(u64::MAX);
        let read = io::Read::take(&mut *file, limit).read_until(b'\n', &mut line)?;
        *row += 1;
        if read > MAX_LINE {
            return Err(io::Error::other(format!("line {row} is longer than 1 MB, the longest message")));
        }
        if read == 0 {
            return Ok(None);
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line.trim_ascii_end().to_vec()));
        }
    }
}
