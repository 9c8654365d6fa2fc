//! Consuming a topic with a real consumer group: shared partitions, kills, late joins, failures and shutdown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast::hosts::kafka;
use holdfast::hosts::kafka::{ConsumeError, ConsumerProgress};
use holdfast::inventory::check::Checked;
use holdfast::inventory::domain::{DeadLetter, DeadLetterStatus, Kind, Product};
use holdfast::inventory::store::Order;
use holdfast::store::RetryPolicy;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::inventory::{check_all, dead_letters as all_dead_letters, delivery};
use crate::process::binary::{Data, Run};
use crate::support::chance::{Dice, a_fault};
use crate::support::kafka::{Broker, Record};
use crate::support::workspace::{PATIENCE, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases, wait};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: concurrent_sales_over_kafka_and_http_sell_the_stock_and_the_rest_become_dead_letters,
            a_consumer_waits_for_a_failing_store_and_skips_nothing;
        dynamodb: a_group_with_a_killed_member_and_late_joiners_reaches_the_expected_stock,
            a_stopped_consumer_commits_its_work_and_the_next_one_continues;
        app: messages_of_one_sku_share_transactions,
            a_poison_message_stops_nothing_at_any_position,
            a_killed_consumer_loses_and_repeats_nothing;
        embedded: invalid_kafka_settings_are_refused_with_a_reason,
            batches_with_every_compression_are_read,
            framing_around_json_is_removed_and_other_formats_are_named,
            a_record_that_is_too_large_keeps_its_beginning_length_and_hash,
            a_recreated_topic_is_detected_before_any_of_its_messages_is_applied,
            an_unreachable_broker_is_reported_once
    ]
}

const WRITE: &str = "TransactWriteItems";
/// Rebalances of this broker take seconds, more on a loaded machine.
const LONG: Duration = Duration::from_secs(120);
/// For many messages at once on a machine with two cores.
const UNDER_LOAD: RetryPolicy = RetryPolicy {
    attempt: Duration::from_secs(60),
    request: Duration::from_secs(180),
    reserve: Duration::from_secs(10),
};

/// A message as a producer sends it, with its sku as the key.
fn message(id: &str, sku: &str, kind: Kind, quantity: u64) -> Record {
    (sku.to_owned(), Some(delivery(id, sku, kind, quantity).raw))
}

/// A consumer in this process.
struct Consumer {
    stop: watch::Sender<bool>,
    tally: watch::Receiver<ConsumerProgress>,
    task: JoinHandle<Result<ConsumerProgress, ConsumeError>>,
}

impl Consumer {
    fn start(workspace: &Workspace, broker: &Broker, group: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (reports, tally) = watch::channel(ConsumerProgress::default());
        let (app, options) = (workspace.app.clone(), broker.options(group));
        let task = tokio::spawn(async move { kafka::consume(&app, &options, stopped, reports).await });
        Self { stop, tally, task }
    }

    /// Waits until its report satisfies the condition.
    async fn until(&self, what: &str, is_reached: impl Fn(&ConsumerProgress) -> bool) {
        let look =
            || async { if is_reached(&self.tally.borrow()) { Ok(()) } else { Err(*self.tally.borrow()) } };
        let waited = wait::within(LONG, look).await;
        assert!(waited.is_ok(), "timed out waiting until {what}: {waited:?}");
    }

    /// Stops it as a signal does.
    async fn end(self) -> ConsumerProgress {
        let _ = self.stop.send(true);
        self.task.await.unwrap().unwrap()
    }
}

/// Waits until a group has committed the whole topic.
async fn all_committed(broker: &Broker, group: &str) {
    let observer = broker.observer(group);
    let ends = observer.ends();
    let look = || async {
        let committed = observer.committed();
        if committed == ends { Ok(()) } else { Err(committed) }
    };
    let waited = wait::within(LONG, look).await;
    assert!(waited.is_ok(), "not everything is committed: {waited:?} of {ends:?}");
}

async fn products(workspace: &Workspace) -> Vec<Product> {
    let page = workspace.app.inventory().list(Order::BySku, 100, None).await.unwrap();
    assert_eq!(page.next, None);
    page.items
}

async fn stocks(workspace: &Workspace) -> BTreeMap<String, u64> {
    products(workspace)
        .await
        .into_iter()
        .map(|product| (product.sku.to_string(), product.stock.get()))
        .collect()
}

/// The number of movements.
async fn movements(workspace: &Workspace) -> u64 {
    products(workspace).await.iter().map(|product| product.version.get()).sum()
}

async fn dead_letters(workspace: &Workspace) -> Vec<DeadLetter> {
    all_dead_letters(workspace, DeadLetterStatus::Open).await
}

/// The messages of many producers, and the stock that they must lead to.
struct Crowd {
    /// The messages of each producer.
    producers: Vec<Vec<Record>>,
    stocks: BTreeMap<String, u64>,
    movements: u64,
    dead_letters: usize,
}

impl Crowd {
    const OPENING: u64 = 10_000;

    /// Sixteen producers with 125 messages each. About a third of the messages are repeats. Each message can always
    /// or never be applied, so the final stock does not depend on the order.
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let skus: Vec<String> = (0..20).map(|number| format!("S{number:02}")).collect();
        let mut crowd = Self {
            producers: Vec::new(),
            stocks: skus.iter().map(|sku| (sku.clone(), Self::OPENING)).collect(),
            movements: 20,
            dead_letters: 0,
        };
        for producer in 0..16 {
            let mut sent: Vec<Record> = Vec::new();
            for number in 0..125 {
                if number > 0 && dice.roll(10) < 3 {
                    sent.push(dice.pick(&sent).clone());
                } else {
                    let new = crowd.new_message(&mut dice, &skus, &format!("p{producer}-{number}"));
                    sent.push(new);
                }
            }
            crowd.producers.push(sent);
        }
        crowd
    }

    fn new_message(&mut self, dice: &mut Dice, skus: &[String], id: &str) -> Record {
        let sku: &String = dice.pick(skus);
        let quantity = 1 + dice.roll(9) as u64;
        let stock = self.stocks.get_mut(sku).unwrap();
        match dice.roll(20) {
            0 => {
                self.dead_letters += 1;
                message(id, sku, Kind::Sale, 1_000_000)
            }
            1 => {
                self.dead_letters += 1;
                message(id, &format!("NO-{sku}"), Kind::Return, quantity)
            }
            which => {
                self.movements += 1;
                let kind = [Kind::Sale, Kind::Sale, Kind::Return, Kind::Receipt][which % 4];
                *stock = if kind == Kind::Sale { *stock - quantity } else { *stock + quantity };
                message(id, sku, kind, quantity)
            }
        }
    }

    /// Each producer's messages in one of three parts.
    fn part(&self, part: usize) -> Vec<Vec<Record>> {
        let third = |sent: &Vec<Record>| sent.chunks(42).nth(part).unwrap_or_default().to_vec();
        self.producers.iter().map(third).collect()
    }
}

async fn a_group_with_a_killed_member_and_late_joiners_reaches_the_expected_stock(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let crowd = Crowd::new(23);
    let opening: Vec<_> =
        crowd.stocks.keys().map(|sku| delivery(sku, sku, Kind::Count, Crowd::OPENING)).collect();
    workspace.app.inventory().apply_all(&opening, None).await.unwrap();
    let broker = Broker::new(4);
    // A reader polls the products: a negative stock could not be read.
    let looking = {
        let workspace = workspace.another(&environment, &environment.another_wire(), PATIENCE);
        tokio::spawn(async move {
            let mut times = tokio::time::interval(wait::POLL_INTERVAL);
            loop {
                times.tick().await;
                assert_eq!(stocks(&workspace).await.len(), 20);
            }
        })
    };
    let words = broker.words("shop");
    let killed = Run::on_table(&environment, words.iter().map(String::as_str));
    broker.send(crowd.part(0));
    let moved = async |more: u64| {
        let before = movements(&workspace).await;
        let look = || async { if movements(&workspace).await >= before + more { Ok(()) } else { Err(()) } };
        wait::within(LONG, look).await.expect("stocks move");
    };
    moved(100).await;
    let second = Consumer::start(
        &workspace.another(&environment, &environment.another_wire(), UNDER_LOAD),
        &broker,
        "shop",
    );
    second.until("it has partitions", |tally| tally.partitions > 0).await;
    broker.send(crowd.part(1));
    moved(60).await;
    killed.signal("KILL");
    assert_eq!(killed.ended().await, None, "{}", killed.err());
    let late = Consumer::start(
        &workspace.another(&environment, &environment.another_wire(), UNDER_LOAD),
        &broker,
        "shop",
    );
    broker.send(crowd.part(2));
    all_committed(&broker, "shop").await;
    let both = [second.end().await, late.end().await];
    assert!(both.iter().all(|tally| tally.finished() > 0), "both had work: {both:?}");
    looking.abort();
    assert!(looking.await.unwrap_err().is_cancelled(), "a stock could not be read");

    assert_eq!(stocks(&workspace).await, crowd.stocks);
    let expected = Checked { products: 20, movements: crowd.movements, ..Checked::default() };
    assert_eq!(check_all(&workspace).await, expected);
    assert_eq!(dead_letters(&workspace).await.len(), crowd.dead_letters);
    // Another group reads the whole topic again.
    let again = Consumer::start(&workspace, &broker, "another");
    all_committed(&broker, "another").await;
    let tally = again.end().await;
    assert_eq!((tally.applied, tally.dead_letters, tally.duplicates), (0, 0, 2_000));
    assert_eq!(
        (check_all(&workspace).await, dead_letters(&workspace).await.len()),
        (expected, crowd.dead_letters)
    );
    let groups: BTreeSet<_> = workspace
        .app
        .inventory()
        .list_progress(100, None)
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|one| one.group)
        .collect();
    assert!(groups.contains("another"), "{groups:?}");
}

async fn messages_of_one_sku_share_transactions(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(4);
    let mut sent = vec![message("open", "HOT", Kind::Count, 10_000)];
    sent.extend((0..499).map(|number| message(&format!("m{number}"), "HOT", Kind::Sale, 1)));
    broker.send(vec![sent]);
    environment.wire().reset();
    let consumer = Consumer::start(&workspace, &broker, "shop");
    all_committed(&broker, "shop").await;
    assert_eq!(consumer.end().await.applied, 500);
    let (writes, calls) = (environment.wire().count(WRITE), environment.wire().total());
    // Thirty messages per transaction make 17 transactions. The first batches are smaller, and the health report
    // adds calls.
    assert!(writes <= 60 && calls <= 120, "{writes} transactions, {calls} calls");
    assert_eq!(stocks(&workspace).await["HOT"], 9_501);
    let expected = Checked { products: 1, movements: 500, ..Checked::default() };
    assert_eq!(check_all(&workspace).await, expected);
}

async fn concurrent_sales_over_kafka_and_http_sell_the_stock_and_the_rest_become_dead_letters(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    workspace.app.inventory().apply_all(&[delivery("open", "HOT", Kind::Count, 100)], None).await.unwrap();
    let broker = Broker::new(1);
    let consumer = Consumer::start(
        &workspace.another(&environment, &environment.another_wire(), UNDER_LOAD),
        &broker,
        "shop",
    );
    consumer.until("it has the partition", |tally| tally.partitions > 0).await;
    let selling = (0..15).map(|lane| {
        let workspace = workspace.another(&environment, &environment.another_wire(), UNDER_LOAD);
        tokio::spawn(async move {
            let sale = |number| {
                let sale = delivery(&format!("http{lane}-{number}"), "HOT", Kind::Sale, 1);
                serde_json::from_slice::<Value>(&sale.raw).unwrap()
            };
            let sales: Vec<Value> = (0..10).map(sale).collect();
            let seller = workspace.agent().await;
            seller.post("/api/inventory/events").json(&json!(sales)).send().await.expect(200);
        })
    });
    let selling: Vec<_> = selling.collect();
    broker.send(
        (0..10)
            .map(|lane| {
                (0..15)
                    .map(|number| message(&format!("kafka{lane}-{number}"), "HOT", Kind::Sale, 1))
                    .collect()
            })
            .collect(),
    );
    for seller in selling {
        seller.await.unwrap();
    }
    all_committed(&broker, "shop").await;
    consumer.end().await;
    assert_eq!(stocks(&workspace).await["HOT"], 0);
    let expected = Checked { products: 1, movements: 101, ..Checked::default() };
    assert_eq!(check_all(&workspace).await, expected);
    let waiting = dead_letters(&workspace).await;
    assert_eq!(waiting.len(), 200);
    assert!(waiting.iter().all(|letter| letter.reason.name == "insufficient-stock"));
}

/// A message that is invalid or cannot be applied, with the reason.
fn poison(id: usize) -> (Record, &'static str) {
    let body: Value = json!({
        "schema": 1, "messageId": format!("poison{id}"), "sku": "A1", "kind": "SALE", "quantity": 1,
        "occurredAt": "2026-11-22T00:00:00Z",
    });
    let with = |field: &str, value: Value| {
        let mut body = body.clone();
        body[field] = value;
        Some(body.to_string().into_bytes())
    };
    let (value, reason) = match id % 6 {
        0 => (Some(b"{\"schema\":1,".to_vec()), "bad-json"),
        1 => (None, "bad-json"),
        2 => (with("schema", json!(2)), "wrong-schema"),
        3 => (with("sku", json!("NOBODYS")), "unknown-sku"),
        4 => (with("quantity", json!(1_000_000)), "insufficient-stock"),
        _ => (with("messageId", json!("m0-0")), "conflicting-duplicate"),
    };
    (("A1".to_owned(), value), reason)
}

async fn a_poison_message_stops_nothing_at_any_position(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(1);
    let mut sent = vec![message("open", "A1", Kind::Count, 1_000), message("m0-0", "A1", Kind::Return, 7)];
    let mut reasons = BTreeMap::new();
    // Every kind of poison at every position among five good messages.
    for round in 0..36 {
        let (poison, reason) = poison(round);
        let mut batch: Vec<Record> =
            (0..5).map(|number| message(&format!("g{round}-{number}"), "A1", Kind::Sale, 1)).collect();
        batch.insert(round / 6, poison);
        sent.extend(batch);
        *reasons.entry(reason.to_owned()).or_insert(0) += 1;
    }
    broker.send(vec![sent.clone()]);
    let consumer = Consumer::start(&workspace, &broker, "shop");
    all_committed(&broker, "shop").await;
    let tally = consumer.end().await;
    assert_eq!((tally.applied, tally.dead_letters, tally.duplicates), (182, 36, 0));
    assert_eq!(stocks(&workspace).await, BTreeMap::from([("A1".to_owned(), 1_007 - 180)]));
    let waiting = dead_letters(&workspace).await;
    let mut counts = BTreeMap::new();
    for letter in &waiting {
        *counts.entry(letter.reason.name.clone()).or_insert(0) += 1;
    }
    assert_eq!(counts, reasons);
    // Each dead letter keeps the whole record and its position.
    for letter in waiting {
        let place = usize::try_from(letter.source.offset.unwrap()).unwrap();
        let (_, raw) = workspace.app.inventory().find_dead_letter(letter.id).await.unwrap();
        assert_eq!(raw, sent[place].1.clone().unwrap_or_default(), "{place}");
    }
}

async fn a_consumer_waits_for_a_failing_store_and_skips_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(2);
    let skus: Vec<String> = (0..6).map(|number| format!("S{number}")).collect();
    let mut sent: Vec<Record> =
        skus.iter().map(|sku| message(&format!("open-{sku}"), sku, Kind::Count, 1)).collect();
    // Each sale needs the return before it, so only the original order works.
    for number in 0..40 {
        for sku in &skus {
            sent.push(message(&format!("{sku}-sale-{number}"), sku, Kind::Sale, 1));
            sent.push(message(&format!("{sku}-back-{number}"), sku, Kind::Return, 1));
        }
    }
    let all = sent.len() as u64;
    broker.send(vec![sent]);
    let wire = environment.another_wire();
    let hasty = RetryPolicy {
        attempt: Duration::from_secs(5),
        request: Duration::from_millis(1_500),
        reserve: Duration::from_millis(100),
    };
    wire.always(WRITE, Fault::ConnectionRefused);
    let consumer = Consumer::start(&workspace.another(&environment, &wire, hasty), &broker, "shop");
    consumer.until("messages are tried again", |tally| tally.again > 4).await;
    assert_eq!(
        (consumer.tally.borrow().finished(), broker.observer("shop").committed()),
        (0, BTreeMap::new())
    );
    wire.reset();
    let mut dice = Dice(5);
    for _ in 0..40 {
        wire.next(WRITE, a_fault(&mut dice));
    }
    all_committed(&broker, "shop").await;
    // If the reply is lost when the retries run out, the message was applied and is a duplicate at the next try.
    let tally = consumer.end().await;
    assert_eq!((tally.finished(), tally.dead_letters, check_all(&workspace).await.movements), (all, 0, all));
    assert!(stocks(&workspace).await.values().all(|stock| *stock == 1));
    assert_eq!((dead_letters(&workspace).await, check_all(&workspace).await.differences), (vec![], vec![]));
}

async fn a_killed_consumer_loses_and_repeats_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(2);
    let skus = ["A1", "B1", "C1", "D1"];
    let mut sent: Vec<Record> =
        skus.iter().map(|sku| message(&format!("open-{sku}"), sku, Kind::Count, 500)).collect();
    sent.extend((0..400).map(|number| message(&format!("m{number}"), skus[number % 4], Kind::Sale, 1)));
    broker.send(vec![sent]);
    let wire = environment.another_wire();
    // Some writes succeed without a reply, and some hang.
    wire.times(3, WRITE, Fault::StatusAfterCommit(500));
    let first = Consumer::start(&workspace.another(&environment, &wire, PATIENCE), &broker, "shop");
    first.until("some are finished", |tally| tally.finished() > 8).await;
    let gate = wire.hold(2, WRITE);
    gate.arrived(1).await;
    first.task.abort();
    assert!(first.task.await.is_err_and(|error| error.is_cancelled()));
    let next = Consumer::start(&workspace, &broker, "shop");
    all_committed(&broker, "shop").await;
    gate.open();
    next.end().await;
    assert!(stocks(&workspace).await.values().all(|stock| *stock == 400));
    let expected = Checked { products: 4, movements: 404, ..Checked::default() };
    assert_eq!((check_all(&workspace).await, dead_letters(&workspace).await), (expected, vec![]));
}

/// The number of messages that a consumer reports as finished.
fn finished(report: &str) -> u64 {
    let count = report
        .strip_prefix("Finished ")
        .and_then(|rest| rest.split(' ').next()?.replace(',', "").parse().ok());
    count.unwrap_or_else(|| panic!("it does not report a number: {report}"))
}

async fn a_stopped_consumer_commits_its_work_and_the_next_one_continues(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(2);
    let skus: Vec<String> = (0..8).map(|number| format!("S{number}")).collect();
    let mut sent: Vec<Record> =
        skus.iter().map(|sku| message(&format!("open-{sku}"), sku, Kind::Count, 1_000)).collect();
    sent.extend((0..1_600).map(|number| message(&format!("m{number}"), &skus[number % 8], Kind::Sale, 1)));
    broker.send(vec![sent]);
    let words = broker.words("shop");
    let consume = || Run::on_table(&environment, words.iter().map(String::as_str));
    let first = consume();
    let look = || async { if movements(&workspace).await > 20 { Ok(()) } else { Err(()) } };
    wait::within(LONG, look).await.expect("stocks move");
    first.signal("TERM");
    let first_report = first.succeeds().await;
    assert!(first.err().contains("SIGTERM: finishing running work"), "{}", first.err());
    let committed: i64 = broker.observer("shop").committed().values().sum();
    assert!(committed > 0, "what was finished is committed");

    let next = consume();
    all_committed(&broker, "shop").await;
    next.signal("INT");
    let all = finished(&first_report) + finished(&next.succeeds().await);
    // Messages finished after an unfinished one are read again.
    let twice = all - 1_608;
    assert_eq!(u64::try_from(committed).unwrap() + twice, finished(&first_report), "{first_report}");
    assert!(stocks(&workspace).await.values().all(|stock| *stock == 800));
    assert_eq!(check_all(&workspace).await, Checked { products: 8, movements: 1_608, ..Checked::default() });
}

async fn invalid_kafka_settings_are_refused_with_a_reason(_: TestEnvironment) {
    let data = Data::new();
    let refused = async |set: &str, code: i32| {
        let words = ["consume", "--brokers", "127.0.0.1:1", "--group", "g", "--set", set];
        data.holdfast(&words).fails(code).await
    };
    // No value is shown, because it may be a secret.
    let unknown = refused("sasl.pasword=s3cret-value", 1).await;
    assert!(unknown.contains("sasl.pasword") && !unknown.contains("s3cret-value"), "{unknown}");
    let ours = refused("enable.auto.commit=false", 2).await;
    assert!(ours.contains("--set") && ours.contains("Holdfast sets the brokers"), "{ours}");
    if !cfg!(feature = "kafka-tls") {
        let tls = refused("security.protocol=ssl", 1).await;
        assert!(tls.contains("--features kafka-tls"), "{tls}");
    }
}

async fn batches_with_every_compression_are_read(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(1);
    let all = ["none", "gzip", "snappy", "lz4", "zstd"];
    for compression in all {
        let messages =
            (0..20).map(|number| message(&format!("{compression}-{number}"), "A1", Kind::Receipt, 1));
        broker.send_compressed(compression, messages.collect());
    }
    let consumer = Consumer::start(&workspace, &broker, "shop");
    all_committed(&broker, "shop").await;
    let tally = consumer.end().await;
    assert_eq!((tally.applied, tally.dead_letters), (100, 0));
    assert_eq!(stocks(&workspace).await["A1"], 100);
}

async fn framing_around_json_is_removed_and_other_formats_are_named(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(1);
    let json = |id: &str| {
        format!(
            r#"{{"schema":1.0,"messageId":"{id}","sku":"K3","kind":"RECEIPT","quantity":6.0,"occurredAt":"2026-01-01T00:00:00Z","traceId":"abc"}}"#
        )
        .into_bytes()
    };
    let sent = |bytes: Vec<u8>| ("K3".to_owned(), Some(bytes));
    let framed = |schema: u8, rest: &[u8]| [&[0, 0, 0, 0, schema], rest].concat();
    broker.send(vec![vec![
        sent([b"\xef\xbb\xbf", &json("bom")[..]].concat()),
        sent(framed(7, &json("framed"))),
        sent(framed(8, &[2, 72, 101])),
        ("K3".to_owned(), None),
        sent(b"\xff\xfe{\0}\0".to_vec()),
    ]]);
    let consumer = Consumer::start(&workspace, &broker, "shop");
    all_committed(&broker, "shop").await;
    let tally = consumer.end().await;
    assert_eq!((tally.applied, tally.dead_letters, tally.ignored), (2, 3, 2));
    assert_eq!(stocks(&workspace).await["K3"], 12);
    let mut words: Vec<_> =
        dead_letters(&workspace).await.into_iter().map(|one| (one.source.offset, one.reason.words)).collect();
    words.sort();
    for ((offset, words), (expected, part)) in
        words.iter().zip([(2, "Confluent's wire format with schema ID 8"), (3, "tombstone"), (4, "UTF-16")])
    {
        assert!(*offset == Some(expected) && words.contains(part), "{offset:?}: {words}");
    }
}

async fn a_record_that_is_too_large_keeps_its_beginning_length_and_hash(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(1);
    let large = [b"{\"large\":\"", "x".repeat(3_000_000).as_bytes()].concat();
    broker.send(vec![vec![("A1".to_owned(), Some(large.clone())), message("after", "A1", Kind::Count, 3)]]);
    let consumer = Consumer::start(&workspace, &broker, "shop");
    all_committed(&broker, "shop").await;
    let tally = consumer.end().await;
    assert_eq!((tally.applied, tally.dead_letters, tally.again), (1, 1, 0), "it stops nothing");
    let kept = dead_letters(&workspace).await.remove(0);
    assert_eq!((kept.bytes, kept.sha256.as_ref().map(String::len)), (3_000_010, Some(64)));
    let (_, head) = workspace.app.inventory().find_dead_letter(kept.id).await.unwrap();
    assert!(head.len() > 200_000 && large.starts_with(&head));
    let agent = workspace.agent().await;
    let retry =
        agent.post(&format!("/api/inventory/parked/{}/retry", kept.id)).json(&json!({ "version": 1 }));
    let refused: Value = retry.send().await.expect(422).json();
    assert_eq!(refused["reason"]["name"], "too-large");
}

async fn a_recreated_topic_is_detected_before_any_of_its_messages_is_applied(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let broker = Broker::new(1);
    broker.send(vec![vec![message("one", "A1", Kind::Count, 3)]]);
    broker.commit("shop", 50);
    let consumer = Consumer::start(&workspace, &broker, "shop");
    let ended = tokio::time::timeout(LONG, consumer.task).await.expect("it ends").unwrap();
    let Err(error @ ConsumeError::Recreated { committed: 50, end: 1, .. }) = ended else {
        panic!("{ended:?}")
    };
    let words = error.to_string();
    assert!(words.contains("inventory-events") && words.contains("group shop"), "{words}");
    assert_eq!(stocks(&workspace).await, BTreeMap::new());
    // A new group starts at the beginning of the new topic.
    let consumer = Consumer::start(&workspace, &broker, "another");
    all_committed(&broker, "another").await;
    assert_eq!(consumer.end().await.applied, 1);
}

async fn an_unreachable_broker_is_reported_once(_: TestEnvironment) {
    let data = Data::new();
    let words = ["consume", "--brokers", "127.0.0.1:1", "--group", "g"];
    let often = ["--set", "reconnect.backoff.ms=10", "--set", "reconnect.backoff.max.ms=20"];
    let run = data.holdfast_logging("holdfast=debug", &[&words[..], &often[..]].concat());
    let held_back =
        || run.err().lines().filter(|line| line.contains("DEBUG") && line.contains("kafka")).count();
    wait::until("it has tried again and again", async || held_back() > 40).await;
    let said = run.err();
    let warnings: Vec<_> = said.lines().filter(|line| line.contains("WARN")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("127.0.0.1:1"), "{warnings:#?}");
    run.signal("INT");
    run.ended().await;
}
