//! What waits, what is being worked on, and how far each partition is finished. Pure.
//!
//! What always holds: messages of one product of one partition are handed out in their order, and not two parts of them at
//! once; what is finished of a partition is told only up to the first message that is not; what ends late, of an
//! assignment that is over, tells nothing of the next one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::inventory::domain::Sku;
use crate::inventory::ingest::RawMessage;

/// The most messages that are handed out in one go: as many as one transaction holds.
const MOST_IN_ONE: usize = 30;

/// What must be in order: the messages of one product in one partition. What is no message is alone in its lane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Worker {
    Product(i32, Sku),
    Flawed(i32, i64),
}

impl Worker {
    /// The lane of a message, with how many of its fields nothing here knows.
    fn of(partition: i32, offset: i64, arrival: &RawMessage) -> (Self, usize) {
        match arrival.read() {
            Ok(delivery) => (Self::Product(partition, delivery.message.sku), delivery.ignored),
            Err(_) => (Self::Flawed(partition, offset), 0),
        }
    }

    fn partition(&self) -> i32 {
        match self {
            Self::Product(partition, _) | Self::Flawed(partition, _) => *partition,
        }
    }
}

/// One message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    offset: i64,
    /// Of which assignment of its partition.
    epoch: u64,
    arrival: RawMessage,
    /// How many of its fields nothing here knows.
    ignored: usize,
}

/// Consecutive messages of one lane, to be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    worker: Worker,
    jobs: Vec<Job>,
    /// How often it was tried in vain.
    pub failures: u32,
}

impl Batch {
    /// How many fields of each message nothing here knows.
    pub fn ignored(&self) -> Vec<usize> {
        self.jobs.iter().map(|job| job.ignored).collect()
    }

    /// The messages, in order.
    pub fn arrivals(&self) -> Vec<RawMessage> {
        self.jobs.iter().map(|job| job.arrival.clone()).collect()
    }
}

/// How far one assignment of a partition has come.
#[derive(Debug, Default)]
struct Track {
    epoch: u64,
    /// The offsets that were handed in and are not told as finished, with whether they are finished.
    open: BTreeMap<i64, bool>,
    last: Option<i64>,
}

impl Track {
    /// The last offset before the first unfinished one, if it is further than before.
    fn finish(&mut self, offset: i64) -> Option<i64> {
        if let Some(finished) = self.open.get_mut(&offset) {
            *finished = true;
        }
        let mut last = None;
        while let Some(first) = self.open.first_entry().filter(|first| *first.get()) {
            last = Some(*first.key());
            first.remove();
        }
        self.last = last.or(self.last);
        last
    }
}

/// All lanes of one consumer.
#[derive(Debug, Default)]
pub(super) struct Workers {
    epoch: u64,
    tracks: BTreeMap<i32, Track>,
    waiting: BTreeMap<Worker, VecDeque<Job>>,
    failures: BTreeMap<Worker, u32>,
    ready: VecDeque<Worker>,
    busy: BTreeSet<Worker>,
    messages: usize,
    bytes: usize,
}

impl Workers {
    /// Partitions came to this consumer.
    pub fn assign(&mut self, partitions: &[i32]) {
        self.epoch += 1;
        for partition in partitions {
            self.tracks.insert(*partition, Track { epoch: self.epoch, ..Track::default() });
        }
    }

    /// Partitions went to another consumer, with what waits of them.
    pub fn revoke(&mut self, partitions: &[i32]) {
        for partition in partitions {
            self.tracks.remove(partition);
        }
        self.forget(|worker| partitions.contains(&worker.partition()));
    }

    /// Nothing more is begun; what runs is still told.
    pub fn stop(&mut self) {
        self.forget(|_| true);
    }

    fn forget(&mut self, which: impl Fn(&Worker) -> bool) {
        let (gone, kept) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(worker, _)| which(worker));
        self.waiting = kept;
        self.ready.retain(|worker| !which(worker));
        self.failures.retain(|worker, _| !which(worker));
        let gone: BTreeMap<Worker, VecDeque<Job>> = gone;
        gone.values().flatten().for_each(|job| self.less(job));
    }

    fn less(&mut self, job: &Job) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(job.arrival.bytes.len());
    }

    /// A message came. One of a partition that is another's by now is left to it.
    pub fn add(&mut self, partition: i32, offset: i64, arrival: RawMessage) {
        let Some(track) = self.tracks.get_mut(&partition) else { return };
        if track.open.contains_key(&offset) {
            return;
        }
        track.open.insert(offset, false);
        let epoch = track.epoch;
        self.messages += 1;
        self.bytes += arrival.bytes.len();
        let (worker, ignored) = Worker::of(partition, offset, &arrival);
        let waiting = self.waiting.entry(worker.clone()).or_default();
        waiting.push_back(Job { offset, epoch, arrival, ignored });
        if waiting.len() == 1 && !self.busy.contains(&worker) {
            self.ready.push_back(worker);
        }
    }

    /// What is to be worked on next, if no more than `most` lanes are at work.
    pub fn next(&mut self, most: usize) -> Option<Batch> {
        if self.busy.len() >= most {
            return None;
        }
        let worker = self.ready.pop_front()?;
        let waiting = self.waiting.get_mut(&worker)?;
        let jobs: Vec<Job> = waiting.drain(..waiting.len().min(MOST_IN_ONE)).collect();
        if waiting.is_empty() {
            self.waiting.remove(&worker);
        }
        self.busy.insert(worker.clone());
        let failures = self.failures.get(&worker).copied().unwrap_or_default();
        Some(Batch { worker, jobs, failures })
    }

    /// A batch was worked on; `finished` says of each of its messages whether it is finished. The others come first when
    /// their lane is worked on again. Gives back the offset up to which the partition is finished, if that is further.
    pub fn done(&mut self, batch: Batch, finished: &[bool]) -> Option<(i32, i64)> {
        let Batch { worker, jobs, failures } = batch;
        self.busy.remove(&worker);
        let (mut last, mut again, partition) = (None, Vec::new(), worker.partition());
        for (place, job) in jobs.into_iter().enumerate() {
            let track = self.tracks.get_mut(&partition).filter(|track| track.epoch == job.epoch);
            match track {
                Some(track) if finished.get(place) == Some(&true) => {
                    last = track.finish(job.offset).or(last);
                    self.less(&job);
                }
                Some(_) => again.push(job),
                None => self.less(&job),
            }
        }
        if again.is_empty() {
            self.failures.remove(&worker);
        } else {
            self.failures.insert(worker.clone(), failures.saturating_add(1));
        }
        if !again.is_empty() || self.waiting.contains_key(&worker) {
            let waiting = self.waiting.entry(worker.clone()).or_default();
            again.into_iter().rev().for_each(|job| waiting.push_front(job));
            self.ready.push_back(worker);
        }
        last.map(|last| (partition, last))
    }

    /// Whether nothing is being worked on.
    pub fn is_idle(&self) -> bool {
        self.busy.is_empty()
    }

    /// How many messages, and bytes in them, wait or are being worked on.
    pub fn load(&self) -> (usize, usize) {
        (self.messages, self.bytes)
    }

    /// The partitions of this consumer, each with the last offset before its first unfinished one, if there is one.
    pub fn finished(&self) -> impl Iterator<Item = (i32, Option<i64>)> {
        self.tracks.iter().map(|(partition, track)| (*partition, track.last))
    }
}

#[cfg(test)]
mod tests;
