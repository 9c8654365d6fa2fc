//! The counts of a consumer, its errors, and the settings of its client.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::Options;

/// The work of a consumer, and its backlog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConsumerProgress {
    /// Messages that changed a stock.
    pub applied: u64,
    /// Messages that were applied before.
    pub duplicates: u64,
    /// Messages that became dead letters.
    pub dead_letters: u64,
    /// Unknown fields of finished messages, which were ignored.
    pub ignored: u64,
    /// How often a message was not finished and is retried.
    pub again: u64,
    /// The number of assigned partitions.
    pub partitions: usize,
    /// The number of unfinished messages in them, if known.
    pub lag: Option<u64>,
}

impl ConsumerProgress {
    /// Returns the number of finished messages.
    pub fn finished(&self) -> u64 {
        self.applied + self.duplicates + self.dead_letters
    }
}

/// Why a consumer stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// A setting is invalid.
    #[error("the Kafka client does not accept its settings: {0}")]
    Settings(String),
    /// The settings need a feature that this build lacks.
    #[error(
        "this build connects to Kafka in plain text or with SASL PLAIN; for TLS and SCRAM, build it with `cargo build --features kafka-tls`, which builds OpenSSL too ({0})"
    )]
    NoTls(String),
    /// A batch of the topic uses a compression that this build cannot read. The consumer does not skip it.
    #[error(
        "the topic has messages in a compression that this program cannot read, so it stops: {}", message_of(.0)
    )]
    Unreadable(KafkaError),
    /// The topic ends before the committed offset: it was deleted and recreated, or truncated.
    #[error(
        "the topic {topic} was recreated or truncated: group {group} has finished partition {partition} up to offset {committed}, and it ends at {end}; to consume its messages, reset the group's offsets or use another --group"
    )]
    Recreated {
        /// The topic.
        topic: String,
        /// The group.
        group: String,
        /// The partition.
        partition: i32,
        /// The offset that the group has committed.
        committed: i64,
        /// The end offset of the partition.
        end: i64,
    },
    /// The client cannot continue.
    #[error("the Kafka client cannot continue: {}", message_of(.0))]
    Client(KafkaError),
    /// A task failed because of a bug.
    #[error("the work on some messages was interrupted: {0}")]
    Broken(String),
}

/// Returns the client's error message, without the names of its library's error kinds.
fn message_of(error: &KafkaError) -> String {
    let text = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
    let within = text.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'));
    within.map_or(text.as_str(), |(within, _)| within).to_owned()
}

impl ConsumeError {
    /// Converts an error to create the client. The value of a setting is left out, because it may be a secret.
    pub(super) fn at_start(error: KafkaError) -> Self {
        let text = match error {
            KafkaError::ClientConfig(_, text, key, _) => format!("{key}: {text}"),
            error => error.to_string(),
        };
        let lacking = ["OpenSSL not available", "recompile librdkafka", "No provider for SASL"];
        if lacking.iter().any(|lack| text.contains(lack)) { Self::NoTls(text) } else { Self::Settings(text) }
    }

    /// Converts an error between messages. Returns `None` if waiting fixes it.
    pub(super) fn between_messages(error: &KafkaError) -> Option<Self> {
        match error {
            // librdkafka would continue after these messages.
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::NotImplemented
                | RDKafkaErrorCode::BadCompression
                | RDKafkaErrorCode::BadMessage
                | RDKafkaErrorCode::InvalidMessage,
            ) => Some(Self::Unreadable(error.clone())),
            KafkaError::MessageConsumptionFatal(_) => Some(Self::Client(error.clone())),
            _ => None,
        }
    }
}

/// Returns the settings of the client: first ours, then the requested ones.
pub(super) fn client_config(options: &Options) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (key, value) in [
        ("bootstrap.servers", options.brokers.as_str()),
        ("group.id", &options.group),
        ("client.id", "holdfast"),
        // Stored offsets are committed every second, when partitions are revoked, and at the end. Only finished
        // messages are stored.
        ("enable.auto.commit", "true"),
        ("enable.auto.offset.store", "false"),
        ("auto.commit.interval.ms", "1000"),
        ("auto.offset.reset", "earliest"),
        ("queued.max.messages.kbytes", "16384"),
        ("reconnect.backoff.max.ms", "2000"),
        ("statistics.interval.ms", "1000"),
    ] {
        config.set(key, value);
    }
    for setting in &options.settings {
        config.set(&setting.key, &setting.value);
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_shown_without_library_names() {
        let error = KafkaError::MessageConsumption(RDKafkaErrorCode::NotImplemented);
        let text = ConsumeError::Unreadable(error).to_string();
        assert!(text.ends_with("so it stops: Local: Not implemented"), "{text}");
    }

    #[test]
    fn unreadable_messages_are_not_skipped() {
        let error = |code| ConsumeError::between_messages(&KafkaError::MessageConsumption(code));
        assert!(matches!(error(RDKafkaErrorCode::NotImplemented), Some(ConsumeError::Unreadable(_))));
        assert!(error(RDKafkaErrorCode::BrokerTransportFailure).is_none());
        assert!(error(RDKafkaErrorCode::UnknownTopicOrPartition).is_none());
    }
}
