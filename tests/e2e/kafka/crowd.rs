//! Many producers at once: a group with members that die and join late, and sales over Kafka and HTTP.

use std::collections::{BTreeMap, BTreeSet};

use holdfast::inventory::check::Checked;
use holdfast::inventory::domain::Kind;
use serde_json::{Value, json};

use super::{Consumer, LONG, WRITE, all_committed, dead_letters, message, movements, stocks};
use crate::inventory::{check_all, delivery};
use crate::process::binary::Run;
use crate::support::chance::Dice;
use crate::support::kafka::{Broker, Record};
use crate::support::workspace::{TEST_RETRIES, UNDER_LOAD, Workspace};
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: concurrent_sales_over_kafka_and_http_sell_the_stock_and_the_rest_become_dead_letters;
        dynamodb: a_group_with_a_killed_member_and_late_joiners_reaches_the_expected_stock;
        app: messages_of_one_sku_share_transactions
    ]
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
        let workspace = workspace.another(&environment, &environment.another_wire(), TEST_RETRIES);
        tokio::spawn(async move {
            let mut times = tokio::time::interval(wait::POLL_INTERVAL);
            loop {
                times.tick().await;
                assert_eq!(stocks(&workspace).await.len(), 20);
            }
        })
    };
    consume_with_a_killed_member(&environment, &workspace, &broker, &crowd).await;
    looking.abort();
    assert!(looking.await.unwrap_err().is_cancelled(), "a stock could not be read");
    crowd.assert_applied(&workspace).await;
    assert_another_group_changes_nothing(&workspace, &broker).await;
    crowd.assert_applied(&workspace).await;
}

/// Waits until the messages have made this many more movements.
async fn moved(workspace: &Workspace, more: u64) {
    let before = movements(workspace).await;
    let look = || async { if movements(workspace).await >= before + more { Ok(()) } else { Err(()) } };
    wait::within(LONG, look).await.expect("stocks move");
}

/// Sends all messages to a group: its first member is killed, and two others join late.
async fn consume_with_a_killed_member(
    environment: &TestEnvironment,
    workspace: &Workspace,
    broker: &Broker,
    crowd: &Crowd,
) {
    let join = || {
        let workspace = workspace.another(environment, &environment.another_wire(), UNDER_LOAD);
        Consumer::start(&workspace, broker, "shop")
    };
    let words = broker.words("shop");
    let killed = Run::on_table(environment, words.iter().map(String::as_str));
    broker.send(crowd.part(0));
    moved(workspace, 100).await;
    let second = join();
    second.until("it has partitions", |progress| progress.partitions > 0).await;
    broker.send(crowd.part(1));
    moved(workspace, 60).await;
    killed.signal("KILL");
    assert_eq!(killed.ended().await, None, "{}", killed.err());
    let late = join();
    broker.send(crowd.part(2));
    all_committed(broker, "shop").await;
    let both = [second.end().await, late.end().await];
    assert!(both.iter().all(|progress| progress.finished() > 0), "both had work: {both:?}");
}

impl Crowd {
    /// Asserts that each message was applied once, or is a dead letter.
    async fn assert_applied(&self, workspace: &Workspace) {
        assert_eq!(stocks(workspace).await, self.stocks);
        let expected = Checked { products: 20, movements: self.movements, ..Checked::default() };
        assert_eq!(check_all(workspace).await, expected);
        assert_eq!(dead_letters(workspace).await.len(), self.dead_letters);
    }
}

/// Another group reads the whole topic again.
async fn assert_another_group_changes_nothing(workspace: &Workspace, broker: &Broker) {
    let again = Consumer::start(workspace, broker, "another");
    all_committed(broker, "another").await;
    let progress = again.end().await;
    assert_eq!((progress.applied, progress.dead_letters, progress.duplicates), (0, 0, 2_000));
    let progress = workspace.app.inventory().list_progress(100, None).await.unwrap().items;
    let groups: BTreeSet<_> = progress.into_iter().map(|one| one.group).collect();
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
    consumer.until("it has the partition", |progress| progress.partitions > 0).await;
    let selling = (0..15).map(|seller| {
        let workspace = workspace.another(&environment, &environment.another_wire(), UNDER_LOAD);
        tokio::spawn(async move {
            let sale = |number| {
                let sale = delivery(&format!("http{seller}-{number}"), "HOT", Kind::Sale, 1);
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
            .map(|worker| {
                (0..15)
                    .map(|number| message(&format!("kafka{worker}-{number}"), "HOT", Kind::Sale, 1))
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
