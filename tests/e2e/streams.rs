//! The table's stream: which records a reader gets, how often, in which order, and where it continues.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::pending;
use holdfast::store::stream::{Batch, Change};
use holdfast::store::{Item, Key, PollInterval, Progress, StoreError, StreamReader};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::support::connector::Wire;
use crate::support::wait::TIMEOUT;
use crate::support::workspace::{Workspace, address, change, create, new_lead};
use crate::support::{Case, Fault, Kind, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: a_reader_gets_every_change_of_a_lead_once_in_order_with_both_images,
            many_changes_arrive_in_batches_and_none_is_missing,
            changes_that_were_not_handled_are_delivered_again,
            the_next_reader_continues_after_the_checkpoint,
            a_reader_of_everything_does_not_get_checkpoints,
            two_readers_of_one_consumer_lose_nothing_and_become_idle,
            a_running_reader_gets_new_changes_until_it_is_stopped;
        dynamodb: a_stream_that_fails_temporarily_loses_nothing,
            a_shard_is_read_after_its_parent,
            a_shard_that_fails_or_lags_keeps_the_reported_time_back,
            a_reader_continues_after_every_failure,
            a_table_without_a_stream_is_a_clear_error
    ]
}

const WRITE: &str = "TransactWriteItems";
const READ: &str = "GetRecords";
/// Short waits, so that retries happen soon.
const POLL: PollInterval = PollInterval {
    idle: Duration::from_millis(20),
    retry: Duration::from_millis(5),
    longest: Duration::from_millis(20),
};

fn is_lead(key: &Key) -> bool {
    key.sk == "LEAD"
}

/// A reader of all changes of leads, over its own wire.
fn reader(
    environment: &TestEnvironment,
    workspace: &Workspace,
    consumer: &'static str,
) -> (StreamReader, Wire) {
    let wire = environment.another_wire();
    (environment.engine().reader(&wire, &workspace.app.dynamo, consumer, is_lead).paced(POLL), wire)
}

/// All records that the reader gets now.
async fn records(reader: &mut StreamReader) -> Vec<Change> {
    let records = Mutex::new(Vec::new());
    let handle = async |batch: Arc<Batch>| {
        assert!(!batch.is_empty());
        records.lock().unwrap().extend_from_slice(&batch.changes);
        Ok::<_, String>(())
    };
    reader.drain(handle, pending()).await.expect("the stream can be read");
    records.into_inner().unwrap()
}

fn version(item: Option<&Item>) -> Option<u64> {
    item.map(|item| item["version"].as_n().unwrap().parse().unwrap())
}

/// The versions before and after each change.
fn versions(changes: &[Change]) -> Vec<(Option<u64>, Option<u64>)> {
    changes.iter().map(|change| (version(change.before.as_ref()), version(change.after.as_ref()))).collect()
}

async fn a_reader_gets_every_change_of_a_lead_once_in_order_with_both_images(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let start = jiff::Timestamp::now();
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    for version in 1..=3 {
        change(&agent, &lead, version, json!({ "leadScore": 50 + version })).await.expect(200);
    }
    // A refused change makes no record.
    change(&agent, &lead, 4, json!({ "leadScore": 60, "status": "CONVERTED" })).await.expect(422);
    agent.delete(&format!("{}?version=4", address(&lead))).send().await.expect(204);

    let (mut reader, _) = reader(&environment, &workspace, "case");
    let changes = records(&mut reader).await;
    let expected =
        [(None, Some(1)), (Some(1), Some(2)), (Some(2), Some(3)), (Some(3), Some(4)), (Some(4), None)];
    assert_eq!(versions(&changes), expected);
    for (earlier, later) in changes.iter().zip(&changes[1..]) {
        assert_eq!(later.before, earlier.after, "each record continues the one before");
        assert!(earlier.sequence < later.sequence && earlier.id != later.id && earlier.at <= later.at);
    }
    let id = lead["id"].as_str().unwrap();
    assert!(changes.iter().all(|change| change.key.pk == format!("LEAD#{id}")));
    let last = changes[4].before.as_ref().unwrap();
    assert_eq!(last["leadScore"], AttributeValue::N("53".to_owned()));
    assert_eq!(last["name"], AttributeValue::S("Lead".to_owned()));
    let age = changes[0].at.duration_since(start).abs();
    assert!(age < jiff::SignedDuration::from_secs(60), "{age}");

    assert_eq!(records(&mut reader).await, [], "no record is repeated");
}

async fn many_changes_arrive_in_batches_and_none_is_missing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    for version in 1..=120 {
        change(&agent, &lead, version, json!({ "leadScore": version % 80 })).await.expect(200);
    }
    let (mut reader, _) = reader(&environment, &workspace, "case");
    let expected: Vec<_> =
        (1..=121).map(|version| ((version > 1).then(|| version - 1), Some(version))).collect();
    let batches = Mutex::new(Vec::new());
    let handle = async |batch: Arc<Batch>| {
        batches.lock().unwrap().push(batch);
        Ok::<_, String>(())
    };
    reader.drain(handle, pending()).await.expect("the stream can be read");
    let batches = batches.into_inner().unwrap();
    let changes: Vec<Change> = batches.iter().flat_map(|batch| batch.changes.clone()).collect();
    assert_eq!(versions(&changes), expected);
    // DynamoDB's stream returns at most 100 records at a time, the engine's log thousands.
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.len()).collect();
    match workspace.app.dynamo.conflicts() {
        true => assert!(sizes.iter().all(|size| *size <= 100), "{sizes:?}"),
        false => assert_eq!(sizes, [121]),
    }
}

async fn changes_that_were_not_handled_are_delivered_again(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    change(&agent, &lead, 1, json!({ "leadScore": 60 })).await.expect(200);

    let (mut first, _) = reader(&environment, &workspace, "case");
    let seen = Mutex::new(Vec::new());
    let handle = async |batch: Arc<Batch>| {
        let mut seen = seen.lock().unwrap();
        seen.push(versions(&batch.changes));
        if seen.len() < 4 { Err("not now") } else { Ok(()) }
    };
    environment.wire().reset();
    first.drain(handle, pending()).await.unwrap();
    let batch = vec![(None, Some(1)), (Some(1), Some(2))];
    assert_eq!(*seen.lock().unwrap(), vec![batch; 4], "the same batch until it was handled");
    // The embedded engine stores the progress of its readers itself.
    let checkpoints = usize::from(environment.engine().kind() == Kind::DynamoDbLocal);
    assert_eq!(environment.wire().count(WRITE), checkpoints, "one checkpoint, after it was handled");

    let (mut second, _) = reader(&environment, &workspace, "case");
    assert_eq!(records(&mut second).await, []);
}

async fn the_next_reader_continues_after_the_checkpoint(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let (mut first, _) = reader(&environment, &workspace, "case");
    assert_eq!(versions(&records(&mut first).await), [(None, Some(1))]);

    change(&agent, &lead, 1, json!({ "leadScore": 60 })).await.expect(200);
    // It is killed before it writes a checkpoint.
    let failing = async |_: Arc<Batch>| Err::<(), _>("the process is killed");
    let (mut killed, _) = reader(&environment, &workspace, "case");
    let (stop_sender, stop) = oneshot::channel::<()>();
    let mut stop_sender = Some(stop_sender);
    let once = |batch: Arc<Batch>| {
        drop(stop_sender.take());
        failing(batch)
    };
    killed.run(once, async { drop(stop.await) }).await;
    change(&agent, &lead, 2, json!({ "leadScore": 61 })).await.expect(200);

    let (mut next, _) = reader(&environment, &workspace, "case");
    assert_eq!(versions(&records(&mut next).await), [(Some(1), Some(2)), (Some(2), Some(3))]);
    let (mut other, _) = reader(&environment, &workspace, "another-case");
    assert_eq!(records(&mut other).await.len(), 3, "each consumer has its own checkpoints");

    assert_eq!(records(&mut first).await.len(), 2, "the first reader gets the records late and again");
    records(&mut next).await;
    environment.wire().reset();
    let (mut last, _) = reader(&environment, &workspace, "case");
    for reader in [&mut first, &mut next, &mut other, &mut last] {
        assert_eq!(records(reader).await, []);
    }
    assert_eq!(environment.wire().count(WRITE), 0, "no checkpoint without records");
}

async fn a_reader_of_everything_does_not_get_checkpoints(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    create(&workspace.agent().await, &new_lead("Lead", "lead@example.com")).await;
    let wire = environment.another_wire();
    let mut reader = environment.engine().reader(&wire, &workspace.app.dynamo, "case", |_| true).paced(POLL);
    let changes = records(&mut reader).await;
    // Both the account and the lead have a history.
    for (sort, count) in [("ACCOUNT", 1), ("LEAD", 1), ("HISTORY#0000000001", 2), ("EMAIL", 1)] {
        assert_eq!(changes.iter().filter(|change| change.key.sk == sort).count(), count, "{sort}");
    }
    assert!(changes.iter().all(|change| !change.key.pk.starts_with("STREAM#")));
    environment.wire().reset();
    assert_eq!(records(&mut reader).await, []);
    assert_eq!(environment.wire().count(WRITE), 0, "a checkpoint causes no checkpoint");
}

async fn two_readers_of_one_consumer_lose_nothing_and_become_idle(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (mut one, _) = reader(&environment, &workspace, "case");
    let (mut two, _) = reader(&environment, &workspace, "case");
    // Both have read that there is no checkpoint.
    assert_eq!((records(&mut one).await, records(&mut two).await), (vec![], vec![]));
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    assert_eq!(versions(&records(&mut one).await), [(None, Some(1))]);
    change(&agent, &lead, 1, json!({ "leadScore": 60 })).await.expect(200);
    let created_and_changed = [(None, Some(1)), (Some(1), Some(2))];
    assert_eq!(versions(&records(&mut two).await), created_and_changed);

    // The first reader is behind the checkpoint of the second one and does not move it back.
    change(&agent, &lead, 2, json!({ "leadScore": 61 })).await.expect(200);
    assert_eq!(versions(&records(&mut one).await), [(Some(1), Some(2)), (Some(2), Some(3))]);
    assert_eq!(versions(&records(&mut two).await), [(Some(2), Some(3))]);
    let (mut next, _) = reader(&environment, &workspace, "case");
    assert_eq!(records(&mut next).await, []);
}

async fn a_stream_that_fails_temporarily_loses_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let (reader, wire) = reader(&environment, &workspace, "case");
    let lost = Arc::new(AtomicUsize::new(0));
    let counter = lost.clone();
    let mut reader = reader.reporting(move |progress| {
        counter.fetch_add(usize::from(progress == Progress::Lost), Ordering::SeqCst);
    });
    let mut expected = vec![(None, Some(1))];
    assert_eq!(versions(&records(&mut reader).await), expected);
    let faults = [
        (READ, Fault::Throttled),
        (READ, Fault::Refused("LimitExceededException")),
        (READ, Fault::Status(500)),
        (READ, Fault::ConnectionRefused),
        (READ, Fault::ReplyLost),
        (READ, Fault::Refused("ExpiredIteratorException")),
    ];
    for (last, (operation, fault)) in (1..).zip(faults) {
        change(&agent, &lead, last, json!({ "leadScore": last })).await.expect(200);
        wire.times(2, operation, fault.clone());
        expected = vec![(Some(last), Some(last + 1))];
        assert_eq!(versions(&records(&mut reader).await), expected, "{fault:?}");
    }
    assert_eq!(lost.load(Ordering::SeqCst), 0);
    // If its position was trimmed, it gets all remaining records, and reports that others are lost.
    wire.next(READ, Fault::Refused("TrimmedDataAccessException"));
    assert_eq!(records(&mut reader).await.len(), 7);
    assert_eq!(lost.load(Ordering::SeqCst), 1);
}

async fn a_running_reader_gets_new_changes_until_it_is_stopped(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (mut reader, _) = reader(&environment, &workspace, "case");
    let (sender, mut received) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let reading = tokio::spawn(async move {
        let handle = |batch: Arc<Batch>| {
            let sender = sender.clone();
            async move { sender.send(versions(&batch.changes)) }
        };
        reader.run(handle, async { drop(stopped.await) }).await
    });
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    let mut next =
        async || tokio::time::timeout(TIMEOUT, received.recv()).await.expect("a record arrives").unwrap();
    assert_eq!(next().await, [(None, Some(1))]);
    change(&agent, &lead, 1, json!({ "leadScore": 60 })).await.expect(200);
    assert_eq!(next().await, [(Some(1), Some(2))]);

    stop.send(()).unwrap();
    tokio::time::timeout(TIMEOUT, reading).await.expect("it ends").unwrap();
    change(&agent, &lead, 2, json!({ "leadScore": 61 })).await.expect(200);
    assert_eq!(received.recv().await, None, "no more records");
}

const RECORDED: i64 = 1_795_298_640;

/// A stream record of a change of a lead.
fn record(sequence: u64) -> Value {
    record_at(sequence, RECORDED)
}

/// A stream record of a change of a lead at this second.
fn record_at(sequence: u64, second: i64) -> Value {
    let key = json!({ "pk": { "S": "LEAD#1" }, "sk": { "S": "LEAD" } });
    let item =
        json!({ "pk": { "S": "LEAD#1" }, "sk": { "S": "LEAD" }, "version": { "N": sequence.to_string() } });
    json!({ "eventID": format!("event-{sequence}"), "eventName": "INSERT", "dynamodb": {
        "ApproximateCreationDateTime": second, "Keys": key, "NewImage": item,
        "SequenceNumber": format!("{sequence:021}"), "StreamViewType": "NEW_AND_OLD_IMAGES" } })
}

async fn a_shard_is_read_after_its_parent(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (mut reader, wire) = reader(&environment, &workspace, "case");
    // No emulator splits a shard. DynamoDB answers like this, listing the child first.
    let shards = json!({ "StreamDescription": { "Shards": [
        { "ShardId": "shardId-00000000000000000002", "ParentShardId": "shardId-00000000000000000001" },
        { "ShardId": "shardId-00000000000000000001", "ParentShardId": "shardId-of-yesterday" },
    ] } });
    wire.times(2, "DescribeStream", Fault::Instead(shards));
    for iterator in ["parent", "child"] {
        wire.next("GetShardIterator", Fault::Instead(json!({ "ShardIterator": iterator })));
    }
    for answer in [
        json!({ "Records": [record(1)], "NextShardIterator": "parent, further" }),
        // Closed, and at its end.
        json!({ "Records": [record(2)] }),
        json!({ "Records": [record(3)], "NextShardIterator": "child, further" }),
        json!({ "Records": [], "NextShardIterator": "child, further still" }),
    ] {
        wire.next(READ, Fault::Instead(answer));
    }
    let expected = [(None, Some(1)), (None, Some(2)), (None, Some(3))];
    assert_eq!(versions(&records(&mut reader).await), expected);
    let text = |call: &Value, name: &str| call[name].as_str().unwrap().to_owned();
    let calls = |operation: &str, name: &str| -> Vec<String> {
        wire.calls_of(operation).iter().map(|call| text(&call.request, name)).collect()
    };
    let one_then_two = ["shardId-00000000000000000001", "shardId-00000000000000000002"];
    assert_eq!(calls("GetShardIterator", "ShardId"), one_then_two);
    assert_eq!(calls(READ, "ShardIterator"), ["parent", "parent, further", "child", "child, further"]);
}

async fn a_shard_that_fails_or_lags_keeps_the_reported_time_back(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (reader, wire) = reader(&environment, &workspace, "case");
    let [ahead, behind] = ["shardId-00000000000000000001", "shardId-00000000000000000002"];
    let shards = json!({ "StreamDescription": { "Shards": [{ "ShardId": ahead }, { "ShardId": behind }] } });
    wire.next("DescribeStream", Fault::Instead(shards));
    // A failed shard needs another iterator.
    wire.times(4, "GetShardIterator", Fault::Instead(json!({ "ShardIterator": "first" })));
    let refused = || Fault::Refused("AccessDeniedException");
    let page = |records: &[Value]| Fault::Instead(json!({ "Records": records, "NextShardIterator": "next" }));
    let one = |number: u64, second: i64| page(&[record_at(number, RECORDED + second)]);
    // Each line is one poll of both shards.
    let polls = [
        vec![one(1, 100), refused()],
        vec![one(2, 110), refused()],
        vec![one(3, 120), one(11, 50)],
        vec![one(4, 130), one(12, 60)],
        // The batch of the second shard was not handled. It is handled now, and not read again.
        vec![one(5, 140)],
        vec![page(&[]), page(&[])],
    ];
    polls.into_iter().flatten().for_each(|answer| wire.next(READ, answer));

    let (stop, stopped) = oneshot::channel::<()>();
    let (stop, progress) = (Mutex::new(Some(stop)), Arc::new(Mutex::new(Vec::new())));
    let seen = progress.clone();
    let mut reader = reader.reporting(move |progress| {
        seen.lock().unwrap().push(progress);
        if progress == Progress::CaughtUp {
            drop(stop.lock().unwrap().take());
        }
    });
    let mut failures = vec!["not now"];
    let handle = |batch: Arc<Batch>| {
        let is_behind = versions(&batch.changes) == [(None, Some(12))];
        let failure = if is_behind { failures.pop() } else { None };
        async move { failure.map_or(Ok(()), Err) }
    };
    let run = reader.run(handle, async { drop(stopped.await) });
    tokio::time::timeout(TIMEOUT, run).await.expect("it ends when both shards are at their end");
    let at = |second| Progress::Handled(jiff::Timestamp::from_second(RECORDED + second).unwrap());
    let (failed, caught_up) = (Progress::Failed, Progress::CaughtUp);
    assert_eq!(*progress.lock().unwrap(), [failed, failed, at(50), failed, at(60), caught_up]);
}

async fn a_reader_continues_after_every_failure(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    create(&workspace.agent().await, &new_lead("Lead", "lead@example.com")).await;
    let (reader, wire) = reader(&environment, &workspace, "case");
    // Waiting for the store alone fixes none of these: a person renews a token, creates the table or grants a
    // permission.
    let table = json!({ "Table": { "TableName": environment.table(), "TableStatus": "ACTIVE" } });
    for fault in [
        Fault::Refused("ResourceNotFoundException"),
        Fault::Refused("ExpiredTokenException"),
        Fault::Instead(table),
    ] {
        environment.wire().next("DescribeTable", fault);
    }
    for (operation, name) in [
        ("DescribeStream", "AccessDeniedException"),
        ("GetShardIterator", "UnrecognizedClientException"),
        (READ, "ExpiredTokenException"),
        (READ, "ValidationException"),
    ] {
        wire.next(operation, Fault::Refused(name));
    }
    let (progress, received) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (seen, heard) = (progress.clone(), received.clone());
    let mut reader = reader.reporting(move |progress| seen.lock().unwrap().push(progress));
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let handle = |batch: Arc<Batch>| {
        heard.lock().unwrap().extend_from_slice(&batch.changes);
        drop(stop.take());
        async { Ok::<_, String>(()) }
    };
    let run = reader.run(handle, async { drop(stopped.await) });
    tokio::time::timeout(TIMEOUT, run).await.expect("it ends when it is stopped");
    assert_eq!(versions(&received.lock().unwrap()), [(None, Some(1))]);
    let progress = progress.lock().unwrap();
    assert_eq!(progress.iter().filter(|seen| **seen == Progress::Failed).count(), 7, "{progress:?}");
    assert!(matches!(progress.last(), Some(Progress::Handled(_))), "{progress:?}");
}

async fn a_table_without_a_stream_is_a_clear_error(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (mut reader, _) = reader(&environment, &workspace, "case");
    let table = json!({ "Table": { "TableName": environment.table(), "TableStatus": "ACTIVE" } });
    environment.wire().next("DescribeTable", Fault::Instead(table));
    let error = reader.drain(async |_: Arc<Batch>| Ok::<_, String>(()), pending()).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }));
    assert_eq!(error.to_string(), "DescribeTable failed: the table has no stream");
}
