//! What a consumer reports, why it ends, and the settings of its client.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::Options;

/// What a consumer has done, and how much waits for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that changed a stock.
    pub applied: u64,
    /// Messages that had come before.
    pub duplicates: u64,
    /// Messages that were parked.
    pub parked: u64,
    /// Fields of finished messages that nothing here knows, and that were left aside.
    pub ignored: u64,
    /// How often a message was not finished and is tried again.
    pub again: u64,
    /// The partitions that it has.
    pub partitions: usize,
    /// How many messages of them are not finished, where that is known.
    pub lag: Option<u64>,
}

impl Tally {
    /// All messages that are finished.
    pub fn finished(&self) -> u64 {
        self.applied + self.duplicates + self.parked
    }
}

/// Why a consumer ended without having been asked to.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// A setting is wrong.
    #[error("the Kafka client does not take its settings: {0}")]
    Settings(String),
    /// The settings ask for what this build has not.
    #[error(
        "this build speaks to Kafka in plain text, or with SASL PLAIN: for TLS and SCRAM build it with `cargo build --features kafka-tls`, which builds OpenSSL too ({0})"
    )]
    NoTls(String),
    /// A batch of the topic is compressed in a way that this build does not read. It is not passed by.
    #[error(
        "the topic has messages in a compression that this program does not read, so it goes no further: {}", plain(.0)
    )]
    Unreadable(KafkaError),
    /// The topic ends before what the group has committed: it was deleted and created anew, or cut.
    #[error(
        "the topic {topic} was created anew or cut: group {group} has finished partition {partition} up to offset {committed}, and it ends at {end}; its messages are taken once you reset the group's offsets, or name another --group"
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
        /// The offset at which the partition ends.
        end: i64,
    },
    /// The client cannot go on.
    #[error("the Kafka client cannot go on: {}", plain(.0))]
    Client(KafkaError),
    /// A task ended in a fault of ours.
    #[error("the work on some messages was broken off: {0}")]
    Broken(String),
}

/// What the client says of an error, without the names that its library gives to kinds of errors.
fn plain(error: &KafkaError) -> String {
    let words = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
    let within = words.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'));
    within.map_or(words.as_str(), |(within, _)| within).to_owned()
}

impl ConsumeError {
    /// No client can be made. What was set to which value is not told: it may be a secret.
    pub(super) fn at_start(error: KafkaError) -> Self {
        let words = match error {
            KafkaError::ClientConfig(_, words, key, _) => format!("{key}: {words}"),
            error => error.to_string(),
        };
        let lacking = ["OpenSSL not available", "recompile librdkafka", "No provider for SASL"];
        if lacking.iter().any(|lack| words.contains(lack)) {
            Self::NoTls(words)
        } else {
            Self::Settings(words)
        }
    }

    /// What an error between messages means: nothing, where waiting mends it.
    pub(super) fn between_messages(error: &KafkaError) -> Option<Self> {
        match error {
            // librdkafka would go on behind these messages.
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

/// The settings of the client: ours first, then what was asked for.
pub(super) fn client_config(options: &Options) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (key, value) in [
        ("bootstrap.servers", options.brokers.as_str()),
        ("group.id", &options.group),
        ("client.id", "holdfast"),
        // What is stored is committed now and then, when partitions go to others, and at the end; and stored is only what
        // is finished.
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
    fn errors_are_told_without_the_names_of_a_library() {
        let error = KafkaError::MessageConsumption(RDKafkaErrorCode::NotImplemented);
        let words = ConsumeError::Unreadable(error).to_string();
        assert!(words.ends_with("it goes no further: Local: Not implemented"), "{words}");
    }

    #[test]
    fn messages_that_cannot_be_read_are_not_passed_by() {
        let error = |code| ConsumeError::between_messages(&KafkaError::MessageConsumption(code));
        assert!(matches!(error(RDKafkaErrorCode::NotImplemented), Some(ConsumeError::Unreadable(_))));
        assert!(error(RDKafkaErrorCode::BrokerTransportFailure).is_none());
        assert!(error(RDKafkaErrorCode::UnknownTopicOrPartition).is_none());
    }
}
