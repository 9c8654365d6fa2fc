//! `holdfast replay`: files of messages into movements.
//!
//! What always holds: the same files again change nothing, also after a run that was cut off; messages of one product are
//! applied in the order of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast::app::App;
use holdfast::inventory::domain::{Channel, Message, Outcome, ParseError, Reason, Sku, Source};
use holdfast::inventory::ingest::RawMessage;
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
        Source { topic: Some(self.name.clone()), offset, ..Source::of(Channel::Replay) }
    }
}

/// Replays files, shows how far it is, and tells what became of their rows.
///
/// # Errors
/// Any failure of the files, before anything is applied where they are Online Retail data; [`Failure::NoMessages`] before
/// anything is applied; [`Failure::NothingApplied`]; [`Failure::Unfinished`] where the table fails.
pub async fn run(options: Replay, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let mut inputs: Vec<Input> = Vec::new();
    for path in &options.files {
        let input = Input::of(path, console)?;
        // The same file twice is the same messages twice.
        if inputs.iter().all(|other| other.digest != input.digest) {
            inputs.push(input);
        }
    }
    let survey = match options.format {
        Format::Messages => Files::Messages(survey_messages(&inputs, console)?),
        Format::OnlineRetail => Files::Retail(survey_retail(&inputs, console)?),
    };
    if options.dry_run {
        return survey.tell(inputs.len(), console);
    }
    let opened = host.open(&options.table).await?;
    let mut replaying = Replaying::new(&opened.app, console);
    let replayed = match &survey {
        Files::Messages(lines) => replaying.messages(&inputs, lines).await,
        Files::Retail(survey) => replaying.retail(&inputs, survey).await,
    };
    console.end_progress();
    let counts = replaying.counts;
    opened.close().await;
    counts.tell(inputs.len(), console);
    replayed.and_then(|()| counts.outcome())
}

/// What files hold, before anything of them is written.
enum Files {
    Messages(Lines),
    Retail(Survey),
}

/// What the lines of files of messages are.
#[derive(Default)]
struct Lines {
    messages: u64,
    products: BTreeSet<Sku>,
    /// Lines that are no messages, by the name of what is wrong.
    others: BTreeMap<String, u64>,
}

impl Files {
    /// Says what the files hold.
    fn tell(&self, files: usize, console: &dyn Console) -> Result<(), Failure> {
        let (rows, messages, products, others, why) = match self {
            Self::Messages(Lines { messages, products, others }) => (
                messages + sum(others),
                *messages,
                products.len(),
                others,
                "would be parked, for they are no messages",
            ),
            Self::Retail(survey) => {
                let messages = survey.rows - sum(&survey.skipped);
                let why = "would be skipped, for they are no products";
                (survey.rows, messages, survey.products(), &survey.skipped, why)
            }
        };
        console.say(&format!("Read {rows} rows of {}, and wrote nothing.", counted(files, "file")));
        console.say(&format!("  {messages:>7} messages of {}", counted(products, "product")));
        console.say(&format!("  {:>7} {why}{}", sum(others), listed(others)));
        if messages == 0 { Err(Failure::NothingApplied("the files hold no messages")) } else { Ok(()) }
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// How many lines of a file are looked at before it is taken for one of messages.
const FIRST_LINES: usize = 10;

/// Reads files of messages once, before anything of them is applied.
fn survey_messages(inputs: &[Input], console: &dyn Console) -> Result<Lines, Failure> {
    let mut lines = Lines::default();
    for input in inputs {
        let (mut file, mut row) = (input.open(console)?, 0);
        let mut wrong: Vec<(u64, ParseError)> = Vec::new();
        let mut good = false;
        while let Some(line) = next_line(&mut file, &mut row).map_err(Failure::file("read", &input.path))? {
            match (RawMessage { source: input.source(Some(row)), bytes: named(line, &input.digest, row) })
                .read()
            {
                Ok(delivery) => {
                    good = true;
                    lines.messages += 1;
                    lines.products.insert(delivery.message.sku);
                }
                Err(flaw) => {
                    *lines.others.entry(Reason::from(&flaw).name).or_default() += 1;
                    if !good && wrong.len() < FIRST_LINES {
                        wrong.push((row, flaw));
                    }
                }
            }
            if !good && wrong.len() >= FIRST_LINES {
                break;
            }
        }
        if let Some((line, flaw)) = wrong.into_iter().next().filter(|_| !good) {
            return Err(Failure::NoMessages { path: input.path.clone(), line, flaw });
        }
    }
    Ok(lines)
}

/// Reads files of Online Retail data once, before anything of them is applied.
fn survey_retail(inputs: &[Input], console: &dyn Console) -> Result<Survey, Failure> {
    let mut survey = Survey::default();
    for input in inputs {
        let added = survey.add(&input.digest, input.open(console)?);
        added.map_err(|cause| Failure::Retail { path: input.path.clone(), cause })?;
    }
    Ok(survey)
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
    /// Fields that nothing here knows.
    ignored: u64,
}

impl Counts {
    /// A file that was replayed before is a success; one of which nothing came is none.
    fn outcome(&self) -> Result<(), Failure> {
        match (self.applied + self.duplicates, sum(&self.parked)) {
            (1.., _) => Ok(()),
            (0, 0) => Err(Failure::NothingApplied("the files hold no messages")),
            (0, _) => Err(Failure::NothingApplied("all messages were parked")),
        }
    }

    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Applied(_) => self.applied += 1,
            Outcome::Duplicate => self.duplicates += 1,
            Outcome::Parked(parked) => *self.parked.entry(parked.reason.name.clone()).or_default() += 1,
        }
    }

    fn tell(&self, files: usize, console: &dyn Console) {
        console.say(&format!("Read {} rows of {}.", self.rows, counted(files, "file")));
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
        if self.ignored > 0 {
            console.say(&format!("  {:>7} fields of other names were ignored", self.ignored));
        }
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
    window: Vec<(Option<Sku>, RawMessage)>,
    bytes: usize,
}

impl<'a> Replaying<'a> {
    fn new(app: &'a App, console: &'a dyn Console) -> Self {
        let (counts, window) = (Counts::default(), Vec::new());
        Self { app, console, done: 0, of: 0, counts, window, bytes: 0 }
    }

    /// Files with one message on each line.
    async fn messages(&mut self, inputs: &[Input], lines: &Lines) -> Result<(), Failure> {
        self.of = lines.messages + sum(&lines.others);
        for input in inputs {
            let mut file = input.open(self.console)?;
            let mut row = 0;
            while let Some(line) =
                next_line(&mut file, &mut row).map_err(Failure::file("read", &input.path))?
            {
                self.counts.rows += 1;
                let bytes = named(line, &input.digest, row);
                self.push(RawMessage { source: input.source(Some(row)), bytes }).await?;
            }
        }
        self.flush().await
    }

    /// Files of Online Retail data.
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
                // The count stands right before the product's first row, so that they share a transaction.
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

    async fn push(&mut self, arrival: RawMessage) -> Result<(), Failure> {
        self.bytes += arrival.bytes.len();
        let sku = arrival.read().ok().map(|delivery| {
            self.counts.ignored += delivery.ignored as u64;
            delivery.message.sku
        });
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
        let mut part: Vec<RawMessage> = Vec::new();
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
    async fn apply(&mut self, mut arrivals: Vec<RawMessage>) -> Result<(), Failure> {
        for attempt in 0..TRIES {
            let outcomes = self.app.inventory().ingest(&arrivals).await;
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
    // The first line of a file may begin with a byte order mark.
    match serde_json::from_slice(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line)) {
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
