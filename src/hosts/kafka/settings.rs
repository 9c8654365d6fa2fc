//! The options of a consumer. Every build of the command line parses them, with or without the Kafka client.

use std::fmt;
use std::str::FromStr;

use crate::base::values::Invalid;

/// Which topic is consumed, where, and as which group.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the brokers are: `host:port`, several with commas.
    pub brokers: String,
    /// The consumer group, whose members share the partitions.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// Further settings of librdkafka.
    pub settings: Vec<Setting>,
}

/// One setting of librdkafka. Its value may be a secret, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    pub(super) key: String,
    pub(super) value: String,
}

/// What the consumer rests on, and sets itself.
const OURS: [&str; 5] = [
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
        if OURS.contains(&key) {
            return Err(Invalid::new("Brokers, group, commits and statistics are set by Holdfast alone."));
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
    fn what_the_promise_rests_on_is_not_to_be_set() {
        for text in ["", "=x", "session.timeout.ms", "group.id=other", " enable.auto.commit = false"] {
            assert!(text.parse::<Setting>().is_err(), "{text:?}");
        }
        let secret: Setting = "sasl.password=a=b".parse().unwrap();
        assert_eq!((secret.key.as_str(), secret.value.as_str()), ("sasl.password", "a=b"));
        assert_eq!(format!("{secret:?}"), "sasl.password=…");
    }
}
