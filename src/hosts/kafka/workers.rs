//! The waiting and running messages, and the finished offset of each partition. Pure.
//!
//! Invariants:
//! - Messages of one product in one partition are handed out in order, and only one batch of them at a time.
//! - A partition is reported as finished only up to the first unfinished message.
//! - A batch of an earlier assignment does not affect the current one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::inventory::domain::Sku;
use crate::inventory::ingest::RawMessage;

/// The largest batch: as many messages as fit into one transaction.
const MAX_BATCH: usize = 30;

/// The unit of ordering: the messages of one product in one partition. An invalid message has its own worker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Worker {
    Product(i32, Sku),
    Invalid(i32, i64),
}

impl Worker {
    /// Returns the worker of a message, and the number of unknown fields in the message.
    fn of(partition: i32, offset: i64, message: &RawMessage) -> (Self, usize) {
        match message.read() {
            Ok(delivery) => (Self::Product(partition, delivery.message.sku), delivery.ignored),
            Err(_) => (Self::Invalid(partition, offset), 0),
        }
    }

    fn partition(&self) -> i32 {
        match self {
            Self::Product(partition, _) | Self::Invalid(partition, _) => *partition,
        }
    }
}

/// A message in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    offset: i64,
    /// The assignment of its partition that it belongs to.
    epoch: u64,
    message: RawMessage,
    /// The number of its unknown fields.
    ignored: usize,
}

/// Consecutive messages of one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    worker: Worker,
    jobs: Vec<Job>,
    /// How often it has failed.
    pub failures: u32,
}

impl Batch {
    /// Returns the number of unknown fields of each message.
    pub fn ignored(&self) -> Vec<usize> {
        self.jobs.iter().map(|job| job.ignored).collect()
    }

    /// Returns the messages, in order.
    pub fn messages(&self) -> Vec<RawMessage> {
        self.jobs.iter().map(|job| job.message.clone()).collect()
    }
}

/// The progress of one assignment of a partition.
#[derive(Debug, Default)]
struct Track {
    epoch: u64,
    /// The offsets that are not reported as finished yet, and whether they are finished.
    open: BTreeMap<i64, bool>,
    last: Option<i64>,
}

impl Track {
    /// Marks an offset as finished. Returns the last offset before the first unfinished one, if it has advanced.
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

/// All workers of one consumer.
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
    /// Adds assigned partitions.
    pub fn assign(&mut self, partitions: &[i32]) {
        self.epoch += 1;
        for partition in partitions {
            self.tracks.insert(*partition, Track { epoch: self.epoch, ..Track::default() });
        }
    }

    /// Removes revoked partitions, with their waiting messages.
    pub fn revoke(&mut self, partitions: &[i32]) {
        for partition in partitions {
            self.tracks.remove(partition);
        }
        self.drop_waiting(|worker| partitions.contains(&worker.partition()));
    }

    /// Drops all waiting messages. Running ones are still reported.
    pub fn stop(&mut self) {
        self.drop_waiting(|_| true);
    }

    fn drop_waiting(&mut self, which: impl Fn(&Worker) -> bool) {
        let (dropped, kept) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(worker, _)| which(worker));
        self.waiting = kept;
        self.ready.retain(|worker| !which(worker));
        self.failures.retain(|worker, _| !which(worker));
        let dropped: BTreeMap<Worker, VecDeque<Job>> = dropped;
        dropped.values().flatten().for_each(|job| self.subtract(job));
    }

    fn subtract(&mut self, job: &Job) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(job.message.bytes.len());
    }

    /// Adds a message. Ignores a message of a partition that is no longer assigned.
    pub fn add(&mut self, partition: i32, offset: i64, message: RawMessage) {
        let Some(track) = self.tracks.get_mut(&partition) else { return };
        if track.open.contains_key(&offset) {
            return;
        }
        track.open.insert(offset, false);
        let epoch = track.epoch;
        self.messages += 1;
        self.bytes += message.bytes.len();
        let (worker, ignored) = Worker::of(partition, offset, &message);
        let waiting = self.waiting.entry(worker.clone()).or_default();
        waiting.push_back(Job { offset, epoch, message, ignored });
        if waiting.len() == 1 && !self.busy.contains(&worker) {
            self.ready.push_back(worker);
        }
    }

    /// Returns the next batch, if fewer than `max` workers are running.
    pub fn next(&mut self, max: usize) -> Option<Batch> {
        if self.busy.len() >= max {
            return None;
        }
        let worker = self.ready.pop_front()?;
        let waiting = self.waiting.get_mut(&worker)?;
        let jobs: Vec<Job> = waiting.drain(..waiting.len().min(MAX_BATCH)).collect();
        if waiting.is_empty() {
            self.waiting.remove(&worker);
        }
        self.busy.insert(worker.clone());
        let failures = self.failures.get(&worker).copied().unwrap_or_default();
        Some(Batch { worker, jobs, failures })
    }

    /// Completes a batch; `finished` says which of its messages are finished. The others come first in the worker's
    /// next batch. Returns the offset up to which the partition is finished, if it has advanced.
    pub fn done(&mut self, batch: Batch, finished: &[bool]) -> Option<(i32, i64)> {
        let Batch { worker, jobs, failures } = batch;
        self.busy.remove(&worker);
        let (mut last, mut unfinished, partition) = (None, Vec::new(), worker.partition());
        for (place, job) in jobs.into_iter().enumerate() {
            let track = self.tracks.get_mut(&partition).filter(|track| track.epoch == job.epoch);
            match track {
                Some(track) if finished.get(place) == Some(&true) => {
                    last = track.finish(job.offset).or(last);
                    self.subtract(&job);
                }
                Some(_) => unfinished.push(job),
                None => self.subtract(&job),
            }
        }
        if unfinished.is_empty() {
            self.failures.remove(&worker);
        } else {
            self.failures.insert(worker.clone(), failures.saturating_add(1));
        }
        if !unfinished.is_empty() || self.waiting.contains_key(&worker) {
            let waiting = self.waiting.entry(worker.clone()).or_default();
            unfinished.into_iter().rev().for_each(|job| waiting.push_front(job));
            self.ready.push_back(worker);
        }
        last.map(|last| (partition, last))
    }

    /// Returns whether no batch is running.
    pub fn is_idle(&self) -> bool {
        self.busy.is_empty()
    }

    /// Returns the number of waiting and running messages, and of their bytes.
    pub fn load(&self) -> (usize, usize) {
        (self.messages, self.bytes)
    }

    /// Returns the assigned partitions, each with the last offset before its first unfinished one.
    pub fn finished(&self) -> impl Iterator<Item = (i32, Option<i64>)> {
        self.tracks.iter().map(|(partition, track)| (*partition, track.last))
    }
}

#[cfg(test)]
mod tests;
