//! Viewers: they read leads, orders, stock and rules, change none of them, and see no form that would be refused.

use std::collections::BTreeSet;

use holdfast::base::identity::Role;
use http::Method;
use serde_json::{Value, json};

use crate::inventory_api::{assert_problem, dead_letters, event, send, text};
use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_viewer_reads_everything_and_changes_nothing,
            the_pages_of_a_viewer_offer_no_change_and_no_refused_link,
            an_empty_workspace_offers_a_viewer_no_start,
            a_refused_page_names_the_role_to_ask_for
    ]
}

const REFUSAL: &str = "Viewers can only read. Ask an administrator for agent access.";

/// The addresses of one record of each kind.
struct Records {
    /// A withheld lead with a note and a possible duplicate.
    lead: String,
    /// A lead in the trash.
    deleted: String,
    /// An open order.
    order: String,
    /// The id of an open dead letter.
    dead_letter: String,
}

/// A lead with the same phone number as the others.
async fn add_lead(agent: &Client, name: &str, email: &str) -> String {
    let mut body = new_lead(name, email);
    body["phone"] = json!("212 555 0100");
    format!("/leads/{}", text(&create(agent, &body).await, "id"))
}

/// An order that had to release its first lead as a bad contact: the addresses of the order and of that lead.
async fn add_order(agent: &Client) -> (String, String) {
    let body = json!({
        "customerName": "Acme Roofing", "customerEmail": "buy@acme.example",
        "requestedStates": ["NY"], "quantityPerState": 1,
    });
    let made: Value = agent.post("/api/orders").json(&body).send().await.expect(201).json();
    let order = format!("/orders/{}", text(&made, "id"));
    let read: Value = agent.get(&format!("/api{order}")).send().await.expect(200).json();
    let lead = &read["leads"][0];
    let release = json!({ "leadId": lead["id"], "reason": "BAD_CONTACT", "version": 1 });
    agent.post(&format!("/api{order}/release")).json(&release).send().await.expect(200);
    (order, format!("/leads/{}", text(lead, "id")))
}

async fn fill(workspace: &Workspace) -> Records {
    let agent = workspace.agent().await;
    add_lead(&agent, "Ida Lane", "ida@example.com").await;
    add_lead(&agent, "Una Lane", "una@example.com").await;
    let (order, lead) = add_order(&agent).await;
    let note = json!({ "text": "Called twice" });
    agent.post(&format!("/api{lead}/notes")).json(&note).send().await.expect(201);
    let deleted = add_lead(&agent, "Gone Lane", "gone@example.com").await;
    agent.delete(&format!("/api{deleted}?version=1")).send().await.expect(204);
    send(&agent, &json!([event("count", "A1", "COUNT", 2), event("sale", "A1", "SALE", 5)])).await;
    let letters = dead_letters(&agent, "OPEN").await;
    let dead_letter = text(&letters[0], "id").to_owned();
    let rule = json!({
        "name": "Serve hot leads", "on": "lead.qualified",
        "command": "create_order customer_name=Acme customer_email=buy@acme.example requested_states={state}",
    });
    let administrator = workspace.program(Role::Administrator).await;
    administrator.post("/api/automation/rules").json(&rule).send().await.expect(201);
    Records { lead, deleted, order, dead_letter }
}

/// What a viewer reads, without counts, which follow later.
fn reads(Records { lead, order, dead_letter, .. }: &Records) -> Vec<String> {
    let lists = ["leads", "leads/trash", "orders", "products", "products/A1", "products/A1/movements"];
    let lists = lists.into_iter().chain(["inventory/parked", "automation/rules"]);
    let mut paths: Vec<String> = lists.map(|path| format!("/api/{path}")).collect();
    paths.extend(["", "/history", "/notes", "/duplicates"].map(|part| format!("/api{lead}{part}")));
    paths.extend(["", "/history", "/leads"].map(|part| format!("/api{order}{part}")));
    paths.push(format!("/api/inventory/parked/{dead_letter}"));
    paths
}

/// Changes that an agent could make.
fn changes(Records { lead, order, dead_letter, .. }: &Records) -> Vec<(Method, String, Value)> {
    let version = json!({ "version": 1 });
    let (post, patch, put, delete) = (Method::POST, Method::PATCH, Method::PUT, Method::DELETE);
    let changes: [(&Method, &str, Value); 16] = [
        (&post, "/leads", new_lead("New", "new@example.com")),
        (&patch, lead, json!({ "version": 1, "leadScore": 1 })),
        (&put, lead, new_lead("New", "new@example.com")),
        (&delete, lead, version.clone()),
        (&patch, &format!("{lead}/status"), json!({ "version": 1, "status": "QUALIFIED" })),
        (&post, &format!("{lead}/restock"), version.clone()),
        (&post, &format!("{lead}/notes"), json!({ "text": "Mine" })),
        (&post, "/orders", json!({ "requestedStates": ["NY"] })),
        (&patch, &format!("{order}/fulfill"), version.clone()),
        (&delete, order, version.clone()),
        (&put, "/leads/caps", json!({ "state": "NY", "cap": 1, "version": 1 })),
        (&post, "/inventory/events", event("more", "A1", "RECEIPT", 1)),
        (&patch, "/products/A1", json!({ "version": 1, "name": "Mine" })),
        (&post, "/products/A1/adjust", json!({ "version": 1, "stock": 9 })),
        (&post, &format!("/inventory/parked/{dead_letter}/retry"), version),
        (&post, "/automation/execute", json!({ "command": "get_leads" })),
    ];
    changes.map(|(method, path, body)| (method.clone(), format!("/api{path}"), body)).into()
}

async fn a_viewer_reads_everything_and_changes_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let records = fill(&workspace).await;
    let viewer = workspace.program(Role::Viewer).await;
    let paths = reads(&records);
    let read_all = async || {
        let mut texts = Vec::new();
        for path in &paths {
            texts.push(viewer.get(path).send().await.expect(200).text().to_owned());
        }
        texts
    };
    let before = read_all().await;
    for path in ["/api/leads/caps", "/api/leads/stats", "/api/inventory/consumers", "/api/automation/runs"] {
        viewer.get(path).send().await.expect(200);
    }
    for (method, path, body) in changes(&records) {
        let refused = viewer.request(method.clone(), &path).json(&body).send().await.expect(403);
        assert_eq!(assert_problem(&refused, "forbidden")["detail"], REFUSAL, "{method} {path}");
    }
    // A file leaves the workspace, so it needs more than reading.
    viewer.get("/api/orders/export/csv").send().await.expect(403);
    assert_eq!(read_all().await, before);
}

/// The content of a page, without the button that searches if JavaScript is switched off.
fn content(page: &Response) -> String {
    let content = page.text().split_once("<main").expect("a page has content").1;
    let content = content.split_once("</main>").expect("the content ends").0;
    content.replace("<button class=\"no-script\" type=\"submit\">Search</button>", "")
}

/// The addresses of a page's links within the workspace.
fn links(page: &Response) -> impl Iterator<Item = String> {
    let links = page.text().split("href=\"/").skip(1);
    let links = links.filter_map(|rest| rest.split(['"', '#']).next().map(str::to_owned));
    links.map(|link| format!("/{link}"))
}

#[track_caller]
fn assert_offers_no_change(path: &str, content: &str) {
    let forms =
        ["<button", "method=\"post\"", "hx-post", "<textarea", "type=\"number\"", "type=\"checkbox\""];
    for words in forms.into_iter().chain(["Actions</span>", "<p class=\"actions\"></p>", "/new\"", "/edit\""])
    {
        assert!(!content.contains(words), "{path} offers {words}: {content}");
    }
}

async fn the_pages_of_a_viewer_offer_no_change_and_no_refused_link(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let Records { lead, deleted, order, dead_letter } = fill(&workspace).await;
    let viewer = workspace.session(Role::Viewer, "Vera Poe").await;
    let pages: [(&str, u16, &[&str]); 16] = [
        ("/", 200, &["Newest orders", "Acme Roofing"]),
        ("/leads", 200, &["Ida Lane", "Una Lane", "Trash"]),
        (
            &lead,
            200,
            &["Lane", "@example.com", "212 555 0100", "Called twice", "until an agent puts it back"],
        ),
        (&format!("{lead}/duplicates"), 200, &["This may be the same person"]),
        (&format!("{lead}/history"), 200, &["Called twice"]),
        ("/leads/trash", 200, &["Gone Lane"]),
        (&deleted, 410, &["Gone Lane", "deleted this lead"]),
        ("/orders", 200, &["Acme Roofing", "Caps"]),
        (&order, 200, &["Acme Roofing", "Leads by state", "Lane"]),
        ("/orders/caps", 200, &["Default cap", "New York"]),
        ("/inventory", 200, &["A1"]),
        ("/inventory/A1", 200, &["A1", "Low-stock threshold", "Movements"]),
        ("/inventory/dead-letters", 200, &["A1"]),
        (&format!("/inventory/dead-letters/{dead_letter}"), 200, &["A1"]),
        ("/inventory/consumers", 200, &["No consumer"]),
        ("/automation/rules", 200, &["Serve hot leads"]),
    ];
    let mut linked = BTreeSet::new();
    for (path, status, shown) in pages {
        let page = viewer.get(path).header("accept", "text/html").send().await.expect(status);
        let content = content(&page);
        for words in shown {
            assert!(content.contains(words), "{path} does not show {words}: {content}");
        }
        assert_offers_no_change(path, &content);
        linked.extend(links(&page));
    }
    assert!(linked.contains("/automation/rules") && linked.contains(&order), "{linked:?}");
    for path in linked {
        let status = viewer.get(&path).header("accept", "text/html").send().await.status.as_u16();
        assert!(matches!(status, 200 | 410), "a link leads to {path}, which was answered {status}");
    }
}

async fn an_empty_workspace_offers_a_viewer_no_start(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let viewer = workspace.session(Role::Viewer, "Vera Poe").await;
    for (path, words) in [
        ("/", "No leads yet"),
        ("/leads", "No leads yet"),
        ("/leads/trash", "No deleted leads"),
        ("/orders", "No orders yet"),
        ("/inventory", "No products yet"),
        ("/inventory/dead-letters", "No dead letters"),
        ("/automation/rules", "No rules yet"),
    ] {
        let page = viewer.get(path).send().await.expect(200);
        let content = content(&page);
        assert!(content.contains(words), "{path}: {content}");
        assert_offers_no_change(path, &content);
    }
}

async fn a_refused_page_names_the_role_to_ask_for(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let lead = fill(&workspace).await.lead;
    let viewer = workspace.person(Role::Viewer, "Vera Poe").await;
    let edit = format!("{lead}/edit");
    for path in ["/leads/new", "/leads/imports/new", "/orders/new", "/orders/export", "/automation", &edit] {
        let refused = viewer.get(path).header("accept", "text/html").send().await.expect(403);
        assert!(refused.text().contains(REFUSAL), "{path}: {}", refused.text());
    }
    let note = format!("{lead}/notes");
    for (path, field) in [(&format!("{lead}/delete"), ("version", "1")), (&note, ("text", "Mine"))] {
        let request = viewer.post(path).header("accept", "text/html").form(&[field]);
        assert!(request.send().await.expect(403).text().contains(REFUSAL), "{path}");
    }
    let notes: Value = viewer.get(&format!("/api{note}")).send().await.expect(200).json();
    assert_eq!(notes["items"].as_array().map(Vec::len), Some(1), "{notes}");
    // Viewers take part in raffles and have an account, like all others.
    for path in ["/raffles", "/account"] {
        viewer.get(path).send().await.expect(200);
    }
}
