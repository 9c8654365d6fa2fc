//! Lists and search: what they find, their order, pages, and cost in calls.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::case::scaled;
use crate::support::http::Client;
use crate::support::workspace::{Workspace, address, all_items, change, create, new_lead, texts};
use crate::support::{Case, TestEnvironment, cases};
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: lists_filter_sort_and_page_by_cursor,
            a_search_finds_leads_by_the_beginnings_of_their_words,
            a_search_combines_with_filters_and_pages_without_repeating;
        web: a_saved_lead_is_found_at_once_and_not_by_its_old_name;
        store: the_cost_of_requests_does_not_grow_with_the_table
    ]
}

async fn names(client: &Client, path: &str) -> Vec<String> {
    texts(&all_items(client, path).await, "name")
}

fn search(words: &str) -> String {
    format!("/api/leads?{}", serde_urlencoded::to_string([("q", words)]).unwrap())
}

async fn lists_filter_sort_and_page_by_cursor(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for number in 0..12_u64 {
        let status = ["PROSPECT", "QUALIFIED", "CONVERTED"][number as usize % 3];
        let body = json!({
            "name": format!("Lead {number}"), "email": format!("lead{number}@example.com"), "status": status,
            "state": (number % 2 == 0).then_some("CA"), "leadScore": 80 + (number * 7) % 12,
        });
        create(&agent, &body).await;
    }
    let numbers =
        |names: Vec<String>| -> Vec<u64> { names.iter().map(|name| name[5..].parse().unwrap()).collect() };
    let listed = async |query: &str| numbers(names(&agent, &format!("/api/leads?limit=5{query}")).await);
    let newest: Vec<u64> = (0..12).rev().collect();
    assert_eq!(listed("").await, newest);
    let only =
        |keep: &dyn Fn(u64) -> bool| -> Vec<u64> { newest.iter().copied().filter(|n| keep(*n)).collect() };
    assert_eq!(listed("&status=QUALIFIED").await, only(&|n| n % 3 == 1));
    assert_eq!(listed("&state=CA").await, only(&|n| n % 2 == 0));
    assert_eq!(listed("&state=CA&status=converted").await, only(&|n| n % 2 == 0 && n % 3 == 2));
    assert_eq!(listed("&state=NY").await, only(&|_| false));
    let by_score = |mut numbers: Vec<u64>| {
        numbers.sort_by_key(|n| std::cmp::Reverse(((n * 7) % 12, *n)));
        numbers
    };
    assert_eq!(listed("&sort=score").await, by_score(newest.clone()));
    assert_eq!(listed("&sort=score&state=CA").await, by_score(only(&|n| n % 2 == 0)));
    assert_eq!(listed("&sort=score&status=PROSPECT&state=CA").await, by_score(only(&|n| n % 6 == 0)));
    // A page with exactly the remaining leads has no next page.
    let page: Value = agent.get("/api/leads?limit=12").send().await.expect(200).json();
    assert_eq!(page["next"], Value::Null);
    let page: Value = agent.get("/api/leads?limit=5").send().await.expect(200).json();
    let cursor = page["next"].as_str().unwrap();
    agent.get(&format!("/api/leads?limit=5&sort=score&cursor={cursor}")).send().await.expect(400);
    agent.get(&format!("/api/leads?q=lead&cursor={cursor}")).send().await.expect(400);
}

async fn a_search_finds_leads_by_the_beginnings_of_their_words(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for (name, email, state) in [
        ("José O'Brien-Smith", "jose_brien+sales@mail.example.com", Some("NY")),
        ("Joanna 100% 🎉", "jo.anna@example.org", Some("CA")),
        ("Ann Lee", "annlee@example.net", None),
    ] {
        create(&agent, &json!({ "name": name, "email": email, "state": state })).await;
    }
    let found = async |words: &str| -> BTreeSet<String> {
        names(&agent, &search(words))
            .await
            .iter()
            .map(|name| name.split(' ').next().unwrap().to_owned())
            .collect()
    };
    for (words, expected) in [
        ("jo", vec!["José", "Joanna"]),
        ("JOSÉ", vec!["José"]),
        ("jose\u{301}", vec!["José"]),
        ("o'b", vec!["José"]),
        ("brien smi", vec!["José"]),
        ("ny", vec!["José"]),
        ("sales", vec!["José"]),
        ("jose_brien+sales@mail.example.com", vec!["José"]),
        ("example", vec!["José", "Joanna", "Ann"]),
        ("exa jo ca", vec!["Joanna"]),
        ("100%", vec!["Joanna"]),
        ("🎉", vec!["Joanna"]),
        ("ann", vec!["Ann", "Joanna"]),
        ("ann ann annl", vec!["Ann"]),
        ("lee ann", vec!["Ann"]),
        ("nn", vec![]),
        ("%", vec![]),
        ("_", vec![]),
        ("\"'", vec![]),
        ("ann zzz", vec![]),
    ] {
        assert_eq!(found(words).await, expected.into_iter().map(str::to_owned).collect(), "{words}");
    }
    assert_eq!(found(&"é".repeat(200)).await.len(), 0);
    assert_eq!(found(&"a ".repeat(100)).await.len(), 2);
    assert_eq!(found(" \u{301} ").await.len(), 3, "a search without words lists everything");
    agent.get(&search(&"x".repeat(201))).send().await.expect(422);
}

async fn a_saved_lead_is_found_at_once_and_not_by_its_old_name(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Zelda Quick", "zelda@example.com")).await;
    assert_eq!(names(&agent, &search("zel qui")).await.len(), 1);
    change(&agent, &lead, 1, json!({ "name": "Yolanda Quick", "email": "yo@example.com", "state": "TX" }))
        .await
        .expect(200);
    for (words, expected) in [("zelda", 0), ("ny", 0), ("yolanda", 1), ("qui yo tx", 1), ("yo@exa", 1)] {
        assert_eq!(names(&agent, &search(words)).await.len(), expected, "{words}");
    }
    agent.delete(&address(&lead)).header("if-match", "\"2\"").send().await.expect(204);
    assert_eq!(names(&agent, &search("quick")).await.len(), 0);
}

async fn a_search_combines_with_filters_and_pages_without_repeating(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for number in 0..30 {
        let body = json!({
            "name": format!("Anna Ann Annabel {number}"), "email": format!("anna{number}.ann@example.com"),
            "state": (if number % 3 == 0 { "CA" } else { "NY" }), "leadScore": 90,
        });
        let lead = create(&agent, &body).await;
        if number % 5 == 0 {
            change(&agent, &lead, 1, json!({ "status": "CONVERTED" })).await.expect(200);
        }
    }
    let found = async |query: &str| {
        let all = names(&agent, &format!("/api/leads?limit=4&{query}")).await;
        let distinct: BTreeSet<_> = all.iter().cloned().collect();
        assert_eq!(distinct.len(), all.len(), "{query} repeats a lead");
        all.len()
    };
    assert_eq!(found("q=ann").await, 30);
    assert_eq!(found("q=ann&state=CA").await, 10);
    assert_eq!(found("q=ann+exam&status=CONVERTED").await, 6);
    assert_eq!(found("q=ann&status=CONVERTED&state=CA").await, 2);
    assert_eq!(found("q=7").await, 1);
}

/// The cost of requests in calls. The first call of each one reads the token.
async fn the_cost_of_requests_does_not_grow_with_the_table(environment: TestEnvironment) {
    // On a slow store, the sender would be looked up again after ten seconds.
    let now = jiff::Timestamp::now();
    let workspace = Workspace::open(&environment).await.with_clock(Clock::from_fn(move || now));
    // As `holdfast upgrade` and the start of a local server do: no search looks for words of version 0.1.
    workspace.app.leads().upgrade_words(|_| ()).await.unwrap();
    let token = workspace.token(Role::Agent, "Ann").await;
    let agent = workspace.bearer(&token);
    for number in 0..40 {
        let body = json!({ "name": format!("Small {number}"), "email": format!("small{number}@example.com"), "state": "CA" });
        create(&agent, &body).await;
    }
    let small = costs(&environment, &agent, "small").await;
    crowd(&environment).await;
    let large = costs(&environment, &agent, "large").await;
    assert_eq!(small, large, "more calls because the table is larger");
    for (what, calls) in small {
        let most = match what {
            "update" | "create" => 1,
            "visitor" => 0,
            _ => 2,
        };
        assert!(calls <= most, "{what} took {calls} calls");
    }
}

async fn costs(environment: &TestEnvironment, agent: &Client, name: &str) -> Vec<(&'static str, usize)> {
    let lead = create(agent, &new_lead(name, &format!("{name}@example.com"))).await;
    let wire = environment.wire();
    let mut costs = Vec::new();
    let mut note = |what, by_token: usize| {
        costs.push((what, wire.total() - by_token));
        wire.reset();
    };
    wire.reset();
    create(agent, &new_lead(name, &format!("{name}.2@example.com"))).await;
    note("create", 1);
    change(agent, &lead, 1, json!({ "name": "Renamed", "state": "TX", "leadScore": 81 })).await.expect(200);
    note("update", 1);
    change(agent, &lead, 1, json!({ "leadScore": 1 })).await.expect(409);
    note("conflict", 1);
    change(agent, &lead, 2, json!({ "status": "CONVERTED", "leadScore": 1 })).await.expect(422);
    note("rule violation", 1);
    for path in [
        "/api/leads",
        "/api/leads?limit=100",
        "/api/leads?status=PROSPECT&sort=score",
        "/api/leads?state=CA",
        "/api/leads?q=small",
        "/api/leads?q=s+exam+4",
        "/api/leads?q=e&status=CONVERTED&state=WY",
    ] {
        agent.get(path).send().await.expect(200);
        note("list", 1);
    }
    agent.get(&format!("{}/history", address(&lead))).send().await.expect(200);
    note("history", 1);
    agent.get("/api/nothing").send().await.expect(404);
    note("visitor", 0);
    costs
}

/// Puts many leads into the table, with the items of two lists and of the search, without the application: creating
/// twenty thousand would take longer than all other cases.
async fn crowd(environment: &TestEnvironment) {
    use aws_sdk_dynamodb::types::AttributeValue;
    let text = |text: String| AttributeValue::S(text);
    let items = (0..scaled(2_000, 20_000))
        .flat_map(|number| {
            let id = format!("00000000-0000-7000-8000-{number:012}");
            let time = || text("2020-01-01T00:00:00Z".to_owned());
            let lead = vec![
                ("pk", text(format!("LEAD#{id}"))),
                ("sk", text("LEAD".into())),
                ("id", text(id.clone())),
                ("name", text(format!("Small Crowd {number}"))),
                ("email", text(format!("crowd{number}@example.com"))),
                ("state", text("CA".into())),
                ("leadScore", AttributeValue::N("0".into())),
                ("status", text("PROSPECT".into())),
                ("stock", text("UNASSIGNED".into())),
                ("version", AttributeValue::N("1".into())),
                ("createdAt", time()),
                ("updatedAt", time()),
                ("updatedBy", text("crowd".into())),
                ("listAll", text("LEADS".into())),
                ("listState", text("LEADS#CA".into())),
                ("sortNewest", text(id.clone())),
            ];
            let word = vec![
                ("pk", text("WORD#sm".into())),
                ("sk", text(format!("small {id}"))),
                ("leadId", text(id.clone())),
                ("shared", AttributeValue::N("0".into())),
                ("words", text(format!(" crowd small {number}"))),
                ("status", text("PROSPECT".into())),
                ("state", text("CA".into())),
            ];
            [lead, word]
        })
        .collect();
    environment.insert_items(items).await;
}
