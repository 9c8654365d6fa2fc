//! Acts that cannot be undone are behind a closed element that a person opens first.

use holdfast::base::identity::Role;
use serde_json::{Value, json};

use super::{page, text};
use crate::support::html::{assert_asks, assert_closed};
use crate::support::workspace::{Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: acts_that_cannot_be_undone_ask_first,
            dismissals_and_ends_of_sessions_and_links_ask_first
    ]
}

async fn acts_that_cannot_be_undone_ask_first(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    crate::orders::stock(&workspace, "NY", 1).await;
    let root = workspace.person(Role::Administrator, "Root").await;
    let page = async |path: &str| root.get(path).send().await.expect(200).text().to_owned();

    let order =
        json!({ "customerName": "Acme", "customerEmail": "buy@acme.example", "requestedStates": ["NY"] });
    let order: Value = root.post("/api/orders").json(&order).send().await.expect(201).json();
    let order = page(&format!("/orders/{}", text(&order, "id"))).await;
    assert_asks(&order, "/fulfill");
    assert_asks(&order, "/delete");

    let lead = create(&root, &new_lead("Art Venere", "art@example.com")).await;
    let lead = self::page(&lead);
    let note = json!({ "text": "Called twice" });
    let note: Value = root.post(&format!("/api{lead}/notes")).json(&note).send().await.expect(201).json();
    let lead = page(&lead).await;
    assert_asks(&lead, &format!("/notes/{}/delete", text(&note, "id")));
    assert_asks(&lead, "/delete");

    root.post("/account/tokens").form(&[("name", "Nightly"), ("role", "agent"), ("days", "90")]).send().await;
    assert_asks(&page("/account").await, "/revoke");

    let raffle = crate::raffle_pages::open(&workspace, "Autumn", 10, 2).await;
    crate::raffle_pages::sold(&workspace, raffle, "Mia", 1).await;
    let raffle = page(&format!("/raffles/{raffle}/tickets")).await;
    assert_asks(&raffle, "/draw");
    assert!(raffle.contains("The only ticket sold wins."), "{raffle}");
    assert_asks(&raffle, "/cancel");

    let rule = json!({
        "name": "Serve hot leads", "on": "lead.qualified",
        "command": "create_order customer_name=Acme customer_email=buy@acme.example requested_states={state}",
    });
    root.post("/api/automation/rules").json(&rule).send().await.expect(201);
    assert_asks(&page("/automation/rules").await, "/delete");
}

async fn dismissals_and_ends_of_sessions_and_links_ask_first(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let root = workspace.person(Role::Administrator, "Root").await;
    let page = async |path: &str| root.get(path).send().await.expect(200).text().to_owned();

    let lost = crate::inventory_api::event("lost", "B1", "SALE", 1);
    crate::inventory_api::send(&workspace.agent().await, &lost).await;
    let letters = page("/inventory/dead-letters").await;
    assert_asks(&letters, "/dismiss");
    let (before, _) =
        letters.split_once("name=\"decision\" value=\"dismiss\"").expect("a group is dismissed");
    assert_closed(before, 2, "the dismissal of several");

    let ann = workspace.person(Role::Agent, "Ann").await;
    let me: Value = ann.get("/api/me").send().await.expect(200).json();
    assert_asks(&page(&format!("/people/{}", text(&me, "id"))).await, "/end");
    let form = [("kind", "person"), ("name", "Bob"), ("email", "bob@example.com"), ("role", "agent")];
    root.post("/people").form(&form).send().await.expect(201);
    let people: Value = root.get("/api/accounts?q=bob").send().await.expect(200).json();
    assert_asks(&page(&format!("/people/{}", text(&people["items"][0], "id"))).await, "/link/withdraw");
}
