//! The task that owns the consumer and the state of its partitions. Worker tasks receive messages and return their
//! outcomes; librdkafka's callbacks only send events. So there are no locks.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use super::consumer::client_config;
use super::context::{Context, End, Event};
use super::workers::{Batch, Workers};
use super::{ConsumeError, ConsumerProgress, Options};
use crate::app::App;
use crate::inventory::domain::{Outcome, Source};
use crate::inventory::health::Progress;
use crate::inventory::ingest::RawMessage;

/// The number of workers that run at the same time.
const MAX_RUNNING: usize = 8;
/// If this many messages, or bytes of messages, are in progress, no more are requested until half of them are
/// finished.
const MAX_MESSAGES: usize = 2_000;
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// The first delay after a failure of the store. It doubles up to the maximum.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(5);
/// A wake-up of the client may be lost, so it is polled this often.
const POLL_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the progress of the consumer is reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// The longest wait for leaving the group, so that an unreachable broker does not block the end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The consumer. It always leaves its group in a separate thread, because that may take long and must not block
/// other tasks.
struct Client(Option<StreamConsumer<Context>>);

impl Client {
    /// Leaves the group after committing what is finished.
    async fn leave(mut self) {
        let (done, left) = oneshot::channel();
        let consumer = self.0.take();
        thread::spawn(move || {
            drop(consumer);
            let _ = done.send(());
        });
        if timeout(LEAVE_TIMEOUT, left).await.is_err() {
            tracing::warn!("the brokers did not answer; the group will notice that this consumer is gone");
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(consumer) = self.0.take() {
            thread::spawn(move || drop(consumer));
        }
    }
}

/// A batch with its outcomes.
type Done = (Batch, Vec<Option<Outcome>>);

struct Driver {
    app: App,
    options: Options,
    client: Client,
    workers: Workers,
    tasks: JoinSet<Done>,
    events: mpsc::UnboundedReceiver<Event>,
    stop: watch::Receiver<bool>,
    stopping: bool,
    counts: watch::Sender<ConsumerProgress>,
    ends: BTreeMap<i32, End>,
    progress: BTreeMap<i32, Progress>,
    reporting: JoinSet<()>,
    paused: bool,
}

/// Consumes the topic until `stop` is set, and then finishes running work and leaves the group. Reports its work to
/// `counts`.
///
/// # Errors
/// [`ConsumeError`]: an invalid setting, messages that cannot be read, a client that cannot continue. Everything
/// that was finished is still committed.
pub async fn consume(
    app: &App,
    options: &Options,
    stop: watch::Receiver<bool>,
    counts: watch::Sender<ConsumerProgress>,
) -> Result<ConsumerProgress, ConsumeError> {
    let (sender, events) = mpsc::unbounded_channel();
    let context = Context::new(options, sender);
    let consumer: StreamConsumer<Context> =
        client_config(options).create_with_context(context).map_err(ConsumeError::at_start)?;
    consumer.subscribe(&[options.topic.as_str()]).map_err(ConsumeError::at_start)?;
    let mut driver = Driver {
        app: app.clone(),
        options: options.clone(),
        client: Client(Some(consumer)),
        workers: Workers::default(),
        tasks: JoinSet::new(),
        events,
        stop,
        stopping: false,
        counts,
        ends: BTreeMap::new(),
        progress: BTreeMap::new(),
        reporting: JoinSet::new(),
        paused: false,
    };
    let ended = driver.run().await;
    let counts = *driver.counts.borrow();
    driver.report().await;
    driver.client.leave().await;
    ended.map(|()| counts)
}

impl Driver {
    async fn run(&mut self) -> Result<(), ConsumeError> {
        let mut times = interval(REPORT_INTERVAL);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !(self.stopping && self.workers.is_idle()) {
            match self.step(&mut times).await {
                Step::Stop => self.stopping = true,
                Step::Event(event) => self.handle_event(event)?,
                Step::Done(done) => {
                    let (batch, outcomes) = done.map_err(|error| ConsumeError::Broken(error.to_string()))?;
                    self.finish(batch, &outcomes);
                }
                Step::Report => self.report_in_background(),
                Step::Message(raw_message, partition, offset) => {
                    self.accept(raw_message, partition, offset)?
                }
                Step::Failed(error) => match ConsumeError::between_messages(&error) {
                    Some(error) => return Err(error),
                    None => self.warn(&error),
                },
                Step::Nothing => {}
            }
            if self.stopping {
                self.workers.stop();
            }
            self.start_batches();
            self.pause_or_resume();
        }
        Ok(())
    }

    /// Waits for the next event.
    async fn step(&mut self, times: &mut Interval) -> Step {
        let Some(consumer) = self.client.0.as_ref() else { return Step::Stop };
        tokio::select! {
            biased;
            // A dropped sender also means stop.
            _ = self.stop.wait_for(|stop| *stop), if !self.stopping => Step::Stop,
            // This needs its own branch: receiving a message runs the callbacks, but returns nothing for them.
            Some(event) = self.events.recv() => Step::Event(event),
            Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => Step::Done(done),
            _ = times.tick() => Step::Report,
            Some(_) = self.reporting.join_next(), if !self.reporting.is_empty() => Step::Nothing,
            received = timeout(POLL_TIMEOUT, consumer.recv()) => match received {
                Err(_) => Step::Nothing,
                Ok(Ok(message)) => Step::Message(raw_message(&message), message.partition(), message.offset()),
                Ok(Err(error)) => Step::Failed(error),
            },
        }
    }

    /// Accepts a message.
    fn accept(&mut self, raw_message: RawMessage, partition: i32, offset: i64) -> Result<(), ConsumeError> {
        // The event with the message's assignment may still be queued.
        while let Ok(event) = self.events.try_recv() {
            self.handle_event(event)?;
        }
        self.workers.add(partition, offset, raw_message);
        Ok(())
    }

    /// Logs a temporary problem.
    fn warn(&self, error: &KafkaError) {
        if let Some(consumer) = self.consumer() {
            consumer.context().warn(error, "nothing was received");
        }
    }

    fn consumer(&self) -> Option<&StreamConsumer<Context>> {
        self.client.0.as_ref()
    }

    fn handle_event(&mut self, event: Event) -> Result<(), ConsumeError> {
        match event {
            Event::Recreated(error) => return Err(error),
            Event::Assigned(partitions) => {
                tracing::info!(?partitions, topic = self.options.topic, "partitions were assigned");
                self.workers.assign(&partitions);
                // A partition stays paused across assignments.
                self.set_paused(false);
            }
            Event::Revoked(partitions) => {
                tracing::info!(?partitions, topic = self.options.topic, "partitions were revoked");
                self.workers.revoke(&partitions);
                self.progress.retain(|partition, _| !partitions.contains(partition));
            }
            Event::Ends(ends) => {
                self.ends = ends;
                self.check_ends()?;
            }
        }
        self.update_counts(|_| ());
        Ok(())
    }

    /// Asks the broker for the end of a partition that seems to end before the committed offset: the client's
    /// information may be older than the assignment.
    fn check_ends(&self) -> Result<(), ConsumeError> {
        let Some(consumer) = self.consumer() else { return Ok(()) };
        let of_ours = self.workers.finished().map(|(partition, _)| partition);
        let ends = of_ours.filter_map(|partition| Some((partition, *self.ends.get(&partition)?)));
        for (partition, End { committed, .. }) in ends.filter(|(_, end)| end.is_before_committed()) {
            if let Some(error) = consumer.context().check_recreated(consumer, partition, committed) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Passes waiting messages to tasks.
    fn start_batches(&mut self) {
        while let Some(batch) = self.workers.next(MAX_RUNNING) {
            self.tasks.spawn(ingest(self.app.clone(), batch, self.stop.clone()));
        }
    }

    /// Counts the outcomes of a batch, and stores how far its partition is finished.
    fn finish(&mut self, batch: Batch, outcomes: &[Option<Outcome>]) {
        let finished: Vec<bool> = outcomes.iter().map(Option::is_some).collect();
        let ignored = batch.ignored().into_iter().zip(&finished).filter(|(_, finished)| **finished);
        let ignored: usize = ignored.map(|(fields, _)| fields).sum();
        if let Some((partition, offset)) = self.workers.done(batch, &finished) {
            let Options { topic, group, .. } = &self.options;
            let stored = self.consumer().map(|consumer| consumer.store_offset(topic, partition, offset));
            if let Some(Err(error)) = stored {
                // The partition was just assigned to another consumer, which starts before this offset.
                tracing::debug!(%error, partition, offset, "an offset was not stored");
            }
            let (group, topic) = (group.clone(), topic.clone());
            let at = self.app.clock.now();
            self.progress.insert(partition, Progress { group, topic, partition, offset, lag: None, at });
        }
        self.update_counts(|counts| {
            counts.ignored += ignored as u64;
            for outcome in outcomes {
                *match outcome {
                    Some(Outcome::Applied(_)) => &mut counts.applied,
                    Some(Outcome::Duplicate) => &mut counts.duplicates,
                    Some(Outcome::DeadLetter(_)) => &mut counts.dead_letters,
                    None => &mut counts.again,
                } += 1;
            }
        });
    }

    fn update_counts(&self, change: impl FnOnce(&mut ConsumerProgress)) {
        let finished: Vec<_> = self.workers.finished().collect();
        let lags = finished.iter().map(|(partition, last)| self.lag(*partition, *last));
        let lag = lags.sum::<Option<i64>>().filter(|_| !finished.is_empty());
        self.counts.send_modify(|counts| {
            change(counts);
            counts.partitions = finished.len();
            counts.lag = lag.and_then(|lag| u64::try_from(lag).ok());
        });
    }

    /// Returns the number of unfinished messages of a partition, if known.
    fn lag(&self, partition: i32, last: Option<i64>) -> Option<i64> {
        let End { end, committed } = self.ends.get(&partition).copied().filter(|end| end.end >= 0)?;
        let next = last.map(|last| last + 1).or(Some(committed).filter(|committed| *committed >= 0));
        // The end offset is slightly old, and more may be finished since.
        Some(end.saturating_sub(next?).max(0))
    }

    /// Requests no more messages while too many are in progress. The client is still polled, because otherwise the
    /// group would consider this consumer dead.
    fn pause_or_resume(&mut self) {
        let (messages, bytes) = self.workers.load();
        if !self.paused && (messages > MAX_MESSAGES || bytes > MAX_BYTES) {
            self.set_paused(true);
        } else if self.paused && messages < MAX_MESSAGES / 2 && bytes < MAX_BYTES / 2 {
            self.set_paused(false);
        }
    }

    fn set_paused(&mut self, paused: bool) {
        let Some(consumer) = self.consumer() else { return };
        let set = consumer
            .assignment()
            .and_then(|all| if paused { consumer.pause(&all) } else { consumer.resume(&all) });
        match set {
            Ok(()) => self.paused = paused,
            Err(error) => tracing::debug!(%error, paused, "cannot pause or resume the partitions"),
        }
    }

    /// Returns how far each partition is finished.
    fn progress(&self) -> Vec<Progress> {
        let lag = |one: &Progress| self.lag(one.partition, Some(one.offset));
        self.progress.values().map(|one| Progress { lag: lag(one), ..one.clone() }).collect()
    }

    /// Reports the progress in the background, unless a report is still running.
    fn report_in_background(&mut self) {
        let progress = self.progress();
        if self.reporting.is_empty() && !progress.is_empty() {
            let app = self.app.clone();
            self.reporting.spawn(async move { report(&app, &progress).await });
        }
    }

    /// Reports the progress at the end.
    async fn report(&mut self) {
        self.reporting.shutdown().await;
        let progress = self.progress();
        report(&self.app, &progress).await;
    }
}

async fn report(app: &App, progress: &[Progress]) {
    if let Err(error) = app.inventory().report_progress(progress).await {
        tracing::warn!(%error, "cannot report the progress of this consumer");
    }
}

enum Step {
    Stop,
    Event(Event),
    Done(Result<Done, tokio::task::JoinError>),
    Report,
    Message(RawMessage, i32, i64),
    Failed(KafkaError),
    Nothing,
}

/// Copies a message out of the client. A message without a value becomes an empty one, and then a dead letter.
fn raw_message(message: &BorrowedMessage<'_>) -> RawMessage {
    let source = Source::kafka(message.topic(), message.partition(), message.offset());
    RawMessage { source, bytes: message.payload().unwrap_or_default().to_vec() }
}

/// Ingests messages. After a failure it waits, unless the consumer is stopping.
async fn ingest(app: App, batch: Batch, mut stop: watch::Receiver<bool>) -> Done {
    let outcomes = app.inventory().ingest(&batch.messages()).await;
    if outcomes.iter().any(Option::is_none) {
        let delay = FIRST_DELAY.saturating_mul(1 << batch.failures.min(6)).min(MAX_DELAY);
        tokio::select! {
            () = sleep(delay) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
    (batch, outcomes)
}
