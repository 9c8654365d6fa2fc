//! A form for each route of pages that writes. On a working store all forms succeed in their order.

use http::Method;
use serde_json::{Value, json};

use super::page_accounts;
use super::records::{Records, create, id};
use crate::imports::{finish, send, start};
use crate::support::http::{Client, Response};
use crate::support::workspace::Workspace;

/// A form and its sender.
pub struct Form {
    pub route: &'static str,
    path: String,
    by: Client,
    body: Body,
}

/// The body of a form.
enum Body {
    Fields(Vec<(&'static str, String)>),
    /// A CSV file, sent with the form.
    File(&'static str),
    /// A part of a CSV file, sent by the script of a page.
    Part(&'static str),
}

/// Routes without a form in this list, and why.
pub const WITHOUT_A_FORM: [(&str, &str); 4] = [
    ("/people/security/sessions", "sessions are ended only after a change of the requirement"),
    ("/automation/runs/{id}/retry", "a failed run needs the stream"),
    ("/automation/dead-letters/{id}/retry", "a dead letter of the stream needs the stream"),
    ("/automation/dead-letters/{id}/dismiss", "a dead letter of the stream needs the stream"),
];

/// Routes whose forms change nothing in the store, and why.
pub const WITHOUT_A_WRITE: [(&str, &str); 2] =
    [("/theme", "the theme is in a cookie"), ("/orders/preview", "a preview reserves nothing")];

impl Form {
    pub fn new(by: &Client, route: &'static str, path: String, fields: &[(&'static str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { route, path, by: by.clone(), body: Body::Fields(fields) }
    }

    /// A form whose address contains one id.
    pub fn of(by: &Client, route: &'static str, id: &str, fields: &[(&'static str, &str)]) -> Self {
        let (before, rest) = route.split_once('{').unwrap();
        let (_, after) = rest.split_once('}').unwrap();
        Self::new(by, route, format!("{before}{id}{after}"), fields)
    }

    pub fn method(&self) -> Method {
        if matches!(self.body, Body::Part(_)) { Method::PUT } else { Method::POST }
    }

    pub async fn send(&self) -> Response {
        let request = self.by.request(self.method(), &self.path);
        match &self.body {
            Body::Fields(fields) => request.form(fields).send().await,
            Body::File(text) => request.upload(&[], ("file", "a.csv", text.as_bytes())).send().await,
            Body::Part(text) => request.body("application/octet-stream", *text).send().await,
        }
    }
}

/// Prepares the records of all forms.
pub async fn forms(workspace: &Workspace, records: &Records) -> Vec<Form> {
    let mut forms = page_accounts::forms(workspace, records).await;
    forms.extend(of_imports(records).await);
    forms.extend(of_leads(records).await);
    forms.extend(of_orders(records).await);
    forms.extend(of_raffles(records).await);
    forms.extend(of_inventory(records).await);
    forms.extend(of_automation(records).await);
    forms
}

async fn of_imports(records: &Records) -> Vec<Form> {
    const FILE: &str = "name,email\nImported,imported@example.com\n";
    let person = &records.person;
    let [ready, running, done] = [
        send(person, FILE.as_bytes()).await,
        send(person, FILE.as_bytes()).await,
        send(person, FILE.as_bytes()).await,
    ];
    start(person, &running).await;
    start(person, &done).await;
    finish(person, &done).await;
    let announced = person.post(&format!("/leads/imports?name=a.csv&size={}", FILE.len()));
    let announced: Value = announced.header("accept", "application/json").send().await.expect(201).json();
    let by_file = |route, path: String, body| Form { route, path, by: person.clone(), body };
    let route = "/leads/imports/{id}/parts/{number}";
    let part = by_file(route, format!("/leads/imports/{}/parts/0", id(&announced)), Body::Part(FILE));
    vec![
        by_file("/leads/imports", "/leads/imports".to_owned(), Body::File(FILE)),
        Form::new(person, "/leads/imports/{id}", ready, &[("column.0", "full-name"), ("column.1", "email")]),
        part,
        Form::new(person, "/leads/imports/{id}/step", format!("{running}/step"), &[]),
        Form::new(person, "/leads/imports/{id}/undo", format!("{done}/undo"), &[]),
        Form::new(person, "/leads/sample", "/leads/sample".to_owned(), &[]),
    ]
}

/// Creates a lead that no order takes.
async fn lead(records: &Records, name: &str) -> String {
    let email = format!("{}@example.com", name.to_lowercase());
    id(&create(&records.admin, "/api/leads", json!({ "name": name, "email": email })).await)
}

async fn patch(records: &Records, lead: &str, change: Value) {
    records.admin.patch(&format!("/api/leads/{lead}")).json(&change).send().await.expect(200);
}

async fn of_leads(records: &Records) -> Vec<Form> {
    let person = &records.person;
    let [kept, merged] = [lead(records, "Kept").await, lead(records, "Merged").await];
    let [edited, unwanted, noted] =
        [lead(records, "Edited").await, lead(records, "Unwanted").await, lead(records, "Noted").await];
    let [converted, trashed, changed] =
        [lead(records, "Converted").await, lead(records, "Trashed").await, lead(records, "Changed").await];
    patch(records, &converted, json!({ "version": 1, "status": "CONVERTED", "leadScore": 90 })).await;
    records.admin.delete(&format!("/api/leads/{trashed}?version=1")).send().await.expect(204);
    patch(records, &changed, json!({ "version": 1, "leadScore": 5 })).await;
    let note = async |text: &str| {
        id(&create(person, &format!("/api/leads/{noted}/notes"), json!({ "text": text })).await)
    };
    let [first, second] = [note("First.").await, note("Second.").await];
    let note_path = |note: &str, end: &str| format!("/leads/{noted}/notes/{note}{end}");
    let version = [("version", "1")];
    let merge = [("version", "1"), ("merged", merged.as_str()), ("mergedVersion", "1")];
    let new = [
        ("name", "New"),
        ("email", "form@example.com"),
        ("status", "PROSPECT"),
        ("leadScore", "5"),
        ("key", "k"),
    ];
    let edit = [("version", "1"), ("base.name", "Edited"), ("name", "Edit")];
    vec![
        Form::new(person, "/leads", "/leads".to_owned(), &new),
        Form::of(person, "/leads/{id}", &edited, &edit),
        Form::of(person, "/leads/{id}/delete", &unwanted, &version),
        Form::of(person, "/leads/{id}/merge", &kept, &merge),
        Form::of(person, "/leads/{id}/notes", &noted, &[("text", "Third."), ("key", "k")]),
        Form::new(
            person,
            "/leads/{id}/notes/{note}",
            note_path(&first, ""),
            &[("version", "1"), ("text", "1")],
        ),
        Form::new(person, "/leads/{id}/notes/{note}/delete", note_path(&second, "/delete"), &version),
        Form::of(person, "/leads/{id}/reopen", &converted, &[("version", "2"), ("reason", "By mistake.")]),
        Form::of(person, "/leads/{id}/restore", &trashed, &[("version", "2")]),
        Form::of(person, "/leads/{id}/revert", &changed, &[("version", "2"), ("to", "1")]),
    ]
}

/// Creates an order of one new lead. Returns the ids of the order and the lead.
async fn order(records: &Records, email: &str) -> [String; 2] {
    let lead = json!({ "name": "Ordered", "email": email, "state": "WA" });
    create(&records.admin, "/api/leads", lead).await;
    let order =
        json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["WA"] });
    let order = create(&records.admin, "/api/orders", order).await;
    [id(&order), id(&order["leads"][0])]
}

async fn of_orders(records: &Records) -> Vec<Form> {
    let person = &records.person;
    let [fulfilled, _] = order(records, "wa0@example.com").await;
    let [deleted, _] = order(records, "wa1@example.com").await;
    let [released, lead] = order(records, "wa2@example.com").await;
    let [withholding, withheld] = order(records, "wa3@example.com").await;
    let release = json!({ "version": 1, "leadId": withheld, "reason": "BAD_CONTACT" });
    let path = format!("/api/orders/{withholding}/release");
    records.admin.post(&path).json(&release).send().await.expect(200);
    let stock = records.admin.get(&format!("/api/leads/{withheld}")).send().await.expect(200);
    let stock = stock.json::<Value>()["version"].to_string();
    let free = json!({ "name": "Free", "email": "free@example.com", "state": "OR" });
    create(&records.admin, "/api/leads", free).await;
    let customer = [("customerName", "Acme"), ("customerEmail", "a@example.com"), ("requestedStates", "OR")];
    let keyed = [&customer[..], &[("key", "order")]].concat();
    let version = [("version", "1")];
    let release = [("version", "1"), ("lead", lead.as_str()), ("reason", "BAD_CONTACT")];
    vec![
        Form::new(person, "/orders/preview", "/orders/preview".to_owned(), &customer),
        Form::new(person, "/orders", "/orders".to_owned(), &keyed),
        Form::of(person, "/orders/caps/{state}", "AK", &[("version", "1"), ("cap", "3")]),
        Form::new(person, "/orders/caps", "/orders/caps".to_owned(), &[("version", "1"), ("cap", "12")]),
        Form::of(person, "/orders/{id}/fulfill", &fulfilled, &version),
        Form::of(person, "/orders/{id}/delete", &deleted, &version),
        Form::of(person, "/orders/{id}/release", &released, &release),
        Form::of(person, "/leads/{id}/restock", &withheld, &[("version", &stock)]),
    ]
}

async fn of_raffles(records: &Records) -> Vec<Form> {
    let person = &records.person;
    let new = json!({ "title": "Boat", "prize": "A boat", "tickets": 20, "limitPerPerson": 3 });
    let raffle = id(&create(&records.admin, "/api/raffles", new).await);
    let bought = create(person, &format!("/api/raffles/{raffle}/tickets"), json!({ "quantity": 2 })).await;
    let cancel = format!("/raffles/{raffle}/tickets/{}/cancel", bought["numbers"][0]);
    let new = [("title", "Bike"), ("prize", "A bike"), ("key", "raffle")];
    vec![
        Form::new(person, "/raffles", "/raffles".to_owned(), &new),
        Form::of(person, "/raffles/{id}/tickets", &raffle, &[("quantity", "1"), ("key", "tickets")]),
        Form::new(person, "/raffles/{id}/tickets/{number}/cancel", cancel, &[]),
        Form::of(person, "/raffles/{id}/draw", &raffle, &[]),
    ]
}

async fn of_inventory(records: &Records) -> Vec<Form> {
    let person = &records.person;
    let event = |message: &str, sku: &str, kind: &str, quantity: u32| {
        json!({ "schema": 1, "messageId": message, "sku": sku, "kind": kind, "quantity": quantity,
            "occurredAt": "2026-11-22T00:00:00Z" })
    };
    let mut events = vec![event("f0", "F0", "RECEIPT", 5)];
    for sku in ["F1", "F2", "F3"] {
        events.push(event(&format!("{sku}-receipt"), sku, "RECEIPT", 1));
        events.push(event(&format!("{sku}-sale"), sku, "SALE", 9));
    }
    events.push(event("more", "F1", "RECEIPT", 20));
    records.admin.post("/api/inventory/events").json(&json!(events)).send().await.expect(200);
    let letters: Value = records.admin.get("/api/inventory/parked").send().await.expect(200).json();
    let dead_letter = |sku: &str| {
        let items = letters["items"].as_array().unwrap();
        id(items.iter().find(|item| item["sku"] == sku).unwrap())
    };
    let adjust = [("version", "1"), ("stock", "7"), ("key", "k")];
    vec![
        Form::of(person, "/inventory/{sku}/adjust", "F0", &adjust),
        Form::of(
            person,
            "/inventory/{sku}/details",
            "F0",
            &[("version", "1"), ("name", "Lamp"), ("lowMark", "2")],
        ),
        Form::of(person, "/inventory/dead-letters/{id}/retry", &dead_letter("F1"), &[("version", "1")]),
        Form::of(person, "/inventory/dead-letters/{id}/dismiss", &dead_letter("F2"), &[("version", "1")]),
        Form::new(
            person,
            "/inventory/dead-letters/group",
            "/inventory/dead-letters/group".to_owned(),
            &[("decision", "dismiss"), ("sku", "F3")],
        ),
    ]
}

async fn of_automation(records: &Records) -> Vec<Form> {
    let person = &records.person;
    let rule = async |name: &str| {
        let rule =
            json!({ "name": name, "on": "lead.created", "command": "get_leads limit=1", "repeat": "always" });
        id(&create(&records.admin, "/api/automation/rules", rule).await)
    };
    let [saved, deleted, switched] = [rule("Saved").await, rule("Deleted").await, rule("Switched").await];
    let fields = |name: &'static str| {
        [("name", name), ("on", "lead.created"), ("command", "get_leads limit=1"), ("repeat", "always")]
    };
    let commands = [("commands", "retry_dead_letters sku=F9"), ("key", "k")];
    let save = [&fields("Named")[..], &[("version", "1"), ("base.name", "Saved")]].concat();
    vec![
        Form::new(person, "/automation", "/automation".to_owned(), &commands),
        Form::new(person, "/automation/rules", "/automation/rules".to_owned(), &fields("New")),
        Form::of(person, "/automation/rules/{id}", &saved, &save),
        Form::of(person, "/automation/rules/{id}/delete", &deleted, &[("version", "1")]),
        Form::of(person, "/automation/rules/{id}/switch", &switched, &[("version", "1")]),
    ]
}
