//! What librdkafka's callbacks do: they send to the driver, look at what was assigned, and write the log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::mpsc;

use super::notices::Notices;
use super::{ConsumeError, Options};

/// How long a callback waits for a broker that it asks something.
const ANSWER: Duration = Duration::from_secs(5);

/// What the client tells between messages.
pub(super) enum Event {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    Ends(BTreeMap<i32, End>),
    Recreated(ConsumeError),
}

/// Where a partition ends, and how far its group had come when that was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) end: i64,
    pub(super) committed: i64,
}

impl End {
    /// Whether the group has finished more than there seems to be. Numbers below zero are unknown.
    pub(super) fn is_before_committed(&self) -> bool {
        self.end >= 0 && self.committed > self.end
    }
}

/// The driver's side of the callbacks.
pub(super) struct Context {
    topic: String,
    group: String,
    events: mpsc::UnboundedSender<Event>,
    notices: Mutex<Notices>,
}

impl Context {
    pub(super) fn new(options: &Options, events: mpsc::UnboundedSender<Event>) -> Self {
        let Options { topic, group, .. } = options.clone();
        Self { topic, group, events, notices: Mutex::default() }
    }

    fn send(&self, event: Event) {
        // Nobody hears any more when the consumer is being dropped.
        let _ = self.events.send(event);
    }

    /// Names what waiting mends: each broker that cannot be reached, and each other kind of trouble, at once and then once
    /// a minute.
    pub(super) fn warn(&self, error: &KafkaError, words: &str) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if is_unreachable(error) {
            let hidden = broker_in(words).and_then(|broker| notices.admit(broker, Instant::now()));
            return match hidden {
                Some(hidden) => tracing::warn!(
                    hidden,
                    "a broker cannot be reached ({words}); it is tried again, and named again in a minute"
                ),
                // Where several are down, each of them is named.
                None => tracing::debug!(%error, "{words}"),
            };
        }
        match notices.admit(&error.to_string(), Instant::now()) {
            Some(hidden) => tracing::warn!(%error, hidden, "{words}; it is tried again"),
            None => tracing::debug!(%error, "{words}"),
        }
    }

    /// Asks where a partition ends of which the group has finished this much; what is wrong if it ends before.
    pub(super) fn recreated<C: ConsumerContext>(
        &self,
        consumer: &impl Consumer<C>,
        partition: i32,
        committed: i64,
    ) -> Option<ConsumeError> {
        match consumer.fetch_watermarks(&self.topic, partition, ANSWER) {
            Ok((_, end)) if end < committed => {
                let (topic, group) = (self.topic.clone(), self.group.clone());
                Some(ConsumeError::Recreated { topic, group, partition, committed, end })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, partition, "the broker did not say where the partition ends");
                None
            }
        }
    }

    /// Looks whether what came to this consumer is shorter than what its group has finished, before anything of it is
    /// fetched: librdkafka would begin it anew, and messages without an id would be taken for those before them.
    fn look_at(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let committed = match consumer.committed_offsets(list.clone(), ANSWER) {
            Ok(committed) => committed,
            Err(error) => return tracing::debug!(%error, "the broker did not say what is committed"),
        };
        for element in committed.elements() {
            if let Offset::Offset(offset) = element.offset()
                && offset > 0
                && let Some(error) = self.recreated(consumer, element.partition(), offset)
            {
                self.send(Event::Recreated(error));
            }
        }
    }
}

/// Whether an error says that brokers cannot be reached.
fn is_unreachable(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(code, Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve)
    })
}

/// The broker that words of librdkafka begin with: `localhost:9092/bootstrap: Connect to … failed`.
fn broker_in(words: &str) -> Option<&str> {
    let (before, _) = words.split_once(": ")?;
    let broker = before.split('/').next()?;
    broker.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map(|_| broker)
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        match (level, facility) {
            // The error callback has these as well.
            (_, "FAIL" | "ERROR") => tracing::debug!(facility, "{words}"),
            (RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug, _) => {
                tracing::debug!(facility, "{words}");
            }
            _ => {
                let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
                match notices.admit(facility, Instant::now()) {
                    Some(hidden) => tracing::warn!(facility, hidden, "{words}"),
                    None => tracing::debug!(facility, "{words}"),
                }
            }
        }
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let ends = topic.partitions.values().filter(|partition| partition.partition >= 0);
        let end = |end: i64, committed: i64| End { end, committed };
        self.send(Event::Ends(ends.map(|p| (p.partition, end(p.hi_offset, p.committed_offset))).collect()));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.warn(&error, reason);
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(|element| element.partition()).collect()
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                self.look_at(consumer, list);
                self.send(Event::Assigned(partitions(list)));
            }
            Rebalance::Revoke(list) => self.send(Event::Revoked(partitions(list))),
            Rebalance::Error(error) => self.warn(error, "the group could not share the partitions"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        // What is not committed now is committed with what is finished next, or comes again and counts once.
        if let Err(error) = result {
            tracing::debug!(%error, "offsets were not committed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_ends_before_what_is_committed_is_noticed_where_both_are_known() {
        for (end, committed, is) in
            [(3, 50, true), (50, 50, false), (50, 3, false), (-1001, 50, false), (3, -1001, false)]
        {
            assert_eq!(End { end, committed }.is_before_committed(), is, "{end} {committed}");
        }
    }

    #[test]
    fn a_broker_is_known_by_its_address() {
        for (words, broker) in [
            (
                "localhost:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: refused",
                Some("localhost:9092"),
            ),
            ("b1.example:9092/3: Disconnected", Some("b1.example:9092")),
            ("1/1 brokers are down", None),
            ("nothing was received", None),
        ] {
            assert_eq!(broker_in(words), broker, "{words}");
        }
    }

    #[test]
    fn brokers_that_do_not_answer_are_one_kind_of_trouble() {
        use RDKafkaErrorCode as Code;
        for code in [Code::BrokerTransportFailure, Code::AllBrokersDown, Code::Resolve] {
            assert!(
                is_unreachable(&KafkaError::Global(code))
                    && is_unreachable(&KafkaError::MessageConsumption(code))
            );
        }
        assert!(!is_unreachable(&KafkaError::Global(Code::TopicAuthorizationFailed)));
    }
}
