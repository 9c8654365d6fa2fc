//! Duplicates, and merging two leads.

use serde_json::{Value, json};

use crate::support::html::link;
use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, address, change, create, history, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};
use holdfast::base::identity::Role;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: two_leads_become_one_with_the_chosen_values,
            the_address_of_a_merged_lead_leads_to_the_other,
            old_changes_of_a_lead_that_is_merged_or_deleted_can_still_be_read,
            a_merge_of_changed_leads_conflicts,
            a_lead_in_an_open_order_is_not_merged,
            a_merge_and_an_order_never_both_take_a_lead,
            leads_with_the_same_phone_or_name_and_company_may_be_duplicates,
            a_note_during_a_merge_stays_readable;
        web: the_page_of_a_merge_offers_the_choices
    ]
}

async fn pair(client: &Client) -> (Value, Value) {
    let mut one = new_lead("Ann Lee", "ann@example.com");
    one["fields"] = json!({ "Industry": "Roofing", "Size": "10" });
    let mut other = new_lead("Ann M. Lee", "lee@example.com");
    other["phone"] = json!("212-555-0100");
    other["company"] = json!("Acme");
    other["fields"] = json!({ "Industry": "Solar", "City": "Reno" });
    (create(client, &one).await, create(client, &other).await)
}

async fn merge(client: &Client, kept: &Value, merged: &Value, choices: Value) -> Response {
    let body = json!({
        "version": kept["version"], "merged": merged["id"], "mergedVersion": merged["version"], "choices": choices,
    });
    client.post(&format!("{}/merge", address(kept))).json(&body).send().await
}

async fn two_leads_become_one_with_the_chosen_values(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let (kept, merged) = pair(&agent).await;
    let choices = json!({ "email": "lee@example.com", "fields": { "Industry": "Solar" } });
    let after: Value = merge(&agent, &kept, &merged, choices).await.expect(200).json();
    for (field, value) in
        [("name", "Ann Lee"), ("email", "lee@example.com"), ("phone", "212-555-0100"), ("company", "Acme")]
    {
        assert_eq!(after[field], value, "{field}");
    }
    assert_eq!((&after["version"], &after["merged"]), (&json!(2), &json!([merged["id"]])));
    assert_eq!(
        read(&agent, &kept).await["fields"],
        json!({ "Industry": "Solar", "Size": "10", "City": "Reno" })
    );
    assert_eq!(history(&agent, &kept).await.pop().unwrap()["action"], "MERGED");
    assert_eq!(history(&agent, &merged).await.pop().unwrap()["action"], "MERGED_INTO");
    let taken = agent.post("/api/leads").json(&new_lead("X", "lee@example.com")).send().await.expect(422);
    assert!(taken.text().contains("email-is-unique"));
    create(&agent, &new_lead("Free", "ann@example.com")).await;
    for (typed, count) in [("reno", 0), ("acme", 1), ("lee", 1), ("ann", 2)] {
        let found: Value = agent.get(&format!("/api/leads?q={typed}")).send().await.expect(200).json();
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{typed}");
    }
}

async fn the_address_of_a_merged_lead_leads_to_the_other(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (kept, merged) = pair(&agent).await;
    merge(&agent, &kept, &merged, json!({})).await.expect(200);
    let moved = agent.get(&address(&merged)).send().await.expect(308);
    assert_eq!(moved.header("location"), address(&kept));
    let gone: Value = change(&agent, &merged, 1, json!({ "leadScore": 1 })).await.expect(410).json();
    assert_eq!(gone["mergedInto"], kept["id"]);
    let ann = workspace.person(Role::Agent, "Ann").await;
    let page = ann.get(&format!("/leads/{}", merged["id"].as_str().unwrap())).send().await.expect(303);
    assert_eq!(page.header("location"), format!("/leads/{}", kept["id"].as_str().unwrap()));
    let page = ann.get(&format!("/leads/{}", kept["id"].as_str().unwrap())).send().await.expect(200);
    let history = format!("/leads/{}/history", merged["id"].as_str().unwrap());
    assert!(page.text().contains(&history));
    assert!(ann.get(&history).send().await.expect(200).text().contains("Merged into another lead"));
}

async fn old_changes_of_a_lead_that_is_merged_or_deleted_can_still_be_read(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (kept, merged) = pair(&agent).await;
    for version in 1..=51 {
        change(&agent, &merged, version, json!({ "leadScore": version })).await.expect(200);
    }
    let ann = workspace.person(Role::Agent, "Ann").await;
    let id = merged["id"].as_str().unwrap();
    agent.delete(&format!("{}?version=52", address(&merged))).send().await.expect(204);
    let page = ann.get(&format!("/leads/{id}")).send().await.expect(410);
    assert_reads_the_first_change(&ann, page.text()).await;
    let gone: Value = agent.get(&address(&merged)).send().await.expect(410).json();
    let restore =
        agent.post(&format!("{}/restore", address(&merged))).json(&json!({ "version": gone["version"] }));
    let restored: Value = restore.send().await.expect(200).json();
    merge(&agent, &kept, &restored, json!({})).await.expect(200);
    let page = ann.get(&format!("/leads/{id}/history")).send().await.expect(200);
    assert_reads_the_first_change(&ann, page.text()).await;
}

/// Follows the links to older changes, as htmx and as a browser without it, until the creation of the lead.
async fn assert_reads_the_first_change(ann: &Client, page: &str) {
    assert!(page.contains("?history="), "{page}");
    let mut page = page.to_owned();
    for _ in 0..10 {
        if !page.contains("?history=") {
            assert!(page.contains("Created"), "{page}");
            return;
        }
        let older = link(&page, "?history=").to_owned();
        let whole = ann.get(&older).send().await.expect(200);
        assert!(whole.text().contains("</html>") && whole.text().contains("Notes and history"));
        page = ann.get(&older).header("hx-request", "true").send().await.expect(200).text().to_owned();
        assert!(!page.contains("</html>"), "{page}");
    }
    panic!("There is no end: {page}");
}

async fn a_merge_of_changed_leads_conflicts(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let (kept, merged) = pair(&agent).await;
    change(&agent, &merged, 1, json!({ "leadScore": 7 })).await.expect(200);
    let problem: Value = merge(&agent, &kept, &merged, json!({})).await.expect(409).json();
    assert_eq!(problem["fresh"]["id"], merged["id"]);
    let same: Value = merge(&agent, &kept, &kept, json!({})).await.expect(422).json();
    assert_eq!(same["errors"][0]["field"], "merged");
    assert_eq!(read(&agent, &kept).await["version"], 1, "nothing was written");
}

async fn a_lead_in_an_open_order_is_not_merged(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let (kept, merged) = pair(&agent).await;
    agent
        .post("/api/orders")
        .json(&json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"], "quantityPerState": 1 }))
        .send()
        .await
        .expect(201);
    let (kept, merged) = (read(&agent, &kept).await, read(&agent, &merged).await);
    for (one, other) in [(&kept, &merged), (&merged, &kept)] {
        let problem: Value = merge(&agent, one, other, json!({})).await.expect(422).json();
        assert_eq!(problem["rule"], "assigned-is-not-merged");
    }
}

async fn a_merge_and_an_order_never_both_take_a_lead(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for round in 0..6 {
        let one = create(&agent, &new_lead("One", &format!("one{round}@example.com"))).await;
        let other = create(&agent, &new_lead("Other", &format!("other{round}@example.com"))).await;
        let order = json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"], "quantityPerState": 2 });
        let (merged, ordered) = tokio::join!(
            merge(&agent, &one, &other, json!({})),
            agent.post("/api/orders").json(&order).send()
        );
        let mut left = vec![read(&agent, &one).await];
        match merged.status.as_u16() {
            200 => assert_eq!(left[0]["merged"], json!([other["id"]])),
            // The order has one of the leads, or both: an index may show a new lead late.
            409 | 422 => left.push(read(&agent, &other).await),
            status => panic!("{status}: {}", merged.text()),
        }
        let mut ids_in_order: Vec<Value> = Vec::new();
        if ordered.status.is_success() {
            let order: Value = ordered.json();
            ids_in_order.extend(order["leads"].as_array().unwrap().iter().map(|lead| lead["id"].clone()));
        }
        assert!(merged.status.is_success() || !ids_in_order.is_empty(), "neither took a lead");
        let assigned = left.iter().filter(|lead| lead["stock"] == "ASSIGNED");
        let assigned: Vec<Value> = assigned.map(|lead| lead["id"].clone()).collect();
        assert_eq!(assigned, ids_in_order);
        // The next round begins without free leads.
        for free in left.iter().filter(|lead| lead["stock"] == "UNASSIGNED") {
            let address = format!("{}?version={}", address(free), free["version"]);
            agent.delete(&address).send().await.expect(204);
        }
    }
}

async fn leads_with_the_same_phone_or_name_and_company_may_be_duplicates(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let make = async |name: &str, email: &str, phone: &str, company: &str| {
        let mut new = new_lead(name, email);
        new["phone"] = json!(phone);
        new["company"] = json!(company);
        create(&agent, &new).await
    };
    let lead = make("Ann Lee", "a@example.com", "+1 (212) 555-0100", "Acme").await;
    let phone = make("Bob Roe", "b@example.com", "212.555.0100", "Other").await;
    let name = make("ann lee", "c@example.com", "303-555-0100", "ACME").await;
    make("Ann Lee", "d@example.com", "404-555-0100", "Elsewhere").await;
    let found: Value = agent.get(&format!("{}/duplicates", address(&lead))).send().await.expect(200).json();
    let mut ids: Vec<&Value> = found["items"].as_array().unwrap().iter().map(|lead| &lead["id"]).collect();
    ids.sort_by_key(|id| id.to_string());
    let mut expected = [&phone["id"], &name["id"]];
    expected.sort_by_key(|id| id.to_string());
    assert_eq!(ids, expected);
    // A name and a company that are too long for a search are found by their longest words.
    let (name, company) = (format!("Ann{} Lee", " Wolfeschlegel".repeat(7)), "Steinhausen ".repeat(13));
    let long = make(&name, "e@example.com", "505-555-0100", &company).await;
    let same = make(&name, "f@example.com", "606-555-0100", &company).await;
    let found: Value = agent.get(&format!("{}/duplicates", address(&long))).send().await.expect(200).json();
    assert_eq!(found["items"][0]["id"], same["id"], "{found}");
    let ann = workspace.person(Role::Agent, "Ann").await;
    let page =
        ann.get(&format!("/leads/{}/duplicates", lead["id"].as_str().unwrap())).send().await.expect(200);
    assert!(page.text().contains("/merge?with="));
}

async fn a_note_during_a_merge_stays_readable(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let (kept, merged) = pair(&agent).await;
    let notes = format!("{}/notes", address(&merged));
    let (note, _) = tokio::join!(
        agent.post(&notes).json(&json!({ "text": "Called." })).send(),
        merge(&agent, &kept, &merged, json!({}))
    );
    let listed: Value = agent.get(&notes).send().await.expect(200).json();
    let written = usize::from(note.status.is_success());
    assert_eq!(listed["items"].as_array().unwrap().len(), written);
}

async fn the_page_of_a_merge_offers_the_choices(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, agent) = (workspace.person(Role::Agent, "Ann").await, workspace.agent().await);
    let (kept, merged) = pair(&agent).await;
    let (id, other) = (kept["id"].as_str().unwrap(), merged["id"].as_str().unwrap());
    let page = ann.get(&format!("/leads/{id}/merge?with={other}")).send().await.expect(200);
    for shown in ["choose.email", "choose.fields.Industry", "Reno", "taken", "Keep the other lead instead"] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    let form = |version: &'static str| {
        vec![
            ("version", version),
            ("merged", other),
            ("mergedVersion", "1"),
            ("choose.email", "other"),
            ("choose.name", "kept"),
            ("choose.fields.Industry", "other"),
        ]
    };
    let path = format!("/leads/{id}/merge");
    ann.get(&format!("{path}?with=x")).send().await.expect(422);
    change(&agent, &kept, 1, json!({ "leadScore": 9 })).await.expect(200);
    let stale = ann.post(&path).form(&form("1")).send().await.expect(409);
    assert!(stale.text().contains("One of these leads has changed"));
    ann.post(&path).form(&form("2")).send().await.expect(303);
    let now = read(&agent, &kept).await;
    assert_eq!((&now["email"], &now["name"]), (&json!("lee@example.com"), &json!("Ann Lee")));
    assert_eq!(now["fields"]["Industry"], "Solar");
}
