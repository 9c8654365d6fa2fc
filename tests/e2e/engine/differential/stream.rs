//! Compares the streams: for each item, the same changes in the same order.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{AttributeValue as StreamValue, ShardIteratorType};
use holdfast::engine::{ChangeKind, Engine};

use super::answer::canonical_item;

type Item = HashMap<String, AttributeValue>;
/// The changes of each item, as text.
type Changes = BTreeMap<String, Vec<String>>;

/// Compares all records of a table's stream and returns their number. `None` if DynamoDB Local's stream cannot be
/// read.
pub async fn compare(client: &Client, engine: &Engine, table: &str) -> Result<Option<usize>, String> {
    let ours = of_engine(engine, table)?;
    let mut reference = Changes::new();
    // The stream of DynamoDB Local may be slightly late.
    for _ in 0..50 {
        reference = match of_dynamodb(client, table).await? {
            Some(changes) => changes,
            None => return Ok(None),
        };
        if reference == ours {
            return Ok(Some(ours.values().map(Vec::len).sum()));
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for (key, changes) in &reference {
        let found = ours.get(key);
        if found != Some(changes) {
            return Err(format!("the stream of {key}\nDynamoDB Local: {changes:#?}\nthe engine: {found:#?}"));
        }
    }
    let more: Vec<_> = ours.keys().filter(|key| !reference.contains_key(*key)).collect();
    Err(format!("the engine's stream has more items: {more:?}"))
}

fn add(changes: &mut Changes, kind: &str, keys: &Item, old: Option<&Item>, new: Option<&Item>) {
    let text = |item: Option<&Item>| item.map(canonical_item);
    let change = format!("{kind}: {:?} -> {:?}", text(old), text(new));
    changes.entry(canonical_item(keys)).or_default().push(change);
}

fn of_engine(engine: &Engine, table: &str) -> Result<Changes, String> {
    let mut changes = Changes::new();
    let mut after = 0;
    loop {
        let page = engine.read_stream(table, after, 7, &|_| true).map_err(|error| error.to_string())?;
        for record in &page.records {
            let kind = match record.kind {
                ChangeKind::Insert => "INSERT",
                ChangeKind::Modify => "MODIFY",
                ChangeKind::Remove => "REMOVE",
            };
            add(&mut changes, kind, &record.keys, record.old_image.as_ref(), record.new_image.as_ref());
        }
        if page.last == after {
            return Ok(changes);
        }
        after = page.last;
    }
}

/// The stream of DynamoDB Local. `None` if it contains a value without a type.
async fn of_dynamodb(client: &Client, table: &str) -> Result<Option<Changes>, String> {
    let listed = client
        .list_streams()
        .table_name(table)
        .send()
        .await
        .map_err(|error| format!("ListStreams: {error:?}"))?;
    let arn =
        listed.streams().first().and_then(|stream| stream.stream_arn()).ok_or("the table has no stream")?;
    let described = client
        .describe_stream()
        .stream_arn(arn)
        .send()
        .await
        .map_err(|error| format!("DescribeStream: {error:?}"))?;
    let description = described.stream_description.ok_or("the stream has no description")?;
    let mut changes = Changes::new();
    for shard in description.shards() {
        let iterator = client.get_shard_iterator().stream_arn(arn).set_shard_id(shard.shard_id.clone());
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await;
        let mut iterator = iterator.map_err(|error| format!("GetShardIterator: {error:?}"))?.shard_iterator;
        while let Some(at) = iterator {
            let answer = client.get_records().shard_iterator(at).send().await;
            let answer = match answer {
                Err(error) if format!("{error:?}").contains("Union did not contain a valid variant") => {
                    return Ok(None);
                }
                answer => answer.map_err(|error| format!("GetRecords: {error:?}"))?,
            };
            let records = answer.records.unwrap_or_default();
            iterator = answer.next_shard_iterator.filter(|_| !records.is_empty());
            for record in records {
                let kind = record.event_name.map(|name| name.as_str().to_owned()).unwrap_or_default();
                let body = record.dynamodb.ok_or("a record has no body")?;
                let [keys, old, new] =
                    [body.keys, body.old_image, body.new_image].map(|image| image.map(item));
                add(&mut changes, &kind, &keys.unwrap_or_default(), old.as_ref(), new.as_ref());
            }
        }
    }
    Ok(Some(changes))
}

fn item(image: HashMap<String, StreamValue>) -> Item {
    image.into_iter().map(|(name, value)| (name, plain(value))).collect()
}

fn plain(value: StreamValue) -> AttributeValue {
    use aws_sdk_dynamodb::primitives::Blob;
    match value {
        StreamValue::S(text) => AttributeValue::S(text),
        StreamValue::N(text) => AttributeValue::N(text),
        StreamValue::B(blob) => AttributeValue::B(Blob::new(blob.into_inner())),
        StreamValue::Bool(value) => AttributeValue::Bool(value),
        StreamValue::Null(value) => AttributeValue::Null(value),
        StreamValue::Ss(texts) => AttributeValue::Ss(texts),
        StreamValue::Ns(texts) => AttributeValue::Ns(texts),
        StreamValue::Bs(blobs) => {
            AttributeValue::Bs(blobs.into_iter().map(|blob| Blob::new(blob.into_inner())).collect())
        }
        StreamValue::L(values) => AttributeValue::L(values.into_iter().map(plain).collect()),
        StreamValue::M(map) => AttributeValue::M(item(map)),
        other => panic!("an unknown type: {other:?}"),
    }
}
