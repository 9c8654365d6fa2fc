//! Races: concurrent changes of one lead, and what is always true afterward.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use holdfast::base::identity::Role;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::property::{cases, holds_for_all};
use crate::support::workspace::{TEST_RETRIES, Workspace, address, change, create, history, new_lead, read};
use crate::support::{Answer, Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: ten_writers_with_ten_changes_each_lose_no_update,
            one_of_32_writers_with_one_version_wins_and_31_see_the_current_lead,
            one_of_eight_concurrent_leads_with_one_email_is_created,
            a_concurrent_change_and_deletion_have_one_winner,
            changes_of_two_leads_share_no_item,
            random_sequences_of_changes_match_the_model
    ]
}

async fn ten_writers_with_ten_changes_each_lose_no_update(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let token = workspace.token(Role::Agent, "Ann").await;
    let lead = create(&workspace.bearer(&token), &new_lead("Lead", "lead@example.com")).await;
    // Two instances, like two Lambda environments: one instance's memory is not shared with the other.
    let other = workspace.another(&environment, &environment.another_wire(), TEST_RETRIES);
    let writers = (0..10_u64).map(|writer| {
        let agent = if writer % 2 == 0 { workspace.bearer(&token) } else { other.bearer(&token) };
        let lead = lead.clone();
        tokio::spawn(async move {
            let (mut version, mut accepted) = (1, Vec::new());
            while accepted.len() < 10 {
                let score = (writer * 10 + accepted.len() as u64) % 80;
                let answer = change(&agent, &lead, version, json!({ "leadScore": score })).await;
                let body: Value = answer.json();
                version = match answer.status.as_u16() {
                    200 => {
                        accepted.push((body["version"].as_u64().unwrap(), score));
                        body["version"].as_u64().unwrap()
                    }
                    409 => body["fresh"]["version"].as_u64().unwrap(),
                    other => panic!("{other}: {body}"),
                };
            }
            accepted
        })
    });
    let accepted: Vec<_> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    let scores: BTreeMap<u64, u64> = accepted.iter().copied().collect();
    assert_eq!(scores.len(), 100, "two changes were accepted with one version");

    let agent = workspace.bearer(&token);
    assert_eq!(read(&agent, &lead).await["version"], 101);
    let entries = history(&agent, &lead).await;
    let versions: Vec<_> = entries.iter().map(|entry| entry["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, (1..=101).collect::<Vec<_>>(), "the history is complete and in order");
    let mut score = 50;
    for entry in &entries[1..] {
        let new = scores[&entry["version"].as_u64().unwrap()];
        let changes = entry["changes"].as_array().unwrap();
        let expected = json!({ "field": "leadScore", "old": score, "new": new });
        assert_eq!(
            changes.first(),
            (new != score).then_some(&expected),
            "each entry continues the one before"
        );
        score = new;
    }
}

async fn one_of_32_writers_with_one_version_wins_and_31_see_the_current_lead(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let lead = create(&agent, &new_lead("Lead", "lead@example.com")).await;
    // All 32 writes wait before the store and then start together.
    let gate = environment.wire().hold(32, "TransactWriteItems");
    let writers: Vec<_> = (0..32)
        .map(|score| {
            let (agent, lead) = (agent.clone(), lead.clone());
            tokio::spawn(async move { change(&agent, &lead, 1, json!({ "leadScore": score })).await })
        })
        .collect();
    gate.arrived(32).await;
    gate.open();
    let answers: Vec<_> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
    let fresh = read(&agent, &lead).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 31));
    assert_eq!(won[0].json::<Value>(), fresh);
    for answer in lost {
        assert_eq!(answer.expect(409).json::<Value>()["fresh"], fresh);
    }
    assert_eq!(history(&agent, &lead).await.len(), 2);
}

async fn one_of_eight_concurrent_leads_with_one_email_is_created(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let gate = environment.wire().hold(8, "TransactWriteItems");
    let creating: Vec<_> = (0..8)
        .map(|number| {
            let agent = agent.clone();
            let body = new_lead(&format!("Lead {number}"), "same@example.com");
            tokio::spawn(async move { agent.post("/api/leads").json(&body).send().await.status.as_u16() })
        })
        .collect();
    gate.arrived(8).await;
    gate.open();
    let mut statuses: Vec<_> = join_all(creating).await.into_iter().map(Result::unwrap).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422, 422, 422, 422, 422, 422, 422]);
    let page: Value = agent.get("/api/leads").send().await.expect(200).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}

async fn a_concurrent_change_and_deletion_have_one_winner(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    for round in 0..10 {
        let lead = create(&agent, &new_lead("Lead", &format!("lead{round}@example.com"))).await;
        let gate = environment.wire().hold(2, "TransactWriteItems");
        let (changer, deleter, same) = (agent.clone(), agent.clone(), lead.clone());
        let changing = tokio::spawn(async move {
            change(&changer, &same, 1, json!({ "leadScore": 1 })).await.status.as_u16()
        });
        let path = format!("{}?version=1", address(&lead));
        let deleting = tokio::spawn(async move { deleter.delete(&path).send().await.status.as_u16() });
        gate.arrived(2).await;
        gate.open();
        let outcome = (changing.await.unwrap(), deleting.await.unwrap());
        assert!(matches!(outcome, (200, 409) | (410, 204)), "{outcome:?}");
        let read = agent.get(&address(&lead)).send().await.status.as_u16();
        assert_eq!(read, if outcome.1 == 204 { 410 } else { 200 });
        assert_eq!(history(&agent, &lead).await.len(), 2);
    }
}

async fn changes_of_two_leads_share_no_item(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let first = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    let second = create(&agent, &new_lead("Ann Lee", "ann@example.org")).await;
    let everything = json!({ "name": "Bob Lee", "state": "CA", "leadScore": 90, "status": "CONVERTED" });
    for lead in [&first, &second] {
        let mut fields = everything.clone();
        fields["email"] = format!("bob.{}@example.com", lead["id"].as_str().unwrap()).into();
        change(&agent, lead, 1, fields).await.expect(200);
        change(&agent, lead, 2, json!({ "leadScore": 95 })).await.expect(200);
    }
    let mut touched: BTreeMap<bool, BTreeSet<String>> = BTreeMap::new();
    for call in environment.wire().calls_of("TransactWriteItems") {
        assert_eq!(call.answer, Answer::Status(200));
        let text = call.request.to_string();
        let of_first = text.contains(first["id"].as_str().unwrap());
        let of_second = text.contains(second["id"].as_str().unwrap());
        if of_first || of_second {
            assert!(!(of_first && of_second), "one transaction touches both leads");
            touched.entry(of_first).or_default().extend(call.items(&["pk", "sk"]));
        }
    }
    assert!(touched[&true].len() > 10, "{touched:?}");
    let shared: Vec<_> = touched[&true].intersection(&touched[&false]).collect();
    assert!(shared.is_empty(), "{shared:?}");
}

/// One step of a random sequence: the lead, how far the sent version is behind, and the change.
type Step = (usize, u64, Option<&'static str>, Option<u64>, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let status = prop::option::of(prop::sample::select(vec!["PROSPECT", "QUALIFIED", "CONVERTED"]));
    let score = prop::option::of(prop::sample::select(vec![0_u64, 79, 80, 100]));
    let behind = prop_oneof![4 => Just(0_u64), 1 => Just(1)];
    prop::collection::vec((0..2_usize, behind, status, score, prop::bool::weighted(0.1)), 1..12)
}

/// A lead in the model: version, status, score.
type ModelLead = (u64, &'static str, u64);

/// The status that answers a change of a lead or its reopening, and the lead after it.
fn expected(
    lead: ModelLead,
    sent: u64,
    (status, score): (Option<&'static str>, Option<u64>),
    reopens: bool,
) -> (u16, ModelLead) {
    let (version, stored, points) = lead;
    let (after, allowed) = if reopens {
        (("QUALIFIED", points), stored == "CONVERTED")
    } else {
        let after = (status.unwrap_or(stored), score.unwrap_or(points));
        let stays_converted = stored != "CONVERTED" || after.0 == "CONVERTED";
        (after, stays_converted && (after.0 != "CONVERTED" || after.1 >= 80))
    };
    if sent != version {
        (409, lead)
    } else if allowed {
        (200, (version + 1, after.0, after.1))
    } else {
        (422, lead)
    }
}

async fn random_sequences_of_changes_match_the_model(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let token = workspace.token(Role::Administrator, "Ann").await;
    let round = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    holds_for_all(cases(8), steps(), move |steps| {
        let agent = workspace.bearer(&token);
        let round = round.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            let mut leads = Vec::new();
            for number in 0..2 {
                leads.push(
                    create(&agent, &new_lead("Lead", &format!("lead{round}.{number}@example.com"))).await,
                );
            }
            let mut model: [ModelLead; 2] = [(1, "PROSPECT", 50); 2];
            for (which, behind, status, score, reopens) in steps {
                let sent = model[which].0.saturating_sub(behind).max(1);
                let answer = if reopens {
                    let body = json!({ "version": sent, "reason": "again" });
                    agent.post(&format!("{}/reopen", address(&leads[which]))).json(&body).send().await
                } else {
                    let mut body = json!({ "state": "CA" });
                    status.inspect(|status| body["status"] = (*status).into());
                    score.inspect(|score| body["leadScore"] = (*score).into());
                    change(&agent, &leads[which], sent, body).await
                };
                let (expected, after) = expected(model[which], sent, (status, score), reopens);
                assert_eq!(answer.status.as_u16(), expected);
                model[which] = after;
            }
            for (lead, (version, status, score)) in leads.iter().zip(model) {
                let stored = read(&agent, lead).await;
                assert_eq!(
                    (&stored["version"], &stored["status"], &stored["leadScore"]),
                    (&json!(version), &json!(status), &json!(score))
                );
                assert_eq!(history(&agent, lead).await.len() as u64, version);
            }
        }
    })
    .await;
}
