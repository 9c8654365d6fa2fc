//! Kafka batches that Lambda delivers, and the response to them.
//!
//! Sources: "Using Lambda with Amazon MSK" and "Configuring error handling controls for Kafka event sources" in the
//! AWS Lambda Developer Guide. MSK and self-managed clusters send the same event; `eventSource` is ignored. A record
//! without a value, a key or headers is accepted: it becomes a dead letter and fails nothing.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::domain::{Outcome, Source};
use super::health::Progress;
use super::ingest::RawMessage;
use crate::base::telemetry;
use crate::inventory::Inventory;

/// The records of a batch, by partition: `<topic>-<partition>`.
#[derive(Debug, Default, Deserialize)]
pub struct KafkaEvent {
    #[serde(default)]
    records: BTreeMap<String, Vec<Record>>,
}

/// A record. Its value is in base64.
#[derive(Debug, Deserialize)]
struct Record {
    topic: String,
    partition: i32,
    offset: i64,
    #[serde(default)]
    value: Option<String>,
}

impl Record {
    fn raw_message(&self) -> RawMessage {
        let text = self.value.as_deref().unwrap_or_default();
        // If the value is not valid base64, it is not a valid message either. Keep it as received.
        let bytes = STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
        RawMessage { source: Source::kafka(&self.topic, self.partition, self.offset), bytes }
    }
}

/// The response: the records that Lambda must deliver again. An empty list means success.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// The unfinished records.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// An unfinished record.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// The position of the record.
    pub item_identifier: ItemIdentifier,
}

/// The position of a record.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ItemIdentifier {
    /// The partition, by its name in the event.
    pub partition: String,
    /// The offset.
    pub offset: i64,
}

/// No record of the batch was finished.
#[derive(Debug, thiserror::Error)]
#[error("none of {0} messages was finished")]
pub struct NothingFinished(usize);

impl Inventory {
    /// Processes a batch. The response lists every unfinished record, including those after a failure of the same
    /// product. So it does not matter whether Lambda retries only these records or everything from the first one.
    ///
    /// # Errors
    /// [`NothingFinished`] if no record was finished, so that Lambda counts a failed invocation.
    pub async fn process_batch(
        &self,
        event: &KafkaEvent,
        group: &str,
    ) -> Result<BatchResponse, NothingFinished> {
        let named = |(name, records): (&'_ String, &'_ Vec<Record>)| {
            records.iter().map(|record| (name.clone(), record.raw_message())).collect::<Vec<_>>()
        };
        let (names, messages): (Vec<String>, Vec<RawMessage>) = event.records.iter().flat_map(named).unzip();
        let outcomes = self.ingest(&messages).await;
        if !outcomes.is_empty() && outcomes.iter().all(Option::is_none) {
            return Err(NothingFinished(outcomes.len()));
        }
        self.report_batch_progress(group, &messages, &outcomes).await;
        let places = names.into_iter().zip(&messages).zip(&outcomes);
        let unfinished = places.filter(|(_, outcome)| outcome.is_none()).map(|((partition, message), _)| {
            let offset = message.source.offset.unwrap_or_default();
            BatchItemFailure { item_identifier: ItemIdentifier { partition, offset } }
        });
        let batch_item_failures: Vec<BatchItemFailure> = unfinished.collect();
        if !batch_item_failures.is_empty() {
            telemetry::unfinished();
        }
        Ok(BatchResponse { batch_item_failures })
    }

    /// Reports the progress of each partition: the last record before its first unfinished one.
    async fn report_batch_progress(
        &self,
        group: &str,
        messages: &[RawMessage],
        outcomes: &[Option<Outcome>],
    ) {
        let mut reached: BTreeMap<(&str, i32), Option<i64>> = BTreeMap::new();
        let mut stopped: Vec<(&str, i32)> = Vec::new();
        for (RawMessage { source, .. }, outcome) in messages.iter().zip(outcomes) {
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
            // The messages are applied. Only the displayed progress is out of date.
            tracing::warn!(%error, "the progress of the function was not reported");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_are_parsed_with_and_without_optional_fields() {
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
            event.records["inventory-events-0"].iter().map(|record| record.raw_message().bytes).collect();
        assert_eq!(bytes, [b"{\"a\":1}".to_vec(), Vec::new(), Vec::new(), b"no base64!".to_vec()]);
        assert!(serde_json::from_value::<KafkaEvent>(json!({})).unwrap().records.is_empty());
    }

    #[test]
    fn a_response_has_the_format_that_lambda_expects() {
        let item_identifier = ItemIdentifier { partition: "inventory-events-0".to_owned(), offset: 100 };
        let response = BatchResponse { batch_item_failures: vec![BatchItemFailure { item_identifier }] };
        assert_eq!(
            serde_json::to_string(&response).unwrap(),
            r#"{"batchItemFailures":[{"itemIdentifier":{"partition":"inventory-events-0","offset":100}}]}"#
        );
        assert_eq!(serde_json::to_string(&BatchResponse::default()).unwrap(), r#"{"batchItemFailures":[]}"#);
    }
}
