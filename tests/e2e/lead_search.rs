//! Searches of leads across their index and the lists of their states, and leads whose words an earlier version wrote.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::dead_letters::spoil;
use crate::support::http::Client;
use crate::support::workspace::{Workspace, change, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: a_search_for_states_finds_each_lead_once,
            words_of_an_earlier_index_are_found_and_replaced
    ]
}

/// All emails that a search finds, page by page.
async fn found(agent: &Client, words: &str, limit: u16) -> Vec<String> {
    let (mut emails, mut cursor) = (Vec::new(), String::new());
    for _ in 0..100 {
        let path = format!("/api/leads?q={words}&limit={limit}{cursor}");
        let page: Value = agent.get(&path).send().await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= usize::from(limit), "{page}");
        emails.extend(items.iter().map(|lead| lead["email"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                emails.sort_unstable();
                return emails;
            }
        }
    }
    panic!("the search for {words} does not end");
}

async fn a_search_for_states_finds_each_lead_once(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let mut all = Vec::new();
    for (name, state, number) in [("Ann Lee", "TX", 12), ("Texa Roe", "TX", 3), ("Texas Poe", "NY", 2)] {
        for n in 0..number {
            let email = format!("{}{n}@example.com", name.replace(' ', "-").to_lowercase());
            let mut new = new_lead(name, &email);
            new["state"] = json!(state);
            create(&agent, &new).await;
            all.push(email);
        }
    }
    let mut maryland = new_lead("Mia Moe", "mia@example.com");
    maryland["state"] = json!("MD");
    create(&agent, &maryland).await;
    let of = |parts: &[&str]| -> Vec<String> {
        let mut found: Vec<String> =
            all.iter().filter(|email| parts.iter().any(|part| email.starts_with(part))).cloned().collect();
        found.sort_unstable();
        found
    };
    let everyone = of(&["ann", "texa-", "texas"]);
    for limit in [2, 5, 50] {
        assert_eq!(found(&agent, "tex", limit).await, everyone, "{limit}");
        assert_eq!(found(&agent, "texas", limit).await, everyone, "{limit}");
        assert_eq!(found(&agent, "TX", limit).await, of(&["ann", "texa-"]), "{limit}");
        assert_eq!(found(&agent, "TX%20ann", limit).await, of(&["ann"]), "{limit}");
        assert_eq!(found(&agent, "new%20york", limit).await, of(&["texas"]), "{limit}");
        assert_eq!(found(&agent, "york%20texas", limit).await, of(&["texas"]), "{limit}");
        assert_eq!(found(&agent, "ma", limit).await, ["mia@example.com"], "{limit}");
        assert_eq!(found(&agent, "texas&state=NY", limit).await, of(&["texas"]), "{limit}");
        assert_eq!(found(&agent, "texas&status=QUALIFIED", limit).await, [] as [&str; 0], "{limit}");
    }
    agent.get("/api/leads?q=texas&cursor=WyJzdGF0ZXMiLCI_IiwiIl0").send().await.expect(400);
}

/// Gives a lead the items of the second search index, which had words of its state.
async fn as_second(environment: &TestEnvironment, lead: &Value) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let id = lead["id"].as_str().unwrap();
    let number = |number: u32| AttributeValue::N(number.to_string());
    spoil(environment, &format!("LEAD#{id}"), "LEAD", "wordIndex", number(2)).await;
    let item = |word: &str| {
        let (pk, sk) = (format!("WORD#{}", &word[..2]), format!("{word} {id}"));
        let shared = number(u32::from(word == "tx"));
        vec![
            ("pk", text(&pk)),
            ("sk", text(&sk)),
            ("schema", number(2)),
            ("leadId", text(id)),
            ("shared", shared),
            ("words", text(" lee texas tx")),
            ("state", text("TX")),
        ]
    };
    environment.insert_items(["texas", "tx"].map(item).to_vec()).await;
}

async fn words_of_an_earlier_index_are_found_and_replaced(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let mut leads = Vec::new();
    for n in 0..2 {
        let mut new = new_lead("Ann Lee", &format!("ann{n}@gmail.com"));
        new["state"] = json!("TX");
        let lead = create(&agent, &new).await;
        as_second(&environment, &lead).await;
        leads.push(lead);
    }
    let both = ["ann0@gmail.com", "ann1@gmail.com"];
    for words in ["texas", "tx", "ann", "texas%20lee"] {
        assert_eq!(found(&agent, words, 1).await, both, "{words}");
    }
    let words_of_state = async || {
        let select = |pk: &str| holdfast::store::Select::partition(pk, 10);
        let mut items = Vec::new();
        for pk in ["WORD#te", "WORD#tx"] {
            items.extend(workspace.app.dynamo.select(&select(pk)).await.unwrap().items);
        }
        items.len()
    };
    assert_eq!(words_of_state().await, 4);
    // Another process reads the lead as it is stored.
    let other = workspace.another(&environment, environment.wire(), crate::support::workspace::TEST_RETRIES);
    let client = other.agent().await;
    change(&client, &leads[0], 1, json!({ "leadScore": 9 })).await.expect(200);
    assert_eq!(words_of_state().await, 2, "a change moves the words of its lead");
    assert_eq!(other.app.leads().upgrade_words(|_| ()).await.unwrap(), 1);
    assert_eq!(words_of_state().await, 0);
    for words in ["texas", "tx", "ann", "texas%20lee"] {
        assert_eq!(found(&agent, words, 1).await, both, "{words}");
    }
    assert_eq!(other.app.leads().upgrade_words(|_| ()).await.unwrap(), 0);
}
