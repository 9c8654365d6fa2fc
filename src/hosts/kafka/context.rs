//! The callbacks of librdkafka: they send events to the driver, check assignments, and write the log.

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

/// How long a callback waits for a broker's answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// An event of the client between messages.
pub(super) enum Event {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    Ends(BTreeMap<i32, End>),
    Recreated(ConsumeError),
}

/// The end offset of a partition, and the committed offset at that time.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) end: i64,
    pub(super) committed: i64,
}

impl End {
    /// Returns whether the group has committed more than there seems to be. Negative numbers are unknown.
    pub(super) fn is_before_committed(&self) -> bool {
        self.end >= 0 && self.committed > self.end
    }
}

/// The state of the callbacks.
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
        // The receiver is gone while the consumer is being dropped.
        let _ = self.events.send(event);
    }

    /// Logs a temporary problem: each unreachable broker, and each other kind of error, immediately and then once a
    /// minute.
    pub(super) fn warn(&self, error: &KafkaError, text: &str) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if is_unreachable(error) {
            let suppressed = broker_in(text).and_then(|broker| notices.admit(broker, Instant::now()));
            return match suppressed {
                Some(suppressed) => tracing::warn!(
                    suppressed,
                    "cannot reach a broker ({text}); retrying, and logging this again in a minute"
                ),
                // If several brokers are down, each of them has its own message.
                None => tracing::debug!(%error, "{text}"),
            };
        }
        match notices.admit(&error.to_string(), Instant::now()) {
            Some(suppressed) => tracing::warn!(%error, suppressed, "{text}; retrying"),
            None => tracing::debug!(%error, "{text}"),
        }
    }

    /// Asks where a partition ends. Returns an error if it ends before the committed offset.
    pub(super) fn check_recreated<C: ConsumerContext>(
        &self,
        consumer: &impl Consumer<C>,
        partition: i32,
        committed: i64,
    ) -> Option<ConsumeError> {
        match consumer.fetch_watermarks(&self.topic, partition, BROKER_TIMEOUT) {
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

    /// Checks whether an assigned partition is shorter than what its group has committed, before anything is
    /// fetched. Otherwise librdkafka would start it again, and messages without an id would be mistaken for earlier
    /// ones.
    fn check_assignment(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let committed = match consumer.committed_offsets(list.clone(), BROKER_TIMEOUT) {
            Ok(committed) => committed,
            Err(error) => return tracing::debug!(%error, "the broker did not say what is committed"),
        };
        for element in committed.elements() {
            if let Offset::Offset(offset) = element.offset()
                && offset > 0
                && let Some(error) = self.check_recreated(consumer, element.partition(), offset)
            {
                self.send(Event::Recreated(error));
            }
        }
    }
}

/// Returns whether an error means that brokers are unreachable.
fn is_unreachable(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(code, Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve)
    })
}

/// Returns the broker that a message of librdkafka begins with: `localhost:9092/bootstrap: Connect to … failed`.
fn broker_in(text: &str) -> Option<&str> {
    let (before, _) = text.split_once(": ")?;
    let broker = before.split('/').next()?;
    broker.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map(|_| broker)
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        match (level, facility) {
            // The error callback also gets these.
            (_, "FAIL" | "ERROR") => tracing::debug!(facility, "{text}"),
            (RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug, _) => {
                tracing::debug!(facility, "{text}");
            }
            _ => {
                let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
                match notices.admit(facility, Instant::now()) {
                    Some(suppressed) => tracing::warn!(facility, suppressed, "{text}"),
                    None => tracing::debug!(facility, "{text}"),
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
                self.check_assignment(consumer, list);
                self.send(Event::Assigned(partitions(list)));
            }
            Rebalance::Revoke(list) => self.send(Event::Revoked(partitions(list))),
            Rebalance::Error(error) => self.warn(error, "the group could not assign the partitions"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        // An offset that is not committed now is committed with the next one, or its messages come again and count
        // once.
        if let Err(error) = result {
            tracing::debug!(%error, "offsets were not committed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_ends_before_the_committed_offset_is_detected() {
        for (end, committed, is) in
            [(3, 50, true), (50, 50, false), (50, 3, false), (-1001, 50, false), (3, -1001, false)]
        {
            assert_eq!(End { end, committed }.is_before_committed(), is, "{end} {committed}");
        }
    }

    #[test]
    fn a_broker_is_identified_by_its_address() {
        for (text, broker) in [
            (
                "localhost:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: refused",
                Some("localhost:9092"),
            ),
            ("b1.example:9092/3: Disconnected", Some("b1.example:9092")),
            ("1/1 brokers are down", None),
            ("nothing was received", None),
        ] {
            assert_eq!(broker_in(text), broker, "{text}");
        }
    }

    #[test]
    fn unreachable_brokers_are_one_kind_of_problem() {
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
