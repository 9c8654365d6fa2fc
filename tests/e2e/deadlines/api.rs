//! A request for each route of the JSON API that writes.

use http::Method;
use serde_json::{Value, json};

use super::records::Records;
use crate::support::http::Response;

/// A request: its method, path, route and body.
pub type TestRequest = (Method, String, &'static str, Option<Value>);

/// One request for each route that writes, which would succeed on a working store. The case fails if a route has no
/// request.
pub fn requests(records: &Records) -> Vec<TestRequest> {
    use http::Method as M;
    let id = |name: &str| records.ids[name].clone();
    let order =
        json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"] });
    let mut few = order.clone();
    few["quantityPerState"] = 3.into();
    let lead = json!({ "name": "New", "email": "new@example.com" });
    let complete = json!({ "version": 1, "name": "A", "email": "put@example.com", "state": "NY", "leadScore": 1,
        "status": "PROSPECT" });
    let v1 = json!({ "version": 1 });
    let api = |method: M, path: String, route: &'static str, body: Value| (method, path, route, Some(body));
    vec![
        api(M::POST, "/api/leads".into(), "/api/leads", lead),
        api(
            M::PATCH,
            format!("/api/leads/{}", id("lead")),
            "/api/leads/{id}",
            json!({ "version": 1, "leadScore": 3 }),
        ),
        api(
            M::POST,
            format!("/api/leads/{}", id("lead")),
            "/api/leads/{id}",
            json!({ "version": 1, "leadScore": 3 }),
        ),
        api(M::PUT, format!("/api/leads/{}", id("lead")), "/api/leads/{id}", complete),
        (M::DELETE, format!("/api/leads/{}?version=1", id("lead")), "/api/leads/{id}", None),
        api(
            M::PATCH,
            format!("/api/leads/{}/status", id("lead")),
            "/api/leads/{id}/status",
            json!({ "version": 1, "status": "QUALIFIED" }),
        ),
        api(
            M::POST,
            format!("/api/leads/{}/reopen", id("lead")),
            "/api/leads/{id}/reopen",
            json!({ "version": 1, "reason": "x" }),
        ),
        api(M::POST, format!("/api/leads/{}/restock", id("lead")), "/api/leads/{id}/restock", v1.clone()),
        api(
            M::POST,
            format!("/api/leads/{}/restore", id("deleted")),
            "/api/leads/{id}/restore",
            json!({ "version": 2 }),
        ),
        api(
            M::POST,
            format!("/api/leads/{}/revert", id("changed")),
            "/api/leads/{id}/revert",
            json!({ "version": 2, "to": 1 }),
        ),
        api(
            M::POST,
            format!("/api/leads/{}/merge", id("lead")),
            "/api/leads/{id}/merge",
            json!({ "version": 1, "merged": id("changed"), "mergedVersion": 2 }),
        ),
        api(
            M::POST,
            format!("/api/leads/{}/notes", id("lead")),
            "/api/leads/{id}/notes",
            json!({ "text": "x" }),
        ),
        api(
            M::PATCH,
            format!("/api/leads/{}/notes/{}", id("lead"), id("note")),
            "/api/leads/{id}/notes/{note}",
            json!({ "version": 1, "text": "y" }),
        ),
        (
            M::DELETE,
            format!("/api/leads/{}/notes/{}?version=1", id("lead"), id("note")),
            "/api/leads/{id}/notes/{note}",
            None,
        ),
        api(
            M::PUT,
            "/api/leads/caps".into(),
            "/api/leads/caps",
            json!({ "state": "CA", "cap": 3, "version": 1 }),
        ),
        api(M::POST, "/api/orders".into(), "/api/orders", few),
        api(M::POST, "/api/orders".into(), "/api/orders", order),
        api(M::PATCH, format!("/api/orders/{}/fulfill", id("order")), "/api/orders/{id}/fulfill", v1.clone()),
        (M::DELETE, format!("/api/orders/{}?version=1", id("order")), "/api/orders/{id}", None),
        api(
            M::POST,
            format!("/api/orders/{}/release", id("order")),
            "/api/orders/{id}/release",
            json!({ "version": 1, "leadId": id("taken"), "reason": "BAD_CONTACT" }),
        ),
        api(
            M::POST,
            "/api/raffles".into(),
            "/api/raffles",
            json!({ "title": "Car", "prize": "A car", "tickets": 20 }),
        ),
        api(
            M::POST,
            format!("/api/raffles/{}/tickets", id("raffle")),
            "/api/raffles/{id}/tickets",
            json!({ "quantity": 1 }),
        ),
        (
            M::DELETE,
            format!("/api/raffles/{}/tickets/1", id("raffle")),
            "/api/raffles/{id}/tickets/{number}",
            None,
        ),
        api(M::POST, format!("/api/raffles/{}/draw", id("raffle")), "/api/raffles/{id}/draw", json!({})),
        api(
            M::POST,
            "/api/automation/execute".into(),
            "/api/automation/execute",
            json!({ "command": "create_order", "params": { "customer_name": "A", "customer_email": "a@example.com", "requested_states": ["NY"] } }),
        ),
        api(
            M::POST,
            "/api/automation/rules".into(),
            "/api/automation/rules",
            json!({ "name": "R", "on": "lead.created", "command": "get_leads limit=1", "repeat": "always" }),
        ),
        api(
            M::PATCH,
            format!("/api/automation/rules/{}", id("rule")),
            "/api/automation/rules/{id}",
            json!({ "version": 1, "enabled": false }),
        ),
        (
            M::DELETE,
            format!("/api/automation/rules/{}?version=1", id("rule")),
            "/api/automation/rules/{id}",
            None,
        ),
        api(
            M::POST,
            "/api/automation/runs/019f0000-0000-7000-8000-000000000000/retry".into(),
            "/api/automation/runs/{id}/retry",
            v1.clone(),
        ),
        api(
            M::POST,
            "/api/automation/dead-letters/019f0000-0000-7000-8000-000000000000/retry".into(),
            "/api/automation/dead-letters/{id}/retry",
            v1.clone(),
        ),
        (
            M::DELETE,
            "/api/automation/dead-letters/019f0000-0000-7000-8000-000000000000?version=1".into(),
            "/api/automation/dead-letters/{id}",
            None,
        ),
        api(
            M::POST,
            "/api/inventory/parked/retry".into(),
            "/api/inventory/parked/retry",
            json!({ "sku": "A1" }),
        ),
        api(
            M::POST,
            "/api/inventory/parked/dismiss".into(),
            "/api/inventory/parked/dismiss",
            json!({ "sku": "A1" }),
        ),
        api(
            M::POST,
            "/api/inventory/events".into(),
            "/api/inventory/events",
            json!({ "schema": 1, "messageId": "m9", "sku": "B1", "kind": "RECEIPT", "quantity": 1, "occurredAt": "2026-11-22T00:00:00Z" }),
        ),
        api(
            M::POST,
            format!("/api/inventory/parked/{}/retry", id("dead-letter")),
            "/api/inventory/parked/{id}/retry",
            v1,
        ),
        (
            M::DELETE,
            format!("/api/inventory/parked/{}?version=1", id("dead-letter")),
            "/api/inventory/parked/{id}",
            None,
        ),
        api(
            M::PATCH,
            "/api/products/A1".into(),
            "/api/products/{sku}",
            json!({ "detailsVersion": 1, "name": "N" }),
        ),
        api(
            M::POST,
            "/api/products/A1/adjust".into(),
            "/api/products/{sku}/adjust",
            json!({ "version": 1, "stock": 3 }),
        ),
        api(
            M::POST,
            "/api/accounts".into(),
            "/api/accounts",
            json!({ "name": "Cy", "email": "cy@example.com", "role": "viewer" }),
        ),
        api(
            M::PATCH,
            format!("/api/accounts/{}", id("account")),
            "/api/accounts/{id}",
            json!({ "version": 1, "role": "viewer" }),
        ),
        (
            M::DELETE,
            format!("/api/accounts/{}?version=1&leads=clear", id("account")),
            "/api/accounts/{id}",
            None,
        ),
        api(
            M::POST,
            format!("/api/accounts/{}/link", id("account")),
            "/api/accounts/{id}/link",
            json!({ "version": 1 }),
        ),
        (
            M::DELETE,
            format!("/api/accounts/{}/link?version=1", id("account")),
            "/api/accounts/{id}/link",
            None,
        ),
        api(
            M::POST,
            format!("/api/accounts/{}/sessions/end", id("account")),
            "/api/accounts/{id}/sessions/end",
            json!({ "version": 1 }),
        ),
        api(
            M::POST,
            format!("/api/accounts/{}/tokens", id("service")),
            "/api/accounts/{id}/tokens",
            json!({ "name": "u" }),
        ),
        (
            M::DELETE,
            format!("/api/accounts/{}/tokens/{}", id("service"), id("service token")),
            "/api/accounts/{id}/tokens/{token}",
            None,
        ),
        api(M::POST, "/api/tokens".into(), "/api/tokens", json!({ "name": "u" })),
        (M::DELETE, format!("/api/tokens/{}", id("token")), "/api/tokens/{id}", None),
    ]
}

/// Sends a request as an administrator.
pub async fn send(
    records: &Records,
    (method, path, _, body): &(Method, String, &str, Option<Value>),
) -> Response {
    // Only people create tokens.
    let client = if path.contains("/tokens") { &records.person } else { &records.admin };
    let request = client.request(method.clone(), path);
    match body {
        Some(body) => request.json(body).send().await,
        None => request.send().await,
    }
}
