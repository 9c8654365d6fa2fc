//! What Lambda hands over from a topic, and what it is answered.
//!
//! Sources: "Using Lambda with Amazon MSK" and "Configuring error handling controls for Kafka event sources" in the AWS
//! Lambda Developer Guide. The same event comes from MSK and from a cluster of one's own; nothing is decided by its
//! `eventSource`. A record without a value, a key or headers is read all the same: it is parked, and fails nothing.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::domain::{Outcome, Source};
use super::health::Progress;
use super::ingest::RawMessage;
use crate::base::telemetry;
use crate::inventory::Inventory;

/// Records of a topic, under the names of their partitions: `<topic>-<partition>`.
#[derive(Debug, Default, Deserialize)]
pub struct KafkaEvent {
    #[serde(default)]
    records: BTreeMap<String, Vec<Record>>,
}

/// One record. Its value is in base64.
#[derive(Debug, Deserialize)]
struct Record {
    topic: String,
    partition: i32,
    offset: i64,
    #[serde(default)]
    value: Option<String>,
}

impl Record {
    fn arrival(&self) -> RawMessage {
        let text = self.value.as_deref().unwrap_or_default();
        // What is no base64 is no message either, and is kept as it came.
        let bytes = STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
        RawMessage { source: Source::kafka(&self.topic, self.partition, self.offset), bytes }
    }
}

/// The answer: the records that are to be handed over again. None is success.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    /// The records.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// A record that was not finished.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// Which.
    pub item_identifier: ItemIdentifier,
}

/// A record by its place.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ItemIdentifier {
    /// The partition, by the name under which it was handed over.
    pub partition: String,
    /// The offset.
    pub offset: i64,
}

/// Nothing of a batch was finished.
#[derive(Debug, thiserror::Error)]
#[error("none of {0} messages was finished")]
pub struct NothingFinished(usize);

impl Inventory {
    /// Takes in a batch. Every record that is not finished is named, also those behind a failure of the same product, so that
    /// it does not matter whether Lambda hands over those alone or everything from the first of them on.
    ///
    /// # Errors
    /// [`NothingFinished`] where the store took nothing, so that Lambda counts a failure of the function.
    pub async fn take_batch(&self, event: &KafkaEvent, group: &str) -> Result<BatchAnswer, NothingFinished> {
        let named = |(name, records): (&'_ String, &'_ Vec<Record>)| {
            records.iter().map(|record| (name.clone(), record.arrival())).collect::<Vec<_>>()
        };
        let (names, arrivals): (Vec<String>, Vec<RawMessage>) = event.records.iter().flat_map(named).unzip();
        let outcomes = self.ingest(&arrivals).await;
        if !outcomes.is_empty() && outcomes.iter().all(Option::is_none) {
            return Err(NothingFinished(outcomes.len()));
        }
        self.report_batch(group, &arrivals, &outcomes).await;
        let places = names.into_iter().zip(&arrivals).zip(&outcomes);
        let unfinished = places.filter(|(_, outcome)| outcome.is_none()).map(|((partition, arrival), _)| {
            let offset = arrival.source.offset.unwrap_or_default();
            BatchItemFailure { item_identifier: ItemIdentifier { partition, offset } }
        });
        let batch_item_failures: Vec<BatchItemFailure> = unfinished.collect();
        if !batch_item_failures.is_empty() {
            telemetry::unfinished();
        }
        Ok(BatchAnswer { batch_item_failures })
    }

    /// Tells how far the function has come: to the last record before the first one of its partition that is unfinished.
    async fn report_batch(&self, group: &str, arrivals: &[RawMessage], outcomes: &[Option<Outcome>]) {
        let mut reached: BTreeMap<(&str, i32), Option<i64>> = BTreeMap::new();
        let mut stopped: Vec<(&str, i32)> = Vec::new();
        for (RawMessage { source, .. }, outcome) in arrivals.iter().zip(outcomes) {
            let (Some(topic), Some(partition), offset) = (&source.topic, source.partition, source.offset)
            else {
                continue;
            };
            let place = (topic.as_str(), partition);
            match outcome {
                None => stopped.push(place),
                Some(_) if !stopped.contains(&place) => _ = reached.insert(place, offset),
                Some(_) => {}
            }
        }
        let at = self.clock.now();
        let progress = reached.into_iter().filter_map(|((topic, partition), offset)| {
            let (group, topic) = (group.to_owned(), topic.to_owned());
            Some(Progress { group, topic, partition, offset: offset?, lag: None, at })
        });
        let progress: Vec<Progress> = progress.collect();
        if let Err(error) = self.report_progress(&progress).await {
            // What was applied stands; only its place is not shown.
            tracing::warn!(%error, "how far the function has come was not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_are_read_with_and_without_what_they_may_lack() {
        let event: KafkaEvent = serde_json::from_value(json!({
            "eventSource": "SelfManagedKafka",
            "bootstrapServers": "b-1.example:9092,b-2.example:9092",
            "records": {
                "inventory-events-0": [
                    {
                        "topic": "inventory-events", "partition": 0, "offset": 15, "timestamp": 1_545_084_650_987_i64,
                        "timestampType": "CREATE_TIME", "key": "QTE=", "value": "eyJhIjoxfQ==",
                        "headers": [{ "origin": [104, -61, -87] }],
                    },
                    { "topic": "inventory-events", "partition": 0, "offset": 16 },
                    { "topic": "inventory-events", "partition": 0, "offset": 17, "value": null },
                    { "topic": "inventory-events", "partition": 0, "offset": 18, "value": "no base64!" },
                ],
            },
        }))
        .unwrap();
        let bytes: Vec<Vec<u8>> =
            event.records["inventory-events-0"].iter().map(|record| record.arrival().bytes).collect();
        assert_eq!(bytes, [b"{\"a\":1}".to_vec(), Vec::new(), Vec::new(), b"no base64!".to_vec()]);
        assert!(serde_json::from_value::<KafkaEvent>(json!({})).unwrap().records.is_empty());
    }

    #[test]
    fn an_answer_has_the_form_that_lambda_reads() {
        let item_identifier = ItemIdentifier { partition: "inventory-events-0".to_owned(), offset: 100 };
        let answer = BatchAnswer { batch_item_failures: vec![BatchItemFailure { item_identifier }] };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"batchItemFailures":[{"itemIdentifier":{"partition":"inventory-events-0","offset":100}}]}"#
        );
        assert_eq!(serde_json::to_string(&BatchAnswer::default()).unwrap(), r#"{"batchItemFailures":[]}"#);
    }
}
