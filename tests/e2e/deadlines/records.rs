//! A table with records of every kind, for the requests of the routes that write.

use std::collections::BTreeMap;

use holdfast::base::identity::Role;
use holdfast::store::schema;
use serde_json::{Value, json};

use crate::support::http::Client;
use crate::support::workspace::Workspace;

/// The records of a prepared table: their ids by the names of the parameters in routes.
pub struct Records {
    pub admin: Client,
    pub person: Client,
    pub(super) ids: BTreeMap<&'static str, String>,
}

pub(super) async fn create(client: &Client, path: &str, body: Value) -> Value {
    client.post(path).json(&body).send().await.expect(201).json()
}

pub(super) fn id(of: &Value) -> String {
    of["id"].as_str().unwrap().to_owned()
}

/// Prepares a table with records of every kind and `leads` leads.
pub async fn prepare(workspace: &Workspace, leads: usize) -> Records {
    schema::create_table(&workspace.app.dynamo).await.unwrap();
    let admin = workspace.program(Role::Administrator).await;
    let person = workspace.person(Role::Administrator, "Ann").await;
    let (count, mut leads) = (leads, Vec::new());
    for number in 0..count {
        let (name, email) = (format!("Lead {number}"), format!("lead{number}@example.com"));
        leads
            .push(create(&admin, "/api/leads", json!({ "name": name, "email": email, "state": "NY" })).await);
    }
    let cap = json!({ "state": "NY", "cap": 100, "version": 1 });
    admin.put("/api/leads/caps").json(&cap).send().await.expect(200);
    let order =
        json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"] });
    let mut small = order.clone();
    small["quantityPerState"] = 2.into();
    let order_id = id(&create(&admin, "/api/orders", small).await);
    let raffle = json!({ "title": "Car", "prize": "A car", "tickets": 20, "limitPerPerson": 3 });
    let raffle = admin.post("/api/raffles").json(&raffle).send().await.expect(201).json();
    let rule = json!({ "name": "Welcome", "on": "lead.created", "command": "get_leads limit=1", "repeat": "always" });
    let rule = create(&admin, "/api/automation/rules", rule).await;
    let event = |message: &str, kind: &str, quantity: u32| {
        json!({ "schema": 1, "messageId": message, "sku": "A1", "kind": kind, "quantity": quantity,
            "occurredAt": "2026-11-22T00:00:00Z" })
    };
    let events = json!([event("m1", "RECEIPT", 5), event("m2", "SALE", 50)]);
    admin.post("/api/inventory/events").json(&events).send().await.expect(200);
    let letters = admin.get("/api/inventory/parked").send().await.expect(200).json::<Value>();
    let token = person.post("/api/tokens").json(&json!({ "name": "t" })).send().await.expect(201).json();
    let deleted = create(&admin, "/api/leads", json!({ "name": "Gone", "email": "gone@example.com" })).await;
    admin.delete(&format!("/api/leads/{}?version=1", id(&deleted))).send().await.expect(204);
    let changed = create(&admin, "/api/leads", json!({ "name": "Was", "email": "was@example.com" })).await;
    let edit = json!({ "version": 1, "name": "Is" });
    admin.patch(&format!("/api/leads/{}", id(&changed))).json(&edit).send().await.expect(200);
    let notes = format!("/api/leads/{}/notes", id(&leads[count - 1]));
    let note = create(&admin, &notes, json!({ "text": "Called." })).await;
    let account = json!({ "name": "Bob", "email": "bob@example.com", "role": "agent" });
    let account = create(&admin, "/api/accounts", account).await;
    let service = json!({ "name": "Robot", "role": "agent", "kind": "service" });
    let service = create(&admin, "/api/accounts", service).await;
    let tokens = format!("/api/accounts/{}/tokens", id(&service));
    let service_token = create(&person, &tokens, json!({ "name": "t" })).await;
    let ids = BTreeMap::from([
        ("account", id(&account)),
        ("service", id(&service)),
        ("service token", id(&service_token)),
        ("deleted", id(&deleted)),
        ("changed", id(&changed)),
        ("note", id(&note)),
        ("lead", id(&leads[count - 1])),
        ("order", order_id),
        ("raffle", id(&raffle)),
        ("rule", id(&rule)),
        ("dead-letter", id(&letters["items"][0])),
        ("token", id(&token)),
        ("taken", id(&leads[0])),
    ]);
    Records { admin, person, ids }
}
