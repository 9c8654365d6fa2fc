//! The options of a consumer. Every build of the command line parses them, even without the Kafka client.

use std::fmt;
use std::str::FromStr;

use crate::base::values::Invalid;

/// The brokers, the group and the topic of a consumer.
#[derive(Debug, Clone)]
pub struct Options {
    /// The brokers: `host:port`, separated by commas.
    pub brokers: String,
    /// The consumer group, whose members share the partitions.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// Additional settings of librdkafka.
    pub settings: Vec<Setting>,
}

/// A setting of librdkafka. `Debug` does not show its value, which may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    pub(super) key: String,
    pub(super) value: String,
}

/// Settings that the consumer depends on and sets itself.
const RESERVED: [&str; 5] = [
    "bootstrap.servers",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "statistics.interval.ms",
];

impl FromStr for Setting {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let pair = text.split_once('=').map(|(key, value)| (key.trim(), value));
        let Some((key, value)) = pair.filter(|(key, _)| !key.is_empty()) else {
            return Err(Invalid::new("A setting is key=value, for example session.timeout.ms=30000."));
        };
        if RESERVED.contains(&key) {
            return Err(Invalid::new(
                "Holdfast sets the brokers, the group, commits, and statistics itself.",
            ));
        }
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=…", self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_settings_are_refused() {
        for text in ["", "=x", "session.timeout.ms", "group.id=other", " enable.auto.commit = false"] {
            assert!(text.parse::<Setting>().is_err(), "{text:?}");
        }
        let secret: Setting = "sasl.password=a=b".parse().unwrap();
        assert_eq!((secret.key.as_str(), secret.value.as_str()), ("sasl.password", "a=b"));
        assert_eq!(format!("{secret:?}"), "sasl.password=…");
    }
}
