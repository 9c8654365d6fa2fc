//! Consuming a topic with a real consumer group: shared partitions, kills, late joins, failures and shutdown.

mod crowd;
mod records;

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast::hosts::kafka;
use holdfast::hosts::kafka::{ConsumeError, ConsumerProgress};
use holdfast::inventory::check::Checked;
use holdfast::inventory::domain::{DeadLetter, DeadLetterStatus, Kind, Product};
use holdfast::inventory::store::Order;
use holdfast::store::RetryPolicy;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::inventory::{check_all, dead_letters as all_dead_letters, delivery};
use crate::process::binary::{Data, Run};
use crate::support::chance::{Dice, a_fault};
use crate::support::kafka::{Broker, Record};
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases, wait};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        store: a_consumer_waits_for_a_failing_store_and_skips_nothing;
        dynamodb: a_stopped_consumer_commits_its_work_and_the_next_one_continues;
        app: a_killed_consumer_loses_and_repeats_nothing;
        embedded: invalid_kafka_settings_are_refused_with_a_reason,
            a_recreated_topic_is_detected_before_any_of_its_messages_is_applied,
            an_unreachable_broker_is_reported_once
    ];
    cases.extend(crowd::all());
    cases.extend(records::all());
    cases
}

const WRITE: &str = "TransactWriteItems";

/// Rebalances of this broker take seconds, more on a loaded machine.
const LONG: Duration = Duration::from_secs(120);

/// A message as a producer sends it, with its sku as the key.
fn message(id: &str, sku: &str, kind: Kind, quantity: u64) -> Record {
    (sku.to_owned(), Some(delivery(id, sku, kind, quantity).raw))
}

/// A consumer in this process.
struct Consumer {
    stop: watch::Sender<bool>,
    progress: watch::Receiver<ConsumerProgress>,
    task: JoinHandle<Result<ConsumerProgress, ConsumeError>>,
}

impl Consumer {
    fn start(workspace: &Workspace, broker: &Broker, group: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (reports, progress) = watch::channel(ConsumerProgress::default());
        let (app, options) = (workspace.app.clone(), broker.options(group));
        let task = tokio::spawn(async move { kafka::consume(&app, &options, stopped, reports).await });
        Self { stop, progress, task }
    }

    /// Waits until its report satisfies the condition.
    async fn until(&self, what: &str, is_reached: impl Fn(&ConsumerProgress) -> bool) {
        let look = || async {
            if is_reached(&self.progress.borrow()) { Ok(()) } else { Err(*self.progress.borrow()) }
        };
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
    consumer.until("messages are tried again", |progress| progress.again > 4).await;
    assert_eq!(
        (consumer.progress.borrow().finished(), broker.observer("shop").committed()),
        (0, BTreeMap::new())
    );
    wire.reset();
    let mut dice = Dice(5);
    for _ in 0..40 {
        wire.next(WRITE, a_fault(&mut dice));
    }
    all_committed(&broker, "shop").await;
    // If the reply is lost when the retries run out, the message was applied and is a duplicate at the next try.
    let progress = consumer.end().await;
    assert_eq!(
        (progress.finished(), progress.dead_letters, check_all(&workspace).await.movements),
        (all, 0, all)
    );
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
    let first = Consumer::start(&workspace.another(&environment, &wire, TEST_RETRIES), &broker, "shop");
    first.until("some are finished", |progress| progress.finished() > 8).await;
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
