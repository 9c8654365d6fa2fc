//! Orders: the oldest leads under the caps of states, complete or not at all, at any size.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Actor;
use holdfast::base::identity::Role;
use holdfast::base::values::{OrderId, UsState, Version};
use holdfast::leads::domain::{Lead, NewLead, Stock};
use holdfast::leads::list::ListRequest;
use holdfast::leads::{Filter, LeadError};
use holdfast::orders::OrderError;
use holdfast::orders::domain::{NewOrder, OrderStatus, Release, ReleaseReason};
use holdfast::shared::audit::Author;
use holdfast::store::idempotency::Done;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::case::scaled;
use crate::support::fault::Fault;
use crate::support::http::Client;
use crate::support::workspace::Workspace;
use crate::support::{Case, TestEnvironment, cases};
use holdfast::orders::domain::OrderDetail;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: an_order_takes_the_oldest_free_leads_and_returns_them_when_deleted,
            a_large_order_appears_with_all_its_leads_and_ends_with_all_of_them,
            a_released_lead_is_replaced_by_the_next_oldest,
            an_order_costs_at_most_three_calls_with_any_stock,
            a_key_returns_the_same_order_a_day_later_and_after_a_lost_reply;
        app: a_negative_statistic_does_not_stop_an_order
    ]
}

/// The author of all changes.
pub fn by() -> Author {
    Actor::new("Ann").into()
}

/// A state by its code.
pub fn state(code: &str) -> UsState {
    code.parse().unwrap()
}

/// Creates this many leads of a state, oldest first.
pub async fn stock(workspace: &Workspace, code: &str, number: usize) -> Vec<Lead> {
    let mut made = Vec::new();
    for index in 0..number {
        let new: NewLead = serde_json::from_value(json!({
            "name": format!("Lead {index}"), "email": format!("{code}{index}@example.com"), "state": code,
        }))
        .unwrap();
        match workspace.app.leads().create(new, &Actor::new("Ann"), None).await.unwrap() {
            Done::Now(lead) => made.push(lead),
            Done::Replayed(_) => unreachable!("no key was given"),
        }
    }
    made.sort_by_key(|lead| (lead.created_at, lead.id));
    made
}

/// The request for an order.
pub fn new_order(states: &[&str], quantity: Option<u32>) -> NewOrder {
    serde_json::from_value(json!({
        "customerName": "Acme Roofing", "customerEmail": "buy@acme.example",
        "requestedStates": states, "quantityPerState": quantity,
    }))
    .unwrap()
}

/// Creates an order.
pub async fn create(
    workspace: &Workspace,
    states: &[&str],
    quantity: Option<u32>,
) -> Result<OrderDetail, OrderError> {
    match workspace.app.orders().create(&new_order(states, quantity), None, &by(), None).await? {
        Done::Now(detail) => with_all_leads(workspace, detail).await,
        Done::Replayed(_) => unreachable!("no key was given"),
    }
}

/// An order with all its leads.
pub async fn find(workspace: &Workspace, id: OrderId) -> Result<OrderDetail, OrderError> {
    with_all_leads(workspace, workspace.app.orders().find(id).await?).await
}

async fn with_all_leads(workspace: &Workspace, mut detail: OrderDetail) -> Result<OrderDetail, OrderError> {
    assert!(detail.leads.len() <= OrderDetail::MOST_LEADS);
    while let Some(next) = detail.leads_next.take() {
        let page = workspace.app.orders().leads_of(detail.order.id, 100, Some(&next)).await?;
        detail.leads.extend(page.items);
        detail.leads_next = page.next;
    }
    Ok(detail)
}

/// Sets the cap of a state.
pub async fn set_cap(workspace: &Workspace, code: &str, cap: u32) {
    let caps = workspace.app.orders().caps().await.unwrap();
    let version = caps.states.iter().find(|cap| cap.state == state(code)).unwrap().version;
    let (cap, by) = (Some(cap.try_into().unwrap()), workspace.account(Role::Administrator, "Ada").await);
    workspace.app.orders().set_cap(state(code), version, cap, &by, None).await.unwrap();
}

async fn out(workspace: &Workspace, code: &str) -> u32 {
    let caps = workspace.app.orders().caps().await.unwrap();
    caps.states.iter().find(|cap| cap.state == state(code)).unwrap().out
}

/// All leads with this stock.
pub async fn of_stock(workspace: &Workspace, stock: Stock) -> Vec<Lead> {
    let (mut leads, mut cursor) = (Vec::new(), None);
    loop {
        let filter = Filter { stock: Some(stock), ..Filter::default() };
        let request = ListRequest { filter, limit: 100, cursor, ..ListRequest::default() };
        let page = workspace.app.leads().list(&request).await.unwrap();
        leads.extend(page.leads);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return leads,
        }
    }
}

fn ids(leads: &[Lead]) -> Vec<String> {
    leads.iter().map(|lead| lead.id.to_string()).collect()
}

async fn an_order_takes_the_oldest_free_leads_and_returns_them_when_deleted(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let leads_of_ny = stock(&workspace, "NY", 12).await;
    let first = create(&workspace, &["NY"], Some(5)).await.unwrap();
    assert_eq!(ids(&first.leads), ids(&leads_of_ny[..5]));
    let second = create(&workspace, &["NY"], None).await.unwrap();
    assert_eq!(ids(&second.leads), ids(&leads_of_ny[5..10]), "five remain under the cap of 10");
    assert_eq!(out(&workspace, "NY").await, 10);
    let Err(OrderError::NothingToGive(given)) = create(&workspace, &["NY", "CA"], None).await else {
        panic!()
    };
    assert_eq!((given[0].already_out, given[0].given, given[1].in_stock), (10, 0, 0));

    workspace.app.orders().delete(first.order.id, None, &by(), None).await.unwrap();
    assert_eq!(out(&workspace, "NY").await, 5);
    let third = create(&workspace, &["NY"], Some(3)).await.unwrap();
    assert_eq!(ids(&third.leads), ids(&leads_of_ny[..3]), "they have their old places in the queue");
    workspace.app.orders().fulfill(third.order.id, Some(Version::FIRST), &by(), None).await.unwrap();
    let found = find(&workspace, third.order.id).await.unwrap();
    assert_eq!(found.order.status, OrderStatus::Fulfilled);
    assert!(found.leads.iter().all(|lead| lead.stock == Stock::Fulfilled));
    assert_eq!(out(&workspace, "NY").await, 5);
    assert!(matches!(
        workspace.app.orders().delete(third.order.id, None, &by(), None).await,
        Err(OrderError::RuleViolation(_))
    ));
    let again =
        workspace.app.orders().fulfill(third.order.id, Some(Version::FIRST), &by(), None).await.unwrap();
    let Done::Now(again) = again else { panic!() };
    assert_eq!(again, found);
}

async fn a_large_order_appears_with_all_its_leads_and_ends_with_all_of_them(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let states = ["NY", "CA", "TX"];
    let mut all = Vec::new();
    for code in states {
        set_cap(&workspace, code, 60).await;
        all.extend(stock(&workspace, code, 50).await);
    }
    let made = create(&workspace, &states, None).await.unwrap();
    assert_eq!(ids(&made.leads), ids(&all));
    let found = find(&workspace, made.order.id).await.unwrap();
    assert_eq!(found.leads, made.leads);
    assert_eq!(of_stock(&workspace, Stock::Assigned).await.len(), 150);
    assert_eq!(out(&workspace, "CA").await, 50);
    let lead = &made.leads[70];
    assert_eq!(workspace.app.leads().find(lead.id).await.unwrap(), *lead);
    let history = workspace.app.leads().history(lead.id, 10, None).await.unwrap();
    assert_eq!(history.items.len(), 2);

    workspace.app.orders().delete(made.order.id, Some(Version::FIRST), &by(), None).await.unwrap();
    assert!(matches!(find(&workspace, made.order.id).await, Err(OrderError::NotFound(_))));
    assert_eq!(of_stock(&workspace, Stock::Unassigned).await.len(), 150);
    assert_eq!(out(&workspace, "CA").await, 0);
    let again = create(&workspace, &states, None).await.unwrap();
    assert_eq!(ids(&again.leads), ids(&all));
    workspace.app.orders().fulfill(again.order.id, None, &by(), None).await.unwrap();
    let fulfilled: BTreeSet<_> = ids(&of_stock(&workspace, Stock::Fulfilled).await).into_iter().collect();
    assert_eq!(fulfilled, ids(&all).into_iter().collect());
    assert_eq!(workspace.app.leads().find(lead.id).await.unwrap().version.get(), 5);
}

async fn a_released_lead_is_replaced_by_the_next_oldest(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let queue = stock(&workspace, "NY", 4).await;
    let made = create(&workspace, &["NY"], Some(2)).await.unwrap();
    let bad = Release::new(ReleaseReason::BadContact, None).unwrap();
    let (id, first) = (made.order.id, queue[0].id);
    let done = workspace.app.orders().release(id, first, Version::FIRST, &bad, &by(), None).await.unwrap();
    let Done::Now(released) = done else { panic!() };
    assert_eq!(released.released.stock, Stock::Withheld);
    assert_eq!(released.replacement.unwrap().id, queue[2].id);
    assert_eq!(out(&workspace, "NY").await, 2);
    let twice = workspace.app.orders().release(id, first, released.order.version, &bad, &by(), None).await;
    assert!(matches!(twice, Err(OrderError::RuleViolation(_))));
    let restocked =
        workspace.app.leads().restock(first, released.released.version, &Actor::new("Ann"), None).await;
    assert!(matches!(restocked, Ok(Done::Now(lead)) if lead.stock == Stock::Unassigned));
    let next = create(&workspace, &["NY"], Some(1)).await.unwrap();
    assert_eq!(next.leads[0].id, first, "it has its old place in the queue");
    assert!(matches!(
        workspace.app.leads().delete(first, next.leads[0].version, &by(), None).await,
        Err(LeadError::RuleViolation(_))
    ));
}

async fn an_order_costs_at_most_three_calls_with_any_stock(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    set_cap(&workspace, "NY", 100).await;
    stock(&workspace, "NY", 100).await;
    let small = [cost(&environment, &agent, 5).await, cost(&environment, &agent, 40).await];
    crowd(&environment).await;
    let large = [cost(&environment, &agent, 5).await, cost(&environment, &agent, 40).await];
    assert_eq!(small, large, "more calls because more leads are in stock");
    // A query and a transaction, or two transactions from 32 leads on.
    assert_eq!(large, [2, 3]);
}

/// The number of calls of one order.
async fn cost(environment: &TestEnvironment, agent: &Client, quantity: u32) -> usize {
    let body = json!({
        "customerName": "Acme Roofing", "customerEmail": "buy@acme.example",
        "requestedStates": ["NY"], "quantityPerState": quantity,
    });
    environment.wire().reset();
    let key = format!("cost-{quantity}-{}", getrandom::u64().unwrap());
    let made = agent.post("/api/orders").header("idempotency-key", &key).json(&body).send().await;
    let calls = environment.wire().total_authenticated();
    let made: Value = made.expect(201).json();
    assert_eq!(made["leadCount"], quantity);
    calls
}

/// Puts many leads into the queue of a state, younger than the existing ones. Creating them would take longer than
/// all other cases.
async fn crowd(environment: &TestEnvironment) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let time = "2099-01-01T00:00:00Z";
    let item = |number: usize| {
        let id = format!("ffffffff-0000-7000-8000-{number:012}");
        vec![
            ("pk", text("STATE#NY")),
            ("sk", text(&format!("FREE#004070908800000#{id}"))),
            ("id", text(&id)),
            ("name", text(&format!("Crowd {number}"))),
            ("email", text(&format!("crowd{number}@example.com"))),
            ("state", text("NY")),
            ("leadScore", AttributeValue::N("0".to_owned())),
            ("status", text("PROSPECT")),
            ("stock", text("UNASSIGNED")),
            ("version", AttributeValue::N("1".to_owned())),
            ("createdAt", text(time)),
            ("updatedAt", text(time)),
            ("updatedBy", text("crowd")),
        ]
    };
    environment.insert_items((0..scaled(3_000, 50_000)).map(item).collect()).await;
}

async fn a_key_returns_the_same_order_a_day_later_and_after_a_lost_reply(environment: TestEnvironment) {
    let later = Arc::new(AtomicBool::new(false));
    let workspace = {
        let later = later.clone();
        let day = move || if later.load(Ordering::SeqCst) { 25 } else { 0 };
        let clock = Clock::from_fn(move || Timestamp::now() + SignedDuration::from_hours(day()));
        Workspace::open(&environment).await.with_clock(clock)
    };
    let agent = workspace.agent().await;
    set_cap(&workspace, "NY", 100).await;
    stock(&workspace, "NY", 90).await;
    for (key, quantity) in [("small", 3), ("large", 40)] {
        let body = json!({
            "customerName": "Acme Roofing", "customerEmail": "buy@acme.example",
            "requestedStates": ["NY"], "quantityPerState": quantity,
        });
        let ask = || agent.post("/api/orders").header("idempotency-key", key).json(&body).send();
        environment.wire().times(2, "TransactWriteItems", Fault::ReplyLost);
        later.store(false, Ordering::SeqCst);
        let first: Value = ask().await.expect(201).json();
        environment.wire().reset();
        later.store(true, Ordering::SeqCst);
        let again: Value = ask().await.expect(201).json();
        assert_eq!(first, again);
        assert_eq!(first["leads"].as_array().unwrap().len(), quantity);
    }
    assert_eq!(out(&workspace, "NY").await, 43);
    assert_eq!(of_stock(&workspace, Stock::Assigned).await.len(), 43);
}

async fn a_negative_statistic_does_not_stop_an_order(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    stock(&workspace, "NY", 2).await;
    // The change that would restore the count is not counted yet.
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = UpdateItemInput::builder().table_name(environment.table());
    let update = update.key("pk", text("STATS")).key("sk", text("STATS"));
    let update = update.update_expression("SET unassignedNY = :n, #s = :two");
    let update = update.expression_attribute_names("#s", "schema");
    let update = update.expression_attribute_values(":two", AttributeValue::N("2".to_owned()));
    let update = update.expression_attribute_values(":n", AttributeValue::N("-3".to_owned()));
    environment.store().update_item(update).await;

    let agent = workspace.agent().await;
    let order =
        json!({ "customerName": "Acme", "customerEmail": "buy@acme.example", "requestedStates": ["NY"] });
    let mut preview = order.clone();
    preview["preview"] = true.into();
    agent.post("/api/orders").json(&preview).send().await.expect(200);
    let made: Value = agent.post("/api/orders").json(&order).send().await.expect(201).json();
    assert_eq!(made["leadCount"], 2);
    let statistics: Value = agent.get("/api/leads/stats").send().await.expect(200).json();
    let states = statistics["byState"].as_array().unwrap();
    let of_new_york = states.iter().find(|one| one["state"] == "NY").unwrap();
    assert_eq!(of_new_york["unassigned"], 0);
    for page in ["/orders/new", "/orders/caps", "/"] {
        agent.get(page).header("accept", "text/html").send().await.expect(200);
    }
}
