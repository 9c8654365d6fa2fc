//! The leads of an owner: their list, and giving all of them to another owner.

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast::base::identity::{AccountId, Actor, Role, SignedIn};
use holdfast::leads::domain::{NewLead, Owner};
use holdfast::leads::import::{ImportRow, KnownEmails, RowSource};
use holdfast::leads::{KeptLead, LeadError, Reassigned};
use serde_json::{Value, json};

use super::dead_letters::{drop_item, spoil};
use super::order_races::interrupt;
use super::orders::{create as create_order, set_cap};
use crate::support::http::Client;
use crate::support::workspace::{
    TEST_RETRIES, Workspace, address, all_items, change, create, history, new_lead, read, texts,
};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: the_leads_of_an_owner_are_listed_page_by_page,
            the_list_of_an_owner_follows_changes_and_the_trash,
            the_list_of_an_owner_follows_merges,
            the_list_of_an_owner_follows_imports,
            a_lead_whose_owner_has_no_account_is_restored_and_changed;
        store: all_leads_of_an_owner_get_another_owner_or_none,
            leads_of_a_large_order_get_another_owner,
            an_edit_and_a_new_owner_at_the_same_time_both_happen,
            an_interrupted_reassignment_continues_with_leads_that_came_since,
            a_list_of_an_owner_costs_two_calls_and_a_lead_without_owner_nothing;
        app: a_damaged_lead_is_reported_and_the_others_get_their_new_owner;
        web: the_page_of_a_lead_leads_to_all_leads_of_its_owner
    ]
}

fn owned(owner: &SignedIn, name: &str) -> Value {
    let email = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
    let mut lead = new_lead(name, &email);
    lead["owner"] = json!(owner.id);
    lead
}

/// Bob and Ida, two agents.
async fn two_owners(workspace: &Workspace) -> (SignedIn, SignedIn) {
    (workspace.account(Role::Agent, "Bob Roe").await, workspace.account(Role::Agent, "Ida Poe").await)
}

/// The names of the leads of two owners.
async fn names_of(client: &Client, owners: (&SignedIn, &SignedIn)) -> [Vec<String>; 2] {
    [names(client, owners.0.id).await, names(client, owners.1.id).await]
}

/// The names of an owner's leads, newest first, read in pages of two.
async fn names(client: &Client, owner: AccountId) -> Vec<String> {
    listed(client, &format!("owner={owner}&limit=2")).await
}

async fn listed(client: &Client, query: &str) -> Vec<String> {
    texts(&all_items(client, &format!("/api/leads?{query}")).await, "name")
}

fn owner(account: &SignedIn) -> Owner {
    Owner { id: account.id, name: account.name.clone() }
}

async fn step(workspace: &Workspace, from: AccountId, to: Option<&Owner>, limit: u16) -> Reassigned {
    workspace.app.leads().reassign_owned(from, to, &Actor::new("Admin"), limit).await.unwrap()
}

/// All steps of the action: how many leads changed, and which ones were kept at last.
async fn reassign(workspace: &Workspace, from: AccountId, to: Option<&Owner>) -> (u64, Vec<KeptLead>) {
    let mut changed = 0;
    loop {
        let step = step(workspace, from, to, 2).await;
        changed += step.changed;
        if !step.more {
            return (changed, step.kept);
        }
    }
}

async fn the_leads_of_an_owner_are_listed_page_by_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (bob, ida) = two_owners(&workspace).await;
    for number in 0..5 {
        let mut lead = owned(&bob, &format!("Lead {number}"));
        lead["status"] = json!(if number % 2 == 0 { "QUALIFIED" } else { "PROSPECT" });
        create(&agent, &lead).await;
    }
    create(&agent, &owned(&ida, "Other")).await;
    create(&agent, &new_lead("Free", "free@example.com")).await;
    let all: Vec<String> = (0..5).rev().map(|number| format!("Lead {number}")).collect();
    assert_eq!(names(&agent, bob.id).await, all);
    assert_eq!(listed(&agent, &format!("owner={}", bob.email)).await, all);
    for (filter, expected) in [
        ("status=QUALIFIED", vec!["Lead 4", "Lead 2", "Lead 0"]),
        ("status=PROSPECT&state=NY", vec!["Lead 3", "Lead 1"]),
        ("state=CA", vec![]),
        ("stock=UNASSIGNED&limit=4", vec!["Lead 4", "Lead 3", "Lead 2", "Lead 1", "Lead 0"]),
        ("q=3", vec!["Lead 3"]),
        ("q=lead&status=PROSPECT", vec!["Lead 3", "Lead 1"]),
        ("q=other", vec![]),
    ] {
        let limit = if filter.contains("limit") { "" } else { "limit=1&" };
        let mut found = listed(&agent, &format!("owner={}&{limit}{filter}", bob.id)).await;
        // A search is sorted by the matching word.
        found.sort_by(|one, other| other.cmp(one));
        assert_eq!(found, expected, "{filter}");
    }
    assert_eq!(names(&agent, AccountId::new(jiff::Timestamp::UNIX_EPOCH, &[7; 10])).await, [""; 0]);
    for wrong in ["owner=x", "owner=none@example.com", &format!("owner={}&sort=score", bob.id)] {
        let problem: Value = agent.get(&format!("/api/leads?{wrong}")).send().await.expect(422).json();
        let field = if wrong.contains("sort") { "sort" } else { "owner" };
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let page: Value = agent.get("/api/leads?limit=2").send().await.expect(200).json();
    let other = format!("/api/leads?owner={}&cursor={}", bob.id, page["next"].as_str().unwrap());
    agent.get(&other).send().await.expect(400);
}

async fn the_list_of_an_owner_follows_changes_and_the_trash(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (bob, ida) = two_owners(&workspace).await;
    let both = async || names_of(&agent, (&bob, &ida)).await;
    let lead = create(&agent, &owned(&bob, "Ann Lee")).await;
    assert_eq!(both().await, [vec!["Ann Lee"], vec![]]);
    change(&agent, &lead, 1, json!({ "leadScore": 7 })).await.expect(200);
    change(&agent, &lead, 2, json!({ "owner": ida.id })).await.expect(200);
    assert_eq!(both().await, [vec![], vec!["Ann Lee"]]);
    change(&agent, &lead, 3, json!({ "owner": null })).await.expect(200);
    assert_eq!(both().await, [[""; 0]; 2]);
    let back = json!({ "version": 4, "to": 2 });
    agent.post(&format!("{}/revert", address(&lead))).json(&back).send().await.expect(200);
    assert_eq!(both().await, [vec!["Ann Lee"], vec![]]);
    agent.delete(&format!("{}?version=5", address(&lead))).send().await.expect(204);
    assert_eq!(both().await, [[""; 0]; 2], "deleted");
    let restore = format!("{}/restore", address(&lead));
    agent.post(&restore).json(&json!({ "version": 6 })).send().await.expect(200);
    assert_eq!(both().await, [vec!["Ann Lee"], vec![]], "restored");
}

async fn the_list_of_an_owner_follows_merges(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (bob, ida) = two_owners(&workspace).await;
    let both = async || names_of(&agent, (&bob, &ida)).await;
    // A merge ends one lead, and the other one may take its owner.
    let lead = create(&agent, &owned(&bob, "Ann Lee")).await;
    let free = create(&agent, &new_lead("Lee", "lee@example.com")).await;
    let merge = json!({ "version": 1, "merged": lead["id"], "mergedVersion": 1 });
    agent.post(&format!("{}/merge", address(&free))).json(&merge).send().await.expect(200);
    assert_eq!(both().await, [vec!["Lee"], vec![]], "merged");
    let other = create(&agent, &owned(&ida, "Cy")).await;
    let merge =
        json!({ "version": 2, "merged": other["id"], "mergedVersion": 1, "choices": { "owner": ida.id } });
    agent.post(&format!("{}/merge", address(&free))).json(&merge).send().await.expect(200);
    assert_eq!(both().await, [vec![], vec!["Lee"]], "merged with another owner");
}

async fn the_list_of_an_owner_follows_imports(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (bob, ida) = two_owners(&workspace).await;
    create(&agent, &owned(&ida, "Lee")).await;
    // An import creates leads and changes existing ones.
    for (name, email) in [("Uli", "uli@example.com"), ("Lee", "lee@example.com")] {
        let new = NewLead {
            owner: Some(owner(&bob)),
            ..NewLead::named(name.parse().unwrap(), email.parse().unwrap())
        };
        let source = RowSource { import: format!("test:{name}"), began: workspace.app.clock.now(), row: 2 };
        let row =
            ImportRow { new, has_name: true, has_status: false, has_score: false, conversion: None, source };
        workspace.app.leads().import(&row, KnownEmails::Update, &Actor::new("Ann")).await.unwrap();
    }
    assert_eq!(names_of(&agent, (&bob, &ida)).await, [vec!["Uli", "Lee"], vec![]]);
}

async fn a_lead_whose_owner_has_no_account_is_restored_and_changed(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let bob = workspace.account(Role::Agent, "Bob Roe").await;
    let lead = create(&agent, &owned(&bob, "Ann Lee")).await;
    agent.delete(&format!("{}?version=1", address(&lead))).send().await.expect(204);
    drop_item(&environment, &format!("ACCOUNT#{}", bob.id), "ACCOUNT").await;
    assert_eq!(reassign(&workspace, bob.id, None).await, (0, Vec::new()), "the trash stays as it is");
    let restore = format!("{}/restore", address(&lead));
    let restored: Value = agent.post(&restore).json(&json!({ "version": 2 })).send().await.expect(200).json();
    assert_eq!(restored["owner"], json!({ "id": bob.id, "name": "Bob Roe" }));
    change(&agent, &lead, 3, json!({ "leadScore": 7 })).await.expect(200);
    assert_eq!(names(&agent, bob.id).await, ["Ann Lee"]);
    assert_eq!(reassign(&workspace, bob.id, None).await, (1, Vec::new()));
    assert!(read(&agent, &lead).await.get("owner").is_none());
}

async fn all_leads_of_an_owner_get_another_owner_or_none(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (bob, ida) = two_owners(&workspace).await;
    let mut leads = Vec::new();
    for name in ["Converted", "Assigned", "Plain", "Other"] {
        leads.push(create(&agent, &owned(&bob, name)).await);
    }
    change(&agent, &leads[0], 1, json!({ "leadScore": 90, "status": "CONVERTED", "state": "CA" }))
        .await
        .expect(200);
    let order = json!({ "customerName": "Acme", "customerEmail": "a@example.com", "requestedStates": ["NY"], "quantityPerState": 1 });
    agent.post("/api/orders").json(&order).send().await.expect(201);
    assert_eq!(read(&agent, &leads[1]).await["stock"], "ASSIGNED");
    let same =
        workspace.app.leads().reassign_owned(bob.id, Some(&owner(&bob)), &Actor::new("Admin"), 2).await;
    assert!(matches!(same, Err(LeadError::Invalid("owner", _))), "{same:?}");
    let first = step(&workspace, bob.id, Some(&owner(&ida)), 3).await;
    assert_eq!((first.changed, first.more), (3, true));
    assert_eq!(reassign(&workspace, bob.id, Some(&owner(&ida))).await, (1, Vec::new()));
    assert_eq!(reassign(&workspace, bob.id, Some(&owner(&ida))).await, (0, Vec::new()), "a repetition");
    assert_eq!(names(&agent, bob.id).await, [""; 0]);
    assert_eq!(names(&agent, ida.id).await, ["Other", "Plain", "Assigned", "Converted"]);
    let entry = history(&agent, &leads[2]).await.pop().unwrap();
    assert_eq!((&entry["action"], &entry["by"]), (&json!("UPDATED"), &json!("Admin")));
    let (old, new) = (json!({ "id": bob.id, "name": "Bob Roe" }), json!({ "id": ida.id, "name": "Ida Poe" }));
    assert_eq!(entry["changes"], json!([{ "field": "owner", "old": old, "new": new }]));
    let converted = read(&agent, &leads[0]).await;
    assert_eq!((&converted["status"], &converted["version"]), (&json!("CONVERTED"), &json!(3)));
    assert_eq!(reassign(&workspace, ida.id, None).await, (4, Vec::new()));
    for lead in &leads {
        assert!(read(&agent, lead).await.get("owner").is_none());
    }
    assert_eq!(read(&agent, &leads[1]).await["stock"], "ASSIGNED");
}

async fn leads_of_a_large_order_get_another_owner(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (bob, ida) = two_owners(&workspace).await;
    set_cap(&workspace, "NY", 45).await;
    for number in 0..45 {
        let new: NewLead = serde_json::from_value(json!({
            "name": format!("Lead {number}"), "email": format!("lead{number}@example.com"), "state": "NY",
            "owner": owner(&bob),
        }))
        .unwrap();
        workspace.app.leads().create(new, &Actor::new("Ann"), None).await.unwrap();
    }
    let order = create_order(&workspace, &["NY"], None).await.unwrap().order;
    assert_eq!(reassign(&workspace, bob.id, Some(&owner(&ida))).await, (45, Vec::new()));
    workspace.app.orders().delete(order.id, None, &super::orders::by(), None).await.unwrap();
    assert_eq!(reassign(&workspace, ida.id, None).await, (45, Vec::new()));
    let agent = workspace.agent().await;
    let free = listed(&agent, "stock=UNASSIGNED&limit=100").await;
    assert_eq!(free.len(), 45, "the order gave its leads back");
}

async fn an_edit_and_a_new_owner_at_the_same_time_both_happen(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (bob, ida) = two_owners(&workspace).await;
    for round in 0..6 {
        let lead = create(&agent, &owned(&bob, &format!("Lead {round}"))).await;
        let gate = environment.wire().hold(2, "TransactWriteItems");
        let (leads, from, to) = (workspace.app.leads(), bob.id, owner(&ida));
        let giving = tokio::spawn(async move {
            leads.reassign_owned(from, Some(&to), &Actor::new("Admin"), 50).await.unwrap()
        });
        let (editor, same) = (agent.clone(), lead.clone());
        let editing = tokio::spawn(async move {
            change(&editor, &same, 1, json!({ "leadScore": 7 })).await.status.as_u16()
        });
        gate.arrived(2).await;
        gate.open();
        let (given, edited) = (giving.await.unwrap(), editing.await.unwrap());
        assert_eq!((given.changed, given.kept), (1, Vec::new()));
        match edited {
            200 => {}
            409 => {
                change(&agent, &lead, 2, json!({ "leadScore": 7 })).await.expect(200);
            }
            status => panic!("{status}"),
        }
        let now = read(&agent, &lead).await;
        assert_eq!((&now["owner"]["name"], &now["leadScore"]), (&json!("Ida Poe"), &json!(7)));
        assert_eq!((&now["version"], history(&agent, &lead).await.len()), (&json!(3), 3));
    }
}

async fn an_interrupted_reassignment_continues_with_leads_that_came_since(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (bob, ida) = two_owners(&workspace).await;
    let mut leads = Vec::new();
    for number in 0..12 {
        leads.push(create(&agent, &owned(&bob, &format!("Lead {number}"))).await);
    }
    let wire = environment.another_wire();
    let cut = workspace.another(&environment, &wire, TEST_RETRIES);
    let (from, to) = (bob.id, owner(&ida));
    let work = async move { cut.app.leads().reassign_owned(from, Some(&to), &Actor::new("Admin"), 50).await };
    assert!(interrupt(&wire, 3, work).await.is_none(), "the step was interrupted");
    assert_ne!(names(&agent, bob.id).await, [""; 0], "a lead has its old owner");
    let first = step(&workspace, bob.id, Some(&owner(&ida)), 50).await;
    assert!(first.changed > 0 && first.more, "{first:?}");
    // A lead that is given to the old owner in the course of the action is not missed.
    leads.push(create(&agent, &owned(&bob, "Late")).await);
    assert_eq!(reassign(&workspace, bob.id, Some(&owner(&ida))).await, (1, Vec::new()));
    assert_eq!(names(&agent, bob.id).await, [""; 0]);
    assert_eq!(names(&agent, ida.id).await.len(), 13);
    for lead in &leads {
        assert_eq!(history(&agent, lead).await.len(), 2, "no lead changed twice");
    }
}

async fn a_list_of_an_owner_costs_two_calls_and_a_lead_without_owner_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let bob = workspace.account(Role::Agent, "Bob Roe").await;
    let writes = || {
        let calls = environment.wire().calls_of("TransactWriteItems");
        let owners =
            calls.iter().map(|call| call.request.to_string().matches("OWNER#").count()).sum::<usize>();
        (calls.len(), owners)
    };
    environment.wire().reset();
    let lead = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    change(&agent, &lead, 1, json!({ "name": "Ann Li" })).await.expect(200);
    assert_eq!(writes(), (2, 0), "without an owner");
    change(&agent, &lead, 2, json!({ "owner": bob.id })).await.expect(200);
    assert_eq!(writes(), (3, 1));
    change(&agent, &lead, 3, json!({ "name": "Ann Lee", "owner": bob.id })).await.expect(200);
    assert_eq!(writes(), (4, 1), "with the same owner");
    for number in 0..60 {
        create(&agent, &owned(&bob, &format!("Lead {number}"))).await;
    }
    agent.get("/api/me").send().await.expect(200);
    for query in ["", "&status=QUALIFIED", "&status=PROSPECT&state=NY", "&q=l"] {
        environment.wire().reset();
        let path = format!("/api/leads?limit=50&owner={}{query}", bob.id);
        let page: Value = agent.get(&path).send().await.expect(200).json();
        let calls = environment.wire().total_authenticated();
        assert!(calls <= 2, "{path} takes {calls} calls");
        let full = if query.contains("QUALIFIED") { 0 } else { 50 };
        assert_eq!(page["items"].as_array().unwrap().len(), full, "{path}");
    }
}

async fn a_damaged_lead_is_reported_and_the_others_get_their_new_owner(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let bob = workspace.account(Role::Agent, "Bob Roe").await;
    let good = create(&agent, &owned(&bob, "Good")).await;
    let damaged = create(&agent, &owned(&bob, "Damaged")).await;
    let id = damaged["id"].as_str().unwrap();
    let status = |text: &str| AttributeValue::S(text.to_owned());
    spoil(&environment, &format!("LEAD#{id}"), "LEAD", "status", status("?")).await;
    // The damaged lead is the newest and alone on its page.
    let first = step(&workspace, bob.id, None, 1).await;
    assert_eq!((first.changed, first.more, first.kept.len()), (1, true, 1));
    let (changed, kept) = reassign(&workspace, bob.id, None).await;
    assert_eq!((changed, kept.len(), kept[0].id.to_string()), (0, 1, id.to_owned()));
    assert!(kept[0].reason.contains("malformed"), "{kept:?}");
    assert!(read(&agent, &good).await.get("owner").is_none());
    spoil(&environment, &format!("LEAD#{id}"), "LEAD", "status", status("PROSPECT")).await;
    assert_eq!(reassign(&workspace, bob.id, None).await, (1, Vec::new()));
}

async fn the_page_of_a_lead_leads_to_all_leads_of_its_owner(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let ann = workspace.person(Role::Agent, "Ann").await;
    let bob = workspace.account(Role::Agent, "Bob Roe").await;
    let lead = create(&agent, &owned(&bob, "First")).await;
    create(&agent, &owned(&bob, "Second")).await;
    create(&agent, &new_lead("Another", "another@example.com")).await;
    let page = ann.get(&format!("/leads/{}", lead["id"].as_str().unwrap())).send().await.expect(200);
    let path = format!("/leads?owner={}", bob.id);
    assert!(page.text().contains(&format!("href=\"{path}\"")), "{}", page.text());
    let list = ann.get(&path).send().await.expect(200);
    for shown in ["Leads of <strong>Bob Roe</strong>", "First", "Second", "2 leads shown", "name=\"owner\""] {
        assert!(list.text().contains(shown), "{shown}: {}", list.text());
    }
    assert!(!list.text().contains("Another"));
    let none = ann.get(&format!("{path}&status=QUALIFIED")).send().await.expect(200);
    assert!(
        none.text().contains("No matching leads.") && none.text().contains("All leads"),
        "{}",
        none.text()
    );
    ann.get(&format!("/leads?owner={}", bob.email)).send().await.expect(200);
    ann.get("/leads?owner=x").send().await.expect(422);
}
