//! The cost of a page of each list: a bounded number of calls, regardless of its contents.

use std::sync::{Arc, Mutex};

use holdfast::base::identity::Role;
use holdfast::base::telemetry::Telemetry;
use holdfast::inventory::health::Progress;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::get_routes::{self, assert_all_are_in};
use super::inventory_api::{event, send};
use super::orders::{create as create_order, set_cap, stock};
use super::stats::process_stream;
use crate::support::http::Client;
use crate::support::workspace::{Workspace, change, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: a_page_of_fifty_costs_at_most_four_calls_in_every_list,
            sold_tickets_are_delayed_in_lists_and_exact_on_pages;
        embedded: every_list_is_in_the_table_of_costs,
            the_dashboard_reads_few_units,
            a_page_of_a_large_order_costs_what_it_shows_and_previews_are_bounded
    ]
}

/// The number of records in each list.
const THINGS: usize = 50;
/// The largest number of calls for a page.
const MOST: usize = 4;

/// All lists of the product. `{…}` stands for the first record of its kind.
const LISTS: [&str; 36] = [
    "/api/accounts?limit=50",
    "/people",
    "/api/accounts/{account}/history?limit=50",
    "/api/accounts/{account}/tokens?limit=50",
    "/api/leads?limit=50",
    "/api/leads?limit=50&q=lead",
    "/api/leads?limit=50&owner={owner}",
    "/leads",
    "/api/leads/{lead}/history?limit=50",
    "/api/leads/{lead}/notes?limit=50",
    "/api/leads/{lead}/duplicates",
    "/api/leads/trash?limit=50",
    "/leads/trash",
    "/leads/{lead}/history",
    "/leads/{lead}/duplicates",
    "/api/orders?limit=50",
    "/orders",
    "/api/orders/{order}/history?limit=50",
    "/api/raffles?limit=50",
    "/raffles",
    "/api/raffles/{raffle}/tickets?limit=50",
    "/raffles/{raffle}/tickets",
    "/api/raffles/{raffle}/history?limit=50",
    "/api/automation/rules?limit=50",
    "/automation/rules",
    "/api/automation/runs?limit=50",
    "/api/automation/dead-letters?limit=50",
    "/automation/dead-letters",
    "/api/products?limit=50",
    "/inventory",
    "/api/products/{product}/movements?limit=50",
    "/api/inventory/parked?limit=50",
    "/inventory/dead-letters",
    "/api/inventory/consumers?limit=50",
    "/inventory/consumers",
    "/api/tokens?limit=50",
];

async fn every_list_is_in_the_table_of_costs(_: TestEnvironment) {
    assert_all_are_in(&get_routes::LISTS, "LISTS", LISTS);
}

async fn raffles(admin: &Client) -> Value {
    let mut last = Value::Null;
    for number in 0..THINGS {
        let raffle = json!({ "title": format!("Raffle {number}"), "prize": "A prize", "limitPerPerson": 50 });
        last = admin.post("/api/raffles").json(&raffle).send().await.expect(201).json();
    }
    let tickets = format!("/api/raffles/{}/tickets", last["id"].as_str().unwrap());
    for _ in 0..5 {
        admin.post(&tickets).json(&json!({ "quantity": 10 })).send().await.expect(201);
    }
    last
}

/// Creates fifty records of every kind and returns the addresses of the first ones.
pub(super) async fn create_records(
    environment: &TestEnvironment,
    workspace: &Workspace,
    admin: &Client,
) -> Vec<(&'static str, String)> {
    for number in 0..THINGS {
        let rule = json!({ "name": format!("Rule {number}"), "on": "lead.qualified", "command": "get_leads state=NY" });
        admin.post("/api/automation/rules").json(&rule).send().await.expect(201);
        let token = json!({ "name": format!("token {number}") });
        admin.post("/api/tokens").json(&token).send().await.expect(201);
    }
    let raffle = raffles(admin).await;
    let me: Value = admin.get("/api/me").send().await.expect(200).json();
    let mut lead = new_lead("Lead 0", "lead0@example.com");
    lead["owner"] = me["email"].clone();
    let lead = create(admin, &lead).await;
    // Each rule answers this once.
    change(admin, &lead, 1, json!({ "status": "QUALIFIED" })).await.expect(200);
    set_cap(workspace, "CA", 100).await;
    stock(workspace, "CA", 60).await;
    let mut order = None;
    for _ in 0..THINGS {
        order = Some(create_order(workspace, &["CA"], Some(1)).await.unwrap().order);
    }
    // Each product is counted, and then more than its stock is sold.
    let messages = (0..2 * THINGS).map(|number| {
        let kind = if number < THINGS { "COUNT" } else { "SALE" };
        event(&format!("m{number}"), &format!("P{:02}", number % THINGS), kind, number as u64 + 1)
    });
    send(admin, &json!(messages.collect::<Vec<_>>())).await;
    let progress: Vec<Progress> = (0..60)
        .map(|partition| Progress {
            group: "holdfast".to_owned(),
            topic: "events".to_owned(),
            partition,
            offset: 1,
            lag: None,
            at: Timestamp::now(),
        })
        .collect();
    workspace.app.inventory().report_progress(&progress).await.unwrap();
    spoil_leads(environment, admin).await;
    process_stream(environment, workspace).await;
    vec![
        ("{lead}", lead["id"].as_str().unwrap().to_owned()),
        ("{account}", me["id"].as_str().unwrap().to_owned()),
        ("{owner}", me["email"].as_str().unwrap().to_owned()),
        ("{raffle}", raffle["id"].as_str().unwrap().to_owned()),
        ("{order}", order.unwrap().id.to_string()),
        ("{product}", "P00".to_owned()),
    ]
}

/// Changes leads so that the stream cannot count them, which makes dead letters.
async fn spoil_leads(environment: &TestEnvironment, admin: &Client) {
    for number in 0..THINGS {
        let lead = create(admin, &new_lead("Lead", &format!("gone{number}@example.com"))).await;
        let pk = format!("LEAD#{}", lead["id"].as_str().unwrap());
        super::dead_letters::spoil_and_mend(environment, &pk).await;
    }
}

async fn a_page_of_fifty_costs_at_most_four_calls_in_every_list(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.session(Role::Administrator, "Ann").await.always("origin", "http://holdfast.test");
    let names = create_records(&environment, &workspace, &admin).await;
    let mut too_costly = Vec::new();
    for path in LISTS {
        let path = names.iter().fold(path.to_owned(), |path, (name, id)| path.replace(name, id));
        // A request is authenticated at most once in ten seconds.
        admin.get("/api/me").send().await.expect(200);
        environment.wire().reset();
        let answer = admin.get(&path).send().await.expect(200);
        let calls = environment.wire().total();
        assert_eq!(environment.wire().scans(), 0, "{path}");
        if calls > MOST {
            too_costly.push(format!("{path} takes {calls} calls"));
        }
        if path.starts_with("/api/") {
            let page: Value = answer.json();
            assert!(page["items"].is_array() && page.get("next").is_some(), "{path}: {page}");
        }
    }
    assert_eq!(too_costly, Vec::<String>::new());
    for path in
        ["/api/raffles?limit=50", "/api/automation/dead-letters?limit=50", "/api/automation/runs?limit=50"]
    {
        let page: Value = admin.get(path).send().await.expect(200).json();
        assert_eq!(page["items"].as_array().unwrap().len(), THINGS, "{path} is a full page");
    }
    let rules = admin.get("/automation/rules").send().await.expect(200).text().to_owned();
    assert_eq!(rules.matches("last run:").count(), THINGS, "each rule shows its last run");
    let first: Value = admin.get("/api/inventory/consumers?limit=50").send().await.expect(200).json();
    let next = format!("/api/inventory/consumers?limit=50&cursor={}", first["next"].as_str().unwrap());
    let rest: Value = admin.get(&next).send().await.expect(200).json();
    let partitions = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((partitions(&first), partitions(&rest), &rest["next"]), (50, 10, &Value::Null));
}

async fn sold_tickets_are_delayed_in_lists_and_exact_on_pages(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let raffle = json!({ "title": "One", "prize": "A prize", "tickets": 40, "limitPerPerson": 40 });
    let raffle: Value = admin.post("/api/raffles").json(&raffle).send().await.expect(201).json();
    let address = format!("/api/raffles/{}", raffle["id"].as_str().unwrap());
    let listed = async || {
        let list: Value = admin.get("/api/raffles").send().await.expect(200).json();
        list["items"][0].clone()
    };
    assert_eq!((&listed().await["sold"], &listed().await["remaining"]), (&json!(0), &json!(40)));
    for _ in 0..4 {
        admin.post(&format!("{address}/tickets")).json(&json!({ "quantity": 3 })).send().await.expect(201);
    }
    let exact: Value = admin.get(&address).send().await.expect(200).json();
    assert_eq!((&exact["sold"], exact.get("asOf")), (&json!(12), None));
    let late = listed().await;
    assert_eq!(late["mine"].as_array().unwrap().len(), 12, "the caller's tickets are exact everywhere");
    assert!(late["asOf"].is_string(), "{late}");
    process_stream(&environment, &workspace).await;
    let now = listed().await;
    assert_eq!((&now["sold"], &now["version"]), (&exact["sold"], &exact["version"]));

    // A recount corrects wrong counts.
    super::dead_letters::drop_item(
        &environment,
        &format!("RAFFLE#{}", raffle["id"].as_str().unwrap()),
        "SOLD",
    )
    .await;
    assert_eq!(listed().await["sold"], 12, "a raffle without counts is read");
    assert_eq!(workspace.app.raffles().recount_sold().await.unwrap(), 1);
    assert_eq!(listed().await["sold"], 12);
    assert!(listed().await["asOf"].is_string());
}

async fn the_dashboard_reads_few_units(environment: TestEnvironment) {
    let units: Arc<Mutex<f64>> = Arc::default();
    let heard = units.clone();
    let workspace = Workspace::open(&environment).await;
    let workspace =
        workspace.with_telemetry(Telemetry::to(move |report| *heard.lock().unwrap() = report.read_units));
    let agent = workspace.agent().await;
    set_cap(&workspace, "CA", 100).await;
    stock(&workspace, "CA", 60).await;
    for _ in 0..10 {
        create_order(&workspace, &["CA"], Some(1)).await.unwrap();
    }
    process_stream(&environment, &workspace).await;
    agent.get("/").send().await.expect(200);
    let few = *units.lock().unwrap();
    stock(&workspace, "NY", 200).await;
    process_stream(&environment, &workspace).await;
    agent.get("/").send().await.expect(200);
    let units = *units.lock().unwrap();
    // One unit for the statistics, one for each of 14 days, one for each cap and the default, and the newest
    // orders.
    assert!(units <= 80.0 && units <= few + 1.0, "{few}, then {units}");
}

async fn a_page_of_a_large_order_costs_what_it_shows_and_previews_are_bounded(environment: TestEnvironment) {
    let report: Arc<Mutex<(u32, f64)>> = Arc::default();
    let heard = report.clone();
    let workspace = Workspace::open(&environment).await;
    let telemetry = Telemetry::to(move |report| *heard.lock().unwrap() = (report.calls, report.read_units));
    let workspace = workspace.with_telemetry(telemetry);
    let agent = workspace.agent().await;
    for code in ["CA", "NY", "TX"] {
        set_cap(&workspace, code, 100).await;
        stock(&workspace, code, 100).await;
    }
    let order = json!({ "customerName": "Acme", "customerEmail": "a@example.com",
        "requestedStates": ["CA", "NY", "TX"], "preview": true });
    let preview = agent.post("/api/orders").json(&order).send().await.expect(200);
    let shown: Value = preview.json();
    assert_eq!((&shown["leadCount"], shown["leads"].as_array().unwrap().len()), (&json!(300), 100));
    assert!(preview.body.len() < 100_000, "{} bytes", preview.body.len());
    let made = create_order(&workspace, &["CA", "NY", "TX"], None).await.unwrap();
    assert_eq!(made.leads.len(), 300);
    let path = format!("/api/orders/{}", made.order.id);
    agent.get(&path).send().await.expect(200);
    let answer = agent.get(&path).send().await.expect(200);
    let (calls, units) = *report.lock().unwrap();
    let shown: Value = answer.json();
    assert_eq!(shown["leads"].as_array().unwrap().len(), 100);
    assert!(shown["leadsNext"].is_string() && answer.body.len() < 100_000, "{} bytes", answer.body.len());
    // The order, its parts, a hundred leads, and the order's data about them.
    assert!(calls <= 4 && units <= 130.0, "{calls} calls, {units} units");
}
