//! The inventory in a browser: a counted stock is set on top of movements with one click, and the pages are
//! accessible.

use fantoccini::key::Key;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::inventory::domain::{Delivery, Kind, Source};
use holdfast::inventory::health::Progress;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::pages::assert_accessible;
use super::{Office, console_is_quiet, focus_is_somewhere};
use crate::inventory::delivery;
use crate::inventory_api::{event, product, send};
use crate::support::browser::{At, Look};
use crate::support::{Case, TestEnvironment, cases};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: a_stock_that_moved_is_set_with_one_click,
            dead_letters_are_decided_in_the_list_by_keyboard,
            products_are_searched_while_typing,
            the_inventory_works_without_javascript,
            the_inventory_pages_are_accessible,
            a_stock_that_moved_and_a_renamed_product_are_accessible
    ]
}

async fn a_stock_that_moved_is_set_with_one_click(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    send(&office.program, &event("open", "A1", "COUNT", 5)).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/inventory/A1")).await;
    send(&office.program, &event("sold", "A1", "SALE", 1)).await;
    ada.fill(At::Css("#adjust-stock"), "6").await;
    ada.press(&Key::Enter).await;
    ada.wait_for_text("#adjust", "The stock has changed.").await;
    assert_eq!(ada.value(At::Css("#adjust-stock")).await, "6");
    ada.click(At::Named("Replace with mine")).await;
    ada.wait_for_text("#stock-now", "6").await;
    ada.wait_for_text("#toast-status", "Stock set.").await;
    assert_eq!(product(&office.program, "A1").await["stock"], 6);
    console_is_quiet(&ada).await;
}

async fn dead_letters_are_decided_in_the_list_by_keyboard(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let sent = json!([
        event("open", "A1", "COUNT", 1),
        event("big", "A1", "SALE", 2),
        event("lost", "B1", "SALE", 1)
    ]);
    send(&office.program, &sent).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/inventory/dead-letters")).await;
    ada.click(At::Named("Retry big")).await;
    ada.wait_for_text(
        ".dead-letters",
        "It still can't be applied. The message asks for 2, but the stock is 1.",
    )
    .await;
    focus_is_somewhere(&ada).await;
    send(&office.program, &event("more", "A1", "RECEIPT", 5)).await;
    ada.click(At::Named("Retry big")).await;
    ada.wait_for_text(".dead-letters", "Applied by Ada").await;
    focus_is_somewhere(&ada).await;
    ada.click(At::Named("Dismiss lost…")).await;
    ada.fill(At::Named("Note for dismissing lost"), "Wrong shop").await;
    ada.press(&Key::Enter).await;
    ada.wait_for_text(".dead-letters", "Wrong shop").await;
    ada.wait_for_text("#toast-status", "Message dismissed.").await;
    console_is_quiet(&ada).await;
}

async fn products_are_searched_while_typing(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let sent: Vec<Value> =
        (0..3).map(|number| event(&format!("m{number}"), &format!("LAMP-{number}"), "COUNT", 4)).collect();
    send(&office.program, &json!(sent)).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/inventory")).await;
    ada.fill(At::Css("#q"), "lamp-2").await;
    ada.wait_for_text("[data-shown]", "1 product shown").await;
    ada.fill(At::Css("#q"), "lamp").await;
    ada.wait_for_text("[data-shown]", "3 products shown").await;
    console_is_quiet(&ada).await;
}

async fn the_inventory_works_without_javascript(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    send(&office.program, &json!([event("open", "A1", "COUNT", 1), event("big", "A1", "SALE", 2)])).await;
    let ada = office.agent("Ada", Look::desktop().without_javascript()).await;
    ada.goto(&office.url("/inventory")).await;
    ada.fill(At::Css("#q"), "a1").await;
    ada.click(At::Named("Search")).await;
    ada.click(At::Css("#product-A1 a")).await;
    ada.fill(At::Css("#adjust-stock"), "3").await;
    ada.click(At::Named("Set stock")).await;
    ada.wait_for_text("#stock-now", "3").await;
    ada.goto(&office.url("/inventory/dead-letters")).await;
    ada.click(At::Named("Retry big")).await;
    ada.wait_for_text(".dead-letters", "Applied by Ada").await;
    ada.goto(&office.url("/inventory/A1")).await;
    ada.wait_for_text("#stock-now", "1").await;
}

/// The names of the products of a table.
const PRODUCTS: [&str; 4] = [
    "White hanging heart T-light holder",
    "White metal lantern",
    "Cream cupid hearts coat hanger",
    "Knitted union flag hot water bottle",
];

/// Creates products with movements and refused messages. One of them has movements of some weeks.
async fn create_products(office: &Office) {
    for (days, stock) in [(25, 90), (21, 64), (18, 31), (14, 85), (9, 52), (5, 20), (3, 41)] {
        let then = Timestamp::now() - SignedDuration::from_hours(24 * days);
        let past = office.workspace.clone().with_clock(Clock::from_fn(move || then));
        let count = [delivery(&format!("day-{days}"), "85121A", Kind::Count, stock)];
        past.app.inventory().apply_all(&count, None).await.unwrap();
    }
    for (number, name) in PRODUCTS.into_iter().enumerate() {
        let sku = format!("8512{number}A");
        let mut first = event(&format!("open-{number}"), &sku, "COUNT", 40 * number as u64);
        first["name"] = json!(name);
        first["reference"] = json!("Opening count of the warehouse in Albany");
        let more = event(&format!("more-{number}"), &sku, "RECEIPT", 12);
        let less = event(&format!("less-{number}"), &sku, "SALE", 12);
        send(
            &office.program,
            &json!([first, more, less, event(&format!("big-{number}"), &sku, "SALE", 900)]),
        )
        .await;
    }
}

/// Adds a message that is not JSON, and consumers: one that lags, and one whose lag is not known.
async fn connect_consumers(office: &Office) {
    let bytes = vec![0xff; 40];
    let source = Source::kafka("inventory-events", 3, 120);
    let error = Delivery::of_bytes(&source, bytes.clone()).unwrap_err();
    office.workspace.app.inventory().add_dead_letter(&source, &bytes, &error).await.unwrap();
    let progress = |partition: i32, lag: Option<i64>| Progress {
        group: "holdfast".to_owned(),
        topic: "inventory-events".to_owned(),
        partition,
        offset: 123_456,
        lag,
        at: "2026-11-22T12:00:00Z".parse().unwrap(),
    };
    office
        .workspace
        .app
        .inventory()
        .report_progress(&[progress(0, Some(0)), progress(1, Some(1_200)), progress(2, None)])
        .await
        .unwrap();
}

async fn the_inventory_pages_are_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.person(Role::Administrator, "Ada Lovelace", Look::desktop()).await;
    for (path, name) in [
        ("/inventory", "inventory-none"),
        ("/inventory/dead-letters", "dead-letters-none"),
        ("/inventory/consumers", "consumers-none"),
    ] {
        ada.goto(&office.url(path)).await;
        assert_accessible(&ada, name).await;
    }
    create_products(&office).await;
    connect_consumers(&office).await;
    for (path, name) in [
        ("/inventory", "inventory"),
        ("/inventory?q=nothing", "inventory-no-match"),
        ("/inventory/85121A", "product"),
        ("/inventory/consumers", "consumers"),
        ("/inventory/dead-letters", "dead-letters"),
    ] {
        ada.goto(&office.url(path)).await;
        assert_accessible(&ada, name).await;
    }
    ada.look(Look::desktop()).await;
    ada.click(At::Css(".dead-letter summary")).await;
    ada.click(At::Named("Retry big-3")).await;
    ada.wait_for_text(".dead-letters", "It still can't be applied.").await;
    assert_accessible(&ada, "dead-letters-refused").await;
}

async fn a_stock_that_moved_and_a_renamed_product_are_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    create_products(&office).await;
    let ada = office.person(Role::Administrator, "Ada Lovelace", Look::desktop()).await;
    ada.goto(&office.url("/inventory/85123A")).await;
    send(&office.program, &event("late", "85123A", "SALE", 1)).await;
    ada.fill(At::Css("#adjust-stock"), "70").await;
    ada.click(At::Named("Set stock")).await;
    ada.wait_for_text("#adjust", "The stock has changed").await;
    assert_accessible(&ada, "product-overtaken").await;

    ada.look(Look::desktop()).await;
    ada.goto(&office.url("/inventory/85122A")).await;
    ada.click(At::Css(".more-actions summary")).await;
    let change = json!({ "lowMark": 99, "detailsVersion": 1 });
    office.program.patch("/api/products/85122A").json(&change).send().await.expect(200);
    ada.fill(At::Css("#product-name-field"), "Coat hanger").await;
    ada.press(&Key::Enter).await;
    ada.wait_for_text("#details", "This product has changed").await;
    assert_accessible(&ada, "product-renamed").await;
}
