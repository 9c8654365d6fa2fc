//! Stocks and the messages that change them, without HTTP.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use futures_util::future::join_all;
use holdfast::base::identity::Actor;
use holdfast::base::values::Version;
use holdfast::inventory::InventoryError;
use holdfast::inventory::check::Checked;
use holdfast::inventory::domain::{
    Channel, DeadLetter, DeadLetterStatus, Delivery, Kind, Message, MessageId, Outcome, ParseError, Sku,
    Source, Units,
};
use holdfast::inventory::store::{Adjustment, DetailsChange, Order};
use holdfast::shared::dead_letters::service::DeadLetters as _;
use jiff::Timestamp;

use crate::support::chance::{Dice, a_fault};
use crate::support::workspace::{UNDER_LOAD, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: a_repeated_message_is_applied_once,
            a_message_that_cannot_be_applied_becomes_a_dead_letter_and_the_others_are_applied,
            three_hundred_sales_of_a_hundred_pieces_leave_two_hundred_dead_letters,
            two_consumers_of_the_same_messages_reach_the_expected_stock_under_faults,
            five_hundred_messages_of_one_sku_need_few_transactions,
            a_dead_letter_can_be_retried_when_it_fits_and_only_once,
            an_adjustment_applies_only_to_the_version_it_names,
            products_are_listed_low_stock_first_and_page_by_page,
            a_foreign_movement_is_an_error_and_not_retried_forever;
        app: a_dismissed_message_changes_nothing_even_when_repeated,
            details_can_be_changed_while_the_stock_moves,
            a_check_names_every_difference
    ]
}

const WRITE: &str = "TransactWriteItems";

fn sku(text: &str) -> Sku {
    text.parse().unwrap()
}

fn units(number: u64) -> Units {
    number.try_into().unwrap()
}

fn by() -> Actor {
    Actor::new("Ada")
}

/// A message with this id.
pub fn delivery(id: &str, sku: &str, kind: Kind, quantity: u64) -> Delivery {
    let message = Message {
        message_id: id.parse().unwrap(),
        sku: sku.parse().unwrap(),
        kind,
        quantity: units(quantity),
        occurred_at: Timestamp::UNIX_EPOCH,
        reference: None,
        name: None,
        version: None,
    };
    let json = serde_json::json!({
        "schema": 1, "messageId": id, "sku": sku, "kind": kind, "quantity": quantity,
        "occurredAt": "1970-01-01T00:00:00Z",
    });
    Delivery { message, source: Source::of(Channel::Api), raw: json.to_string().into_bytes(), ignored: 0 }
}

async fn apply(workspace: &Workspace, deliveries: &[Delivery]) -> Vec<Outcome> {
    workspace.app.inventory().apply_all(deliveries, None).await.unwrap()
}

fn summaries(outcomes: &[Outcome]) -> Vec<String> {
    let one = |outcome: &Outcome| match outcome {
        Outcome::Applied(movement) => format!("{}→{}", movement.before, movement.after),
        Outcome::DeadLetter(letter) => letter.reason.name.clone(),
        Outcome::Duplicate => "duplicate".to_owned(),
    };
    outcomes.iter().map(one).collect()
}

/// The stock of a product.
pub async fn stock(workspace: &Workspace, text: &str) -> u64 {
    workspace.app.inventory().find(&sku(text)).await.unwrap().stock.get()
}

/// All dead letters with this status.
pub async fn dead_letters(workspace: &Workspace, status: DeadLetterStatus) -> Vec<DeadLetter> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = workspace.app.inventory().list_dead_letters(status, 100, cursor.as_deref()).await.unwrap();
        all.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return all,
        }
    }
}

/// Runs a complete check.
pub async fn check_all(workspace: &Workspace) -> Checked {
    let (mut all, mut cursor) = (Checked::default(), None);
    loop {
        let step = workspace.app.inventory().check_step(cursor.as_deref()).await.unwrap();
        all.products += step.products;
        all.movements += step.movements;
        all.differences.extend(step.differences);
        match step.next {
            Some(next) => cursor = Some(next),
            None => return all,
        }
    }
}

async fn a_repeated_message_is_applied_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let all = [
        delivery("m1", "A1", Kind::Receipt, 10),
        delivery("m2", "A1", Kind::Sale, 3),
        delivery("m2", "A1", Kind::Sale, 3),
        delivery("m3", "B1", Kind::Count, 5),
    ];
    assert_eq!(summaries(&apply(&workspace, &all).await), ["0→10", "10→7", "duplicate", "0→5"]);
    for _ in 0..3 {
        assert_eq!(summaries(&apply(&workspace, &all).await), ["duplicate"; 4]);
    }
    let movements = workspace.app.inventory().movements(&sku("a1"), 10, None).await.unwrap().items;
    assert_eq!(movements.len(), 2);
    assert_eq!((movements[0].kind, movements[0].before.get(), movements[0].after.get()), (Kind::Sale, 10, 7));
    // The same id with other content, even for another product, becomes a dead letter.
    let other = [delivery("m2", "A1", Kind::Sale, 4), delivery("m3", "A1", Kind::Return, 1)];
    assert_eq!(summaries(&apply(&workspace, &other).await), ["conflicting-duplicate"; 2]);
    assert_eq!(summaries(&apply(&workspace, &other).await), ["duplicate"; 2], "one dead letter is kept");
    assert_eq!((stock(&workspace, "A1").await, stock(&workspace, "B1").await), (7, 5));
    assert_eq!(dead_letters(&workspace, DeadLetterStatus::Open).await.len(), 2);
}

async fn a_message_that_cannot_be_applied_becomes_a_dead_letter_and_the_others_are_applied(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let all = [
        delivery("m1", "A1", Kind::Sale, 1),
        delivery("m2", "A1", Kind::Receipt, 2),
        delivery("m3", "A1", Kind::Sale, 3),
        delivery("m4", "A1", Kind::Sale, 2),
    ];
    assert_eq!(
        summaries(&apply(&workspace, &all).await),
        ["unknown-sku", "0→2", "insufficient-stock", "2→0"]
    );
    // A message that is not text and larger than one item of the table.
    let bytes: Vec<u8> = (0..700_000_u32).map(|number| (number % 251) as u8).collect();
    let place = Source::kafka("inventory-events", 2, 77);
    let error = Delivery::of_bytes(&place, bytes.clone()).unwrap_err();
    assert!(matches!(error, ParseError::NotJson(_)));
    let one = workspace.app.inventory().add_dead_letter(&place, &bytes, &error).await.unwrap();
    assert_eq!(
        workspace.app.inventory().add_dead_letter(&place, &bytes, &error).await.unwrap(),
        one,
        "kept once"
    );
    let (found, raw) = workspace.app.inventory().find_dead_letter(one.id).await.unwrap();
    assert_eq!((found.source.clone(), found.bytes, raw == bytes), (place, 700_000, true));
    let open = dead_letters(&workspace, DeadLetterStatus::Open).await;
    let mut names: Vec<_> = open.iter().map(|letter| letter.reason.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["bad-json", "insufficient-stock", "unknown-sku"]);
    let (_, raw) = workspace
        .app
        .inventory()
        .find_dead_letter(open.iter().find(|letter| letter.sku.is_some()).unwrap().id)
        .await
        .unwrap();
    assert!(String::from_utf8(raw).unwrap().contains("\"SALE\""));
}

async fn three_hundred_sales_of_a_hundred_pieces_leave_two_hundred_dead_letters(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    apply(&workspace, &[delivery("count", "HOT", Kind::Count, 100)]).await;
    let selling = (0..30).map(|seller| {
        let workspace = workspace.another(&environment, &environment.another_wire(), UNDER_LOAD);
        tokio::spawn(async move {
            let sales: Vec<Delivery> = (0..10)
                .map(|number| delivery(&format!("s{seller}-{number}"), "HOT", Kind::Sale, 1))
                .collect();
            apply(&workspace, &sales).await
        })
    });
    let outcomes: Vec<Outcome> = join_all(selling).await.into_iter().flat_map(Result::unwrap).collect();
    let applied = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Applied(_))).count();
    let refused = summaries(&outcomes).into_iter().filter(|name| name == "insufficient-stock").count();
    assert_eq!((applied, refused, stock(&workspace, "HOT").await), (100, 200, 0));
    assert_eq!(dead_letters(&workspace, DeadLetterStatus::Open).await.len(), 200);
    assert_eq!(check_all(&workspace).await, Checked { products: 1, movements: 101, ..Checked::default() });
}

async fn two_consumers_of_the_same_messages_reach_the_expected_stock_under_faults(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let mut dice = Dice(11);
    let skus: Vec<String> = (0..6).map(|number| format!("S{number}")).collect();
    let mut all: Vec<Delivery> =
        skus.iter().map(|sku| delivery(&format!("open-{sku}"), sku, Kind::Count, 20)).collect();
    for number in 0..240 {
        let kind = *dice.pick(&[Kind::Sale, Kind::Sale, Kind::Return, Kind::Receipt]);
        let quantity = 1 + dice.roll(4) as u64;
        all.push(delivery(&format!("m{number}"), dice.pick::<String>(&skus), kind, quantity));
        if dice.roll(3) == 0 {
            let again = dice.pick(&all).clone();
            all.push(again);
        }
    }
    // Both consumers get all messages, in batches with different ends, as after a rebalance.
    let consuming = [7, 13].map(|batch| {
        let wire = environment.another_wire();
        let workspace = workspace.another(&environment, &wire, UNDER_LOAD);
        let (all, mut dice) = (all.clone(), Dice(batch));
        tokio::spawn(async move {
            for part in all.chunks(usize::try_from(batch).unwrap()) {
                if dice.roll(2) == 0 {
                    wire.next(WRITE, a_fault(&mut dice));
                }
                apply(&workspace, part).await;
            }
        })
    });
    for consumer in join_all(consuming).await {
        consumer.unwrap();
    }
    // The consumers overtake each other, so more sales may be refused than in order. What must hold:
    let mut distinct: BTreeMap<MessageId, &Delivery> = BTreeMap::new();
    for delivery in &all {
        distinct.entry(delivery.message.message_id.clone()).or_insert(delivery);
    }
    let waiting = dead_letters(&workspace, DeadLetterStatus::Open).await;
    let checked = check_all(&workspace).await;
    assert_eq!(checked.differences, []);
    assert_eq!(
        checked.movements as usize + waiting.len(),
        distinct.len(),
        "each is applied once or is a dead letter"
    );
    let refused: Vec<_> = waiting.iter().filter_map(|letter| letter.message_id.clone()).collect();
    for text in &skus {
        let applied = distinct.values().filter(|delivery| {
            delivery.message.sku.as_str() == text && !refused.contains(&delivery.message.message_id)
        });
        let sum: i64 = applied
            .map(|delivery| {
                let quantity = i64::try_from(delivery.message.quantity.get()).unwrap();
                if delivery.message.kind == Kind::Sale { -quantity } else { quantity }
            })
            .sum();
        assert_eq!(i64::try_from(stock(&workspace, text).await).unwrap(), sum, "{text}");
    }
    // All messages again change nothing.
    apply(&workspace, &all).await;
    assert_eq!(check_all(&workspace).await, checked);
}

async fn five_hundred_messages_of_one_sku_need_few_transactions(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let mut all = vec![delivery("open", "HOT", Kind::Count, 10_000)];
    all.extend((0..499).map(|number| delivery(&format!("m{number}"), "HOT", Kind::Sale, 1)));
    environment.wire().reset();
    apply(&workspace, &all).await;
    // Thirty messages in each transaction.
    assert_eq!(environment.wire().count(WRITE), 17);
    assert!(environment.wire().total() <= 34, "{} calls", environment.wire().total());
    assert_eq!(stock(&workspace, "HOT").await, 9_501);
    environment.wire().reset();
    apply(&workspace, &all).await;
    assert_eq!(
        environment.wire().count(WRITE),
        17,
        "a repeated batch is detected by one refused transaction"
    );
    assert_eq!(check_all(&workspace).await.movements, 500);
}

async fn a_dead_letter_can_be_retried_when_it_fits_and_only_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    apply(&workspace, &[delivery("open", "A1", Kind::Count, 2), delivery("big", "A1", Kind::Sale, 5)]).await;
    let waiting = dead_letters(&workspace, DeadLetterStatus::Open).await.remove(0);
    let retry =
        async || workspace.app.inventory().retry_dead_letter(waiting.id, Version::FIRST, &by(), None).await;
    assert!(
        matches!(retry().await, Err(InventoryError::StillRefused(reason)) if reason.name == "insufficient-stock")
    );
    apply(&workspace, &[delivery("more", "A1", Kind::Receipt, 10)]).await;
    // A repeated message does not apply it: a person may be deciding about it.
    assert_eq!(summaries(&apply(&workspace, &[delivery("big", "A1", Kind::Sale, 5)]).await), ["duplicate"]);
    assert_eq!(stock(&workspace, "A1").await, 12);
    environment.wire().next(WRITE, Fault::ReplyLost);
    let answers = join_all((0..8).map(|_| retry())).await;
    let mut done = 0;
    for answer in answers {
        match answer {
            Ok(closed) => {
                let letter = closed.now().expect("a request without a key makes its change now");
                done += 1;
                assert_eq!((letter.status, letter.version.get()), (DeadLetterStatus::Applied, 2));
            }
            Err(InventoryError::DeadLetterConflict(fresh)) => {
                assert_eq!(fresh.status, DeadLetterStatus::Applied)
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((done, stock(&workspace, "A1").await), (1, 7));
    assert_eq!(summaries(&apply(&workspace, &[delivery("big", "A1", Kind::Sale, 5)]).await), ["duplicate"]);
    assert_eq!(dead_letters(&workspace, DeadLetterStatus::Open).await, []);
    assert_eq!(check_all(&workspace).await.differences, []);
}

async fn a_dismissed_message_changes_nothing_even_when_repeated(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let sale = delivery("m1", "A1", Kind::Sale, 5);
    apply(&workspace, std::slice::from_ref(&sale)).await;
    let waiting = dead_letters(&workspace, DeadLetterStatus::Open).await.remove(0);
    let note = Some("Wrong shop".parse().unwrap());
    let stale = Version::try_from(9).unwrap();
    let conflict = workspace
        .app
        .inventory()
        .dismiss_dead_letter(waiting.id, stale, None, &by(), None)
        .await
        .unwrap_err();
    assert!(matches!(conflict, InventoryError::DeadLetterConflict(_)), "{conflict}");
    let gone = workspace
        .app
        .inventory()
        .dismiss_dead_letter(waiting.id, Version::FIRST, note.clone(), &by(), None)
        .await
        .unwrap()
        .now()
        .unwrap();
    assert_eq!((gone.status, gone.note), (DeadLetterStatus::Dismissed, note));
    apply(&workspace, &[delivery("open", "A1", Kind::Count, 50), sale]).await;
    assert_eq!(stock(&workspace, "A1").await, 50);
    let retried =
        workspace.app.inventory().retry_dead_letter(waiting.id, gone.version, &by(), None).await.unwrap_err();
    assert!(matches!(retried, InventoryError::DeadLetterConflict(_)), "{retried}");
    assert_eq!(dead_letters(&workspace, DeadLetterStatus::Open).await, []);
    assert_eq!(dead_letters(&workspace, DeadLetterStatus::Dismissed).await.len(), 1);
}

async fn an_adjustment_applies_only_to_the_version_it_names(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    apply(&workspace, &[delivery("open", "A1", Kind::Count, 5)]).await;
    let adjust = async |id: &str, version: u64, stock: u64| {
        let adjustment = Adjustment {
            version: version.try_into().unwrap(),
            stock: units(stock),
            reason: Some("Counted the shelf".parse().unwrap()),
            message_id: id.parse().unwrap(),
        };
        workspace.app.inventory().adjust(&sku("A1"), adjustment, &by()).await
    };
    assert_eq!(adjust("a1", 1, 8).await.unwrap().stock.get(), 8);
    let conflict = adjust("a2", 1, 9).await.unwrap_err();
    assert!(
        matches!(conflict, InventoryError::Conflict(fresh) if fresh.version.get() == 2 && fresh.stock.get() == 8)
    );
    assert_eq!(adjust("a1", 1, 8).await.unwrap().version.get(), 2, "a repeated request");
    assert_eq!(
        adjust("a2", 2, 0).await.unwrap().stock.get(),
        0,
        "a refused adjustment leaves no dead letter and no record of its id"
    );
    assert_eq!(dead_letters(&workspace, DeadLetterStatus::Open).await, []);
    let last = workspace.app.inventory().movements(&sku("A1"), 1, None).await.unwrap().items.remove(0);
    assert_eq!((last.by, last.reason.unwrap().as_str()), (Some(by()), "Counted the shelf"));
}

async fn details_can_be_changed_while_the_stock_moves(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    apply(&workspace, &[delivery("open", "A1", Kind::Count, 5)]).await;
    let moving = {
        let workspace = workspace.clone();
        tokio::spawn(async move {
            for number in 0..30 {
                apply(&workspace, &[delivery(&format!("m{number}"), "A1", Kind::Receipt, 1)]).await;
            }
        })
    };
    let change =
        |mark: u64| DetailsChange { low_mark: Some(mark.try_into().unwrap()), ..DetailsChange::default() };
    for mark in 1..=5_u64 {
        let version = Version::try_from(mark).unwrap();
        let changed =
            workspace.app.inventory().change_details(&sku("A1"), version, &change(mark), None).await.unwrap();
        let changed = changed.now().unwrap();
        assert_eq!(changed.details_version.get(), mark + 1);
    }
    moving.await.unwrap();
    let product = workspace.app.inventory().find(&sku("A1")).await.unwrap();
    assert_eq!((product.stock.get(), product.low_mark.get(), product.version.get()), (35, 5, 31));
    let stale = workspace
        .app
        .inventory()
        .change_details(&sku("A1"), Version::FIRST, &change(9), None)
        .await
        .unwrap_err();
    assert!(matches!(stale, InventoryError::Conflict(_)), "{stale}");
}

async fn products_are_listed_low_stock_first_and_page_by_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let all: Vec<Delivery> = (0..7)
        .map(|number| delivery(&format!("m{number}"), &format!("P{number}"), Kind::Count, number % 3))
        .collect();
    apply(&workspace, &all).await;
    for (order, expected) in [
        (Order::LowFirst, ["P0", "P3", "P6", "P1", "P2", "P4", "P5"]),
        (Order::BySku, ["P0", "P1", "P2", "P3", "P4", "P5", "P6"]),
    ] {
        let (mut skus, mut cursor) = (Vec::new(), None);
        loop {
            let page = workspace.app.inventory().list(order, 3, cursor.as_deref()).await.unwrap();
            assert!(page.items.len() <= 3);
            skus.extend(page.items.into_iter().map(|product| product.sku.to_string()));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(skus, expected);
    }
}

async fn a_check_names_every_difference(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let all: Vec<Delivery> = (0..60)
        .map(|number| delivery(&format!("m{number}"), &format!("P{:02}", number % 30), Kind::Receipt, 2))
        .collect();
    apply(&workspace, &all).await;
    let right = check_all(&workspace).await;
    assert_eq!(right, Checked { products: 30, movements: 60, ..Checked::default() });
    // Writes without the application: another stock, and one movement removed.
    let store = environment.store();
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let update = UpdateItemInput::builder()
        .table_name(environment.table())
        .key("pk", text("PRODUCT#P03"))
        .key("sk", text("PRODUCT"));
    let update = update.update_expression("SET stock = :s");
    let number = aws_sdk_dynamodb::types::AttributeValue::N("5".to_owned());
    store.update_item(update.expression_attribute_values(":s", number)).await;
    let delete = DeleteItemInput::builder().table_name(environment.table()).key("pk", text("PRODUCT#P07"));
    store.delete_item(delete.key("sk", text("MOVEMENT#0000000002"))).await;
    let wrong = check_all(&workspace).await.differences;
    let names: Vec<_> = wrong.iter().map(|one| (one.sku.as_str(), one.stock.get(), one.sum)).collect();
    assert_eq!(names, [("P03", 5, 4), ("P07", 4, 2)]);
}

async fn a_foreign_movement_is_an_error_and_not_retried_forever(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    apply(&workspace, &[delivery("open", "A1", Kind::Count, 5)]).await;
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    environment
        .insert_items(vec![vec![("pk", text("PRODUCT#A1")), ("sk", text("MOVEMENT#0000000002"))]])
        .await;
    let sale = [delivery("sale", "A1", Kind::Sale, 1)];
    let error = workspace.app.inventory().apply_all(&sale, None).await.unwrap_err();
    assert!(error.to_string().contains("has no cause"), "{error}");
    assert_eq!(stock(&workspace, "A1").await, 5);
}
