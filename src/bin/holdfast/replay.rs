//! `holdfast replay`: files of messages into movements.
//!
//! What always holds: the same files again change nothing, also after a run that was cut off; messages of one product are
//! applied in the order of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast::app::App;
use holdfast::inventory::domain::{Message, Outcome, Sku, Source, Way};
use holdfast::inventory::intake::{Arrival, take};
use holdfast::inventory::retail::{self, Row, Survey};
use serde_json::Value;
use tokio::time::sleep;

use crate::cli::{Format, Replay};
use crate::console::{Console, Progress};
use crate::failure::Failure;
use crate::table::Host;

/// So many messages, or bytes in them, are sorted by product before they are applied: those of one product share
/// transactions.
const MOST_MESSAGES: usize = 10_000;
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Some more messages than this are applied in one go.
const IN_ONE_GO: usize = 300;
/// How often a busy table is asked, and the pauses between, of which each is twice the one before.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// The longest line of a file of messages.
const MOST_LINE: usize = 1024 * 1024;

/// An open file.
type Opened<'a> = BufReader<Box<dyn io::Read + 'a>>;

/// A file to replay.
struct Input {
    path: PathBuf,
    /// What movements say of it.
    name: String,
    digest: String,
}

impl Input {
    fn of(path: &Path, console: &dyn Console) -> Result<Self, Failure> {
        let digest = console.open(path).and_then(retail::digest_of).map_err(Failure::file("read", path))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { path: path.to_owned(), name, digest })
    }

    fn open<'a>(&self, console: &'a dyn Console) -> Result<Opened<'a>, Failure> {
        console.open(&self.path).map(BufReader::new).map_err(Failure::file("read", &self.path))
    }

    fn source(&self, row: Option<u64>) -> Source {
        let offset = row.and_then(|row| i64::try_from(row).ok());
        Source { topic: Some(self.name.clone()), offset, ..Source::of(Way::Replay) }
    }
}

/// Replays files, shows how far it is, and tells what became of their rows.
///
/// # Errors
/// Any failure of the files, before anything is applied where they are Online Retail data; [`Failure::Unfinished`] where
/// the table fails.
pub async fn run(options: Replay, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let mut inputs: Vec<Input> = Vec::new();
    for path in &options.files {
        let input = Input::of(path, console)?;
        // The same file twice is the same messages twice.
        if inputs.iter().all(|other| other.digest != input.digest) {
            inputs.push(input);
        }
    }
    let opened = host.open(&options.table).await?;
    let mut replaying = Replaying::new(&opened.app, console);
    let replayed = match options.format {
        Format::Messages => replaying.messages(&inputs).await,
        Format::OnlineRetail => replaying.retail(&inputs).await,
    };
    console.end_progress();
    let counts = replaying.counts;
    opened.close().await;
    counts.tell(inputs.len(), console);
    replayed
}

/// What became of the rows.
#[derive(Default)]
struct Counts {
    rows: u64,
    openings: u64,
    applied: u64,
    duplicates: u64,
    parked: BTreeMap<String, u64>,
    skipped: BTreeMap<String, u64>,
}

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Applied(_) => self.applied += 1,
            Outcome::Duplicate => self.duplicates += 1,
            Outcome::Parked(parked) => *self.parked.entry(parked.reason.name.clone()).or_default() += 1,
        }
    }

    fn tell(&self, files: usize, console: &dyn Console) {
        console.say(&format!(
            "Read {} rows of {files} {}.",
            self.rows,
            if files == 1 { "file" } else { "files" }
        ));
        if self.openings > 0 {
            console.say(&format!("  {:>7} products were opened with a count, now or before", self.openings));
        }
        console.say(&format!("  {:>7} messages applied", self.applied));
        console.say(&format!("  {:>7} known from before", self.duplicates));
        console.say(&format!("  {:>7} parked{}", sum(&self.parked), listed(&self.parked)));
        console.say(&format!(
            "  {:>7} skipped, for they are no products{}",
            sum(&self.skipped),
            listed(&self.skipped)
        ));
    }
}

fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    let all: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
}

struct Replaying<'a> {
    app: &'a App,
    console: &'a dyn Console,
    done: u64,
    of: u64,
    counts: Counts,
    window: Vec<(Option<Sku>, Arrival)>,
    bytes: usize,
}

impl<'a> Replaying<'a> {
    fn new(app: &'a App, console: &'a dyn Console) -> Self {
        let (counts, window) = (Counts::default(), Vec::new());
        Self { app, console, done: 0, of: 0, counts, window, bytes: 0 }
    }

    /// Files with one message on each line.
    async fn messages(&mut self, inputs: &[Input]) -> Result<(), Failure> {
        let mut all = 0;
        for input in inputs {
            let (mut file, mut row) = (input.open(self.console)?, 0);
            while next_line(&mut file, &mut row).map_err(Failure::file("read", &input.path))?.is_some() {
                all += 1;
            }
        }
        self.of = all;
        for input in inputs {
            let mut file = input.open(self.console)?;
            let mut row = 0;
            while let Some(line) =
                next_line(&mut file, &mut row).map_err(Failure::file("read", &input.path))?
            {
                self.counts.rows += 1;
                let bytes = named(line, &input.digest, row);
                self.push(Arrival { source: input.source(Some(row)), bytes }).await?;
            }
        }
        self.flush().await
    }

    /// Files of Online Retail data. All are read once before anything is applied.
    async fn retail(&mut self, inputs: &[Input]) -> Result<(), Failure> {
        let mut survey = Survey::default();
        for input in inputs {
            let added = survey.add(&input.digest, input.open(self.console)?);
            added.map_err(|cause| Failure::Retail { path: input.path.clone(), cause })?;
        }
        self.counts.rows = survey.rows;
        self.counts.skipped = survey.skipped.clone();
        self.of = survey.rows - sum(&survey.skipped) + survey.products() as u64;
        let mut opened = BTreeSet::new();
        for input in inputs {
            let failed = |cause| Failure::Retail { path: input.path.clone(), cause };
            for row in retail::rows(input.open(self.console)?).map_err(failed)? {
                let (row, read) = row.map_err(failed)?;
                let Row::Product(change) = read else { continue };
                // The count stands right before the product's first row, so that they share a transaction.
                if opened.insert(change.sku.clone())
                    && let Some(opening) = survey.opening(&change.sku)
                {
                    self.counts.openings += 1;
                    self.push(Arrival { source: input.source(None), bytes: bytes_of(&opening) }).await?;
                }
                let message = change.message(&input.digest, row).map_err(failed)?;
                self.push(Arrival { source: input.source(Some(row)), bytes: bytes_of(&message) }).await?;
            }
        }
        self.flush().await
    }

    async fn push(&mut self, arrival: Arrival) -> Result<(), Failure> {
        self.bytes += arrival.bytes.len();
        let sku = arrival.read().ok().map(|delivery| delivery.message.sku);
        self.window.push((sku, arrival));
        if self.window.len() >= MOST_MESSAGES || self.bytes >= MOST_BYTES {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// Applies what is in the window, product by product.
    async fn flush(&mut self) -> Result<(), Failure> {
        let mut window = std::mem::take(&mut self.window);
        self.bytes = 0;
        // It keeps the order of the messages of one product.
        window.sort_by(|one, other| one.0.cmp(&other.0));
        let mut part: Vec<Arrival> = Vec::new();
        let mut before: Option<Sku> = None;
        for (sku, arrival) in window {
            if part.len() >= IN_ONE_GO && sku != before {
                self.apply(std::mem::take(&mut part)).await?;
            }
            part.push(arrival);
            before = sku;
        }
        self.apply(part).await
    }

    /// Applies some messages. Those that a busy table did not take are tried again, before anything that comes after them.
    async fn apply(&mut self, mut arrivals: Vec<Arrival>) -> Result<(), Failure> {
        for attempt in 0..TRIES {
            let outcomes = take(self.app, &arrivals).await;
            outcomes.iter().flatten().for_each(|outcome| self.counts.add(outcome));
            self.done += outcomes.iter().flatten().count() as u64;
            self.show();
            let taken = arrivals.into_iter().zip(outcomes);
            arrivals = taken.filter(|(_, outcome)| outcome.is_none()).map(|(arrival, _)| arrival).collect();
            if arrivals.is_empty() {
                return Ok(());
            }
            sleep(FIRST_PAUSE.saturating_mul(1 << attempt).min(LAST_PAUSE)).await;
        }
        Err(Failure::Unfinished)
    }

    fn show(&self) {
        let Counts { applied, duplicates, parked, .. } = &self.counts;
        let words = format!("{applied} applied, {duplicates} known, {} parked", sum(parked));
        self.console.progress(&Progress { done: self.done, of: self.of, words });
    }
}

/// A message as it would be sent.
fn bytes_of(message: &Message) -> Vec<u8> {
    // Our own type always serialises.
    let mut json = serde_json::to_value(message).unwrap_or_default();
    if let Some(fields) = json.as_object_mut() {
        fields.insert("schema".to_owned(), Message::SCHEMA.into());
    }
    json.to_string().into_bytes()
}

/// A line with an id: its own, or that of its place in what the file says.
fn named(line: Vec<u8>, digest: &str, row: u64) -> Vec<u8> {
    match serde_json::from_slice(&line) {
        Ok(Value::Object(mut fields)) if !fields.contains_key("messageId") => {
            fields.insert("messageId".to_owned(), format!("file:{digest}:{row}").into());
            Value::Object(fields).to_string().into_bytes()
        }
        _ => line,
    }
}

/// The next line that is not empty, with `row` at its number.
fn next_line(file: &mut impl BufRead, row: &mut u64) -> io::Result<Option<Vec<u8>>> {
    loop {
        let mut line = Vec::new();
        let most = u64::try_from(MOST_LINE + 1).unwrap_or(u64::MAX);
        let read = io::Read::take(&mut *file, most).read_until(b'\n', &mut line)?;
        *row += 1;
        if read > MOST_LINE {
            return Err(io::Error::other(format!("line {row} is longer than 1 MB, and a message is not")));
        }
        if read == 0 {
            return Ok(None);
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line.trim_ascii_end().to_vec()));
        }
    }
}
