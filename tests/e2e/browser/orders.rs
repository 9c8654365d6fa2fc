//! Orders in a browser: the preview follows the form, and the loser of a race continues with one click.

use fantoccini::key::Key;
use holdfast::base::identity::Role;
use serde_json::{Value, json};

use super::pages::assert_accessible;
use super::{Office, PROGRAM, console_is_quiet, focus_is_on, focus_is_somewhere};
use crate::orders::stock;
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases, wait};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: an_order_is_created_by_keyboard_while_its_preview_follows,
            a_late_confirmation_takes_the_new_leads_with_one_click,
            a_cap_is_set_in_its_row_and_on_top_of_another_change,
            orders_are_created_and_fulfilled_without_javascript,
            all_parts_of_an_export_are_joined_into_one_file,
            the_order_pages_are_accessible
    ]
}

pub(super) async fn order(office: &Office, customer: &str, states: &[&str], quantity: u32) -> Value {
    let body = json!({
        "customerName": customer, "customerEmail": "buy@acme.example", "requestedStates": states,
        "quantityPerState": quantity,
    });
    office.program.post("/api/orders").json(&body).send().await.expect(201).json()
}

async fn fulfilled(office: &Office, customer: &str, states: &[&str], quantity: u32) {
    let order = order(office, customer, states, quantity).await;
    let path = format!("/api/orders/{}/fulfill", super::id(&order));
    office.program.patch(&path).json(&json!({ "version": 1 })).send().await.expect(200);
}

/// Types a customer, a quantity and New York with the keyboard.
async fn type_an_order(person: &Browser, quantity: &str) {
    focus_is_on(person, "Customer").await;
    person.press("Acme Roofing").await;
    person.press(&Key::Tab).await;
    person.press("buy@acme.example").await;
    person.press(&Key::Tab).await;
    person.press(quantity).await;
    person.press(&Key::Tab).await;
    focus_is_on(person, "Find a state").await;
    person.press("ny").await;
    person.press(&Key::Enter).await;
    person.wait_for_text("#order-preview", &format!("{quantity} leads from 1 state")).await;
}

async fn an_order_is_created_by_keyboard_while_its_preview_follows(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    stock(&office.workspace, "NY", 4).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/orders/new")).await;
    type_an_order(&ada, "2").await;
    focus_is_on(&ada, "Find a state").await;
    ada.press("texas").await;
    ada.press(&Key::Enter).await;
    ada.wait_for_text("#order-preview", "none in stock").await;
    focus_is_on(&ada, "Find a state").await;
    ada.click(At::Named("Create order")).await;
    ada.wait_for_text("#order-leads", "Lead 1").await;
    ada.wait_for_text("#toast-status", "Order created.").await;
    console_is_quiet(&ada).await;
}

async fn a_late_confirmation_takes_the_new_leads_with_one_click(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    stock(&office.workspace, "NY", 4).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/orders/new")).await;
    type_an_order(&ada, "2").await;
    order(&office, "Bolt & Co", &["NY"], 1).await;
    ada.click(At::Named("Create order")).await;
    ada.wait_for_text("#refusal", "Someone just took some of these leads.").await;
    wait::until("the notice has the focus", async || {
        ada.run("return document.activeElement.id", Vec::new()).await == "refusal"
    })
    .await;
    let first = "return [document.title, document.querySelector('main').innerText.slice(0, 21)]";
    let words = json!(["No order was created · Holdfast", "No order was created."]);
    assert_eq!(ada.run(first, Vec::new()).await, words, "the outcome comes first");
    assert_eq!(ada.value(At::Named("Customer")).await, "Acme Roofing");
    ada.click(At::Named("Create order with these leads")).await;
    ada.wait_for_text("#order-leads", "Lead 2").await;
    console_is_quiet(&ada).await;
}

async fn a_cap_is_set_in_its_row_and_on_top_of_another_change(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/orders/caps")).await;
    ada.fill(At::Css("#cap-NY-value"), "4").await;
    ada.press(&Key::Enter).await;
    ada.wait_for_text("#cap-NY", "0 of 4").await;
    focus_is_somewhere(&ada).await;
    let body = json!({ "state": "NY", "cap": 6, "version": 2 });
    office.program.put("/api/leads/caps").json(&body).send().await.expect(200);
    ada.fill(At::Css("#cap-NY-value"), "5").await;
    ada.press(&Key::Enter).await;
    ada.wait_for_text("#cap-NY", &format!("{PROGRAM} just set this to 6.")).await;
    assert_eq!(ada.value(At::Css("#cap-NY-value")).await, "5");
    ada.click(At::Css("#cap-NY button")).await;
    ada.wait_for_text("#cap-NY", "0 of 5").await;
    console_is_quiet(&ada).await;
}

async fn orders_are_created_and_fulfilled_without_javascript(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    stock(&office.workspace, "NY", 2).await;
    let ada = office.agent("Ada", Look::desktop().without_javascript()).await;
    ada.goto(&office.url("/orders/new")).await;
    ada.fill(At::Named("Customer"), "Acme Roofing").await;
    ada.fill(At::Named("Customer email"), "buy@acme.example").await;
    ada.click(At::Css("input[value=NY]")).await;
    ada.click(At::Css("button[formaction$='/preview']")).await;
    ada.wait_for_text("#order-preview", "2 leads from 1 state").await;
    ada.click(At::Named("Create order")).await;
    ada.wait_for_text("#order-leads", "Lead 1").await;
    ada.click(At::Css("#fulfill summary")).await;
    ada.click(At::Named("Fulfill this order")).await;
    ada.wait_for_text("#order-history", "Fulfilled by Ada").await;
    ada.goto(&office.url("/orders/export")).await;
    ada.click(At::Named("Export CSV")).await;
    ada.wait_for_text("main", "2 leads of 1 order").await;
}

async fn all_parts_of_an_export_are_joined_into_one_file(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    stock(&office.workspace, "NY", 1).await;
    fulfilled(&office, "Acme Roofing", &["NY"], 1).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/orders/export")).await;
    ada.click(At::Named("Export CSV")).await;
    ada.wait_for_text("[data-progress]", "Done.").await;
    console_is_quiet(&ada).await;
}

async fn the_order_pages_are_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.person(Role::Administrator, "Ada Lovelace", Look::desktop()).await;
    ada.goto(&office.url("/orders")).await;
    assert_accessible(&ada, "orders-none").await;
    for code in ["NY", "CA", "TX"] {
        stock(&office.workspace, code, 8).await;
    }
    fulfilled(&office, "Bolt & Co", &["CA"], 3).await;
    let made = order(&office, "Acme Roofing", &["NY", "CA", "FL"], 4).await;
    let id = super::id(&made).to_owned();
    for (path, name) in [
        ("/".to_owned(), "dashboard"),
        ("/orders".to_owned(), "orders"),
        ("/orders?customer=nobody".to_owned(), "orders-no-match"),
        ("/orders/new".to_owned(), "order-new"),
        (format!("/orders/{id}"), "order"),
        (format!("/orders/{id}/release?lead={}", super::id(&made["leads"][0])), "order-release"),
        ("/orders/caps".to_owned(), "caps"),
        ("/orders/export?from=&to=".to_owned(), "export"),
    ] {
        ada.goto(&office.url(&path)).await;
        assert_accessible(&ada, name).await;
    }
    ada.look(Look::desktop()).await;
    ada.goto(&office.url("/orders/new")).await;
    type_an_order(&ada, "3").await;
    ada.click(At::Css(".taken summary")).await;
    assert_accessible(&ada, "order-preview").await;
    order(&office, "Bolt & Co", &["NY"], 1).await;
    ada.click(At::Named("Create order")).await;
    ada.wait_for_text("#refusal", "Someone just took some of these leads.").await;
    assert_accessible(&ada, "order-outdated").await;

    ada.goto(&office.url(&format!("/orders/{id}"))).await;
    let release = json!({ "leadId": made["leads"][0]["id"], "reason": "BAD_CONTACT", "version": 1 });
    office.program.post(&format!("/api/orders/{id}/release")).json(&release).send().await.expect(200);
    ada.click(At::Css("#fulfill summary")).await;
    assert_accessible(&ada, "order-fulfill").await;
    ada.look(Look::desktop()).await;
    ada.click(At::Named("Fulfill this order")).await;
    ada.wait_for_text("#order", "It wasn't fulfilled.").await;
    assert_accessible(&ada, "order-conflict").await;
}
