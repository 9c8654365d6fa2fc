//! The one task that owns the consumer and all that is remembered of its partitions. Workers are given messages and give back
//! what came of them; librdkafka's callbacks only send. Nothing is locked.

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
use super::{ConsumeError, Options, Tally};
use crate::app::App;
use crate::inventory::domain::{Outcome, Source};
use crate::inventory::health::Progress;
use crate::inventory::ingest::RawMessage;

/// The lanes that are worked on at the same time.
const AT_WORK: usize = 8;
/// With so many messages, or bytes in them, in hand no more are asked for until half of them are finished.
const MOST_MESSAGES: usize = 2_000;
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Where the store fails: the first pause, which doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// A wake-up of the client may be lost, so it is asked this often.
const ASKED: Duration = Duration::from_secs(1);
/// How often the health of the consumer is told.
const TOLD: Duration = Duration::from_secs(5);
/// The longest wait for leaving the group: a broker that is gone is not waited for.
const LEAVING: Duration = Duration::from_secs(10);

/// The consumer. However it ends, it leaves its group in a thread of its own, for that may take long and must not block
/// others.
struct Client(Option<StreamConsumer<Context>>);

impl Client {
    /// Leaves the group, with what is finished committed.
    async fn leave(mut self) {
        let (done, left) = oneshot::channel();
        let consumer = self.0.take();
        thread::spawn(move || {
            drop(consumer);
            let _ = done.send(());
        });
        if timeout(LEAVING, left).await.is_err() {
            tracing::warn!(
                "the brokers did not answer; the group notices by itself that this consumer is gone"
            );
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

/// A batch with what came of it.
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
    tally: watch::Sender<Tally>,
    ends: BTreeMap<i32, End>,
    progress: BTreeMap<i32, Progress>,
    telling: JoinSet<()>,
    paused: bool,
}

/// Consumes the topic until `stop` says so, and then finishes what runs and leaves the group. `tally` is told what was done.
///
/// # Errors
/// [`ConsumeError`]: a wrong setting, messages that cannot be read, a client that cannot go on. Whatever was finished is
/// committed all the same.
pub async fn consume(
    app: &App,
    options: &Options,
    stop: watch::Receiver<bool>,
    tally: watch::Sender<Tally>,
) -> Result<Tally, ConsumeError> {
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
        tally,
        ends: BTreeMap::new(),
        progress: BTreeMap::new(),
        telling: JoinSet::new(),
        paused: false,
    };
    let ended = driver.run().await;
    let tally = *driver.tally.borrow();
    driver.tell().await;
    driver.client.leave().await;
    ended.map(|()| tally)
}

impl Driver {
    async fn run(&mut self) -> Result<(), ConsumeError> {
        let mut times = interval(TOLD);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !(self.stopping && self.workers.is_idle()) {
            match self.step(&mut times).await {
                Step::Stop => self.stopping = true,
                Step::Event(event) => self.hear(event)?,
                Step::Done(done) => {
                    let (batch, outcomes) = done.map_err(|error| ConsumeError::Broken(error.to_string()))?;
                    self.finish(batch, &outcomes);
                }
                Step::Tell => self.tell_beside(),
                Step::Message(arrival, partition, offset) => self.take(arrival, partition, offset)?,
                Step::Failed(error) => match ConsumeError::between_messages(&error) {
                    Some(error) => return Err(error),
                    None => self.warn(&error),
                },
                Step::Nothing => {}
            }
            if self.stopping {
                self.workers.stop();
            }
            self.hand_out();
            self.pause_or_resume();
        }
        Ok(())
    }

    /// The next thing that happens.
    async fn step(&mut self, times: &mut Interval) -> Step {
        let Some(consumer) = self.client.0.as_ref() else { return Step::Stop };
        tokio::select! {
            biased;
            // A sender that is gone means the same.
            _ = self.stop.wait_for(|stop| *stop), if !self.stopping => Step::Stop,
            // A branch of its own: whoever receives runs the callbacks, and gets nothing for them.
            Some(event) = self.events.recv() => Step::Event(event),
            Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => Step::Done(done),
            _ = times.tick() => Step::Tell,
            Some(_) = self.telling.join_next(), if !self.telling.is_empty() => Step::Nothing,
            received = timeout(ASKED, consumer.recv()) => match received {
                Err(_) => Step::Nothing,
                Ok(Ok(message)) => Step::Message(arrival(&message), message.partition(), message.offset()),
                Ok(Err(error)) => Step::Failed(error),
            },
        }
    }

    /// A message came.
    fn take(&mut self, arrival: RawMessage, partition: i32, offset: i64) -> Result<(), ConsumeError> {
        // It may be of an assignment that is told only now.
        while let Ok(event) = self.events.try_recv() {
            self.hear(event)?;
        }
        self.workers.add(partition, offset, arrival);
        Ok(())
    }

    /// Names what waiting mends.
    fn warn(&self, error: &KafkaError) {
        if let Some(consumer) = self.consumer() {
            consumer.context().warn(error, "nothing was received");
        }
    }

    fn consumer(&self) -> Option<&StreamConsumer<Context>> {
        self.client.0.as_ref()
    }

    fn hear(&mut self, event: Event) -> Result<(), ConsumeError> {
        match event {
            Event::Recreated(error) => return Err(error),
            Event::Assigned(partitions) => {
                tracing::info!(?partitions, topic = self.options.topic, "partitions came to this consumer");
                self.workers.assign(&partitions);
                // A partition stays paused across assignments.
                self.set_paused(false);
            }
            Event::Revoked(partitions) => {
                tracing::info!(?partitions, topic = self.options.topic, "partitions go to others");
                self.workers.revoke(&partitions);
                self.progress.retain(|partition, _| !partitions.contains(partition));
            }
            Event::Ends(ends) => {
                self.ends = ends;
                self.check_ends()?;
            }
        }
        self.count(|_| ());
        Ok(())
    }

    /// Asks the broker where a partition ends that seems to end before what is committed: what the client last heard may
    /// be of an assignment before.
    fn check_ends(&self) -> Result<(), ConsumeError> {
        let Some(consumer) = self.consumer() else { return Ok(()) };
        let of_ours = self.workers.finished().map(|(partition, _)| partition);
        let ends = of_ours.filter_map(|partition| Some((partition, *self.ends.get(&partition)?)));
        for (partition, End { committed, .. }) in ends.filter(|(_, end)| end.is_before_committed()) {
            if let Some(error) = consumer.context().recreated(consumer, partition, committed) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Gives waiting messages to tasks.
    fn hand_out(&mut self) {
        while let Some(batch) = self.workers.next(AT_WORK) {
            self.tasks.spawn(work(self.app.clone(), batch, self.stop.clone()));
        }
    }

    /// Counts what came of a batch, and stores how far its partition is finished.
    fn finish(&mut self, batch: Batch, outcomes: &[Option<Outcome>]) {
        let finished: Vec<bool> = outcomes.iter().map(Option::is_some).collect();
        let ignored = batch.ignored().into_iter().zip(&finished).filter(|(_, finished)| **finished);
        let ignored: usize = ignored.map(|(fields, _)| fields).sum();
        if let Some((partition, offset)) = self.workers.done(batch, &finished) {
            let Options { topic, group, .. } = &self.options;
            let stored = self.consumer().map(|consumer| consumer.store_offset(topic, partition, offset));
            if let Some(Err(error)) = stored {
                // It went to another consumer a moment ago, which begins before it.
                tracing::debug!(%error, partition, offset, "an offset was not stored");
            }
            let (group, topic) = (group.clone(), topic.clone());
            let at = self.app.clock.now();
            self.progress.insert(partition, Progress { group, topic, partition, offset, lag: None, at });
        }
        self.count(|tally| {
            tally.ignored += ignored as u64;
            for outcome in outcomes {
                *match outcome {
                    Some(Outcome::Applied(_)) => &mut tally.applied,
                    Some(Outcome::Duplicate) => &mut tally.duplicates,
                    Some(Outcome::Parked(_)) => &mut tally.parked,
                    None => &mut tally.again,
                } += 1;
            }
        });
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        let finished: Vec<_> = self.workers.finished().collect();
        let lags = finished.iter().map(|(partition, last)| self.lag(*partition, *last));
        let lag = lags.sum::<Option<i64>>().filter(|_| !finished.is_empty());
        self.tally.send_modify(|tally| {
            change(tally);
            tally.partitions = finished.len();
            tally.lag = lag.and_then(|lag| u64::try_from(lag).ok());
        });
    }

    /// How many messages of a partition are not finished, where that is known.
    fn lag(&self, partition: i32, last: Option<i64>) -> Option<i64> {
        let End { end, committed } = self.ends.get(&partition).copied().filter(|end| end.end >= 0)?;
        let next = last.map(|last| last + 1).or(Some(committed).filter(|committed| *committed >= 0));
        // The end was told a moment ago, and more may be finished since.
        Some(end.saturating_sub(next?).max(0))
    }

    /// Asks for no more messages while too much is in hand. The client is asked all the same, or the group would take this
    /// consumer for dead.
    fn pause_or_resume(&mut self) {
        let (messages, bytes) = self.workers.load();
        if !self.paused && (messages > MOST_MESSAGES || bytes > MOST_BYTES) {
            self.set_paused(true);
        } else if self.paused && messages < MOST_MESSAGES / 2 && bytes < MOST_BYTES / 2 {
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
            Err(error) => tracing::debug!(%error, paused, "the flow of messages was not changed"),
        }
    }

    /// How far each partition is finished.
    fn progress(&self) -> Vec<Progress> {
        let lag = |one: &Progress| self.lag(one.partition, Some(one.offset));
        self.progress.values().map(|one| Progress { lag: lag(one), ..one.clone() }).collect()
    }

    /// Tells the health of the consumer beside its work, unless that still goes on.
    fn tell_beside(&mut self) {
        let progress = self.progress();
        if self.telling.is_empty() && !progress.is_empty() {
            let app = self.app.clone();
            self.telling.spawn(async move { tell(&app, &progress).await });
        }
    }

    /// Tells the health of the consumer at its end.
    async fn tell(&mut self) {
        self.telling.shutdown().await;
        let progress = self.progress();
        tell(&self.app, &progress).await;
    }
}

async fn tell(app: &App, progress: &[Progress]) {
    if let Err(error) = app.inventory().report_progress(progress).await {
        tracing::warn!(%error, "how far this consumer has come could not be told");
    }
}

enum Step {
    Stop,
    Event(Event),
    Done(Result<Done, tokio::task::JoinError>),
    Tell,
    Message(RawMessage, i32, i64),
    Failed(KafkaError),
    Nothing,
}

/// A message, copied out of the client. One without a value is kept as empty, and parked.
fn arrival(message: &BorrowedMessage<'_>) -> RawMessage {
    let source = Source::kafka(message.topic(), message.partition(), message.offset());
    RawMessage { source, bytes: message.payload().unwrap_or_default().to_vec() }
}

/// Takes messages in. After a failure it pauses, unless all is to end.
async fn work(app: App, batch: Batch, mut stop: watch::Receiver<bool>) -> Done {
    let outcomes = app.inventory().ingest(&batch.arrivals()).await;
    if outcomes.iter().any(Option::is_none) {
        let pause = FIRST_PAUSE.saturating_mul(1 << batch.failures.min(6)).min(LAST_PAUSE);
        tokio::select! {
            () = sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
    (batch, outcomes)
}
