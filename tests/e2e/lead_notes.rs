//! Notes on the timeline of a lead.

use serde_json::{Value, json};

use crate::support::http::Client;
use crate::support::workspace::{Workspace, address, all_items, change, create, new_lead, read, texts};
use crate::support::{Case, TestEnvironment, cases};
use holdfast::base::identity::Role;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: a_note_is_written_edited_and_deleted_by_its_author,
            a_note_never_conflicts_with_a_change_of_the_lead,
            notes_are_listed_page_by_page_newest_first,
            only_an_existing_lead_has_a_list_of_notes,
            notes_that_exceed_a_page_of_dynamodb_are_all_listed,
            a_repeated_note_is_written_once;
        web: the_timeline_shows_changes_and_notes_together,
            a_refused_note_replaces_only_its_own_form,
            the_forms_of_notes_work_without_javascript
    ]
}

async fn add(client: &Client, lead: &Value, text: &str) -> Value {
    client
        .post(&format!("{}/notes", address(lead)))
        .json(&json!({ "text": text }))
        .send()
        .await
        .expect(201)
        .json()
}

fn note_address(lead: &Value, note: &Value) -> String {
    format!("{}/notes/{}", address(lead), note["id"].as_str().unwrap())
}

async fn a_note_is_written_edited_and_deleted_by_its_author(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, bob) = (workspace.agent().await, workspace.agent().await);
    let administrator = workspace.program(Role::Administrator).await;
    let lead = create(&ann, &new_lead("Lead", "lead@example.com")).await;
    let note = add(&ann, &lead, "Called.\r\nNo answer.").await;
    assert_eq!((&note["text"], &note["version"]), (&json!("Called.\nNo answer."), &json!(1)));
    let path = note_address(&lead, &note);
    bob.patch(&path).json(&json!({ "version": 1, "text": "Mine" })).send().await.expect(403);
    bob.delete(&format!("{path}?version=1")).send().await.expect(403);
    let edited: Value = ann
        .patch(&path)
        .json(&json!({ "version": 1, "text": "Called again" }))
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!((&edited["text"], &edited["version"]), (&json!("Called again"), &json!(2)));
    let problem: Value =
        ann.patch(&path).json(&json!({ "version": 1, "text": "Late" })).send().await.expect(409).json();
    assert_eq!(problem["fresh"], edited);
    ann.patch(&path).json(&json!({ "version": 2, "text": " " })).send().await.expect(422);
    ann.patch(&path).json(&json!({ "version": 2, "text": "nul\u{0}" })).send().await.expect(422);
    let entries = async || -> Vec<Value> {
        let log: Value = administrator.get("/api/audit?kind=deletion").send().await.expect(200).json();
        log["items"].as_array().unwrap().clone()
    };
    assert_eq!(entries().await.len(), 0, "refused deletions have no entry");
    administrator.delete(&format!("{path}?version=2")).send().await.expect(204);
    let found = entries().await;
    let [entry] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (&entry["subject"], &entry["detail"]),
        (&json!("Lead"), &json!("Note of Test agent (test) deleted."))
    );
    let page = address(&lead).replace("/api", "");
    assert_eq!((&entry["by"], &entry["path"]), (&json!("Test administrator (test)"), &json!(page)));
    assert!(!entry.to_string().contains("Called"), "the entry has no text: {entry}");
    ann.patch(&path).json(&json!({ "version": 2, "text": "Gone" })).send().await.expect(404);
    assert_eq!(read(&ann, &lead).await["version"], 1, "the lead has not changed");
    let no_lead = format!("/api/leads/{}/notes", uuid::Uuid::nil());
    ann.post(&no_lead).json(&json!({ "text": "x" })).send().await.expect(404);
}

async fn a_note_never_conflicts_with_a_change_of_the_lead(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, bob) = (workspace.agent().await, workspace.agent().await);
    let lead = create(&ann, &new_lead("Lead", "lead@example.com")).await;
    let notes = async {
        for number in 0..20 {
            add(&ann, &lead, &format!("Note {number}")).await;
        }
    };
    let changes = async {
        for version in 1..20 {
            change(&bob, &lead, version, json!({ "leadScore": version })).await.expect(200);
        }
    };
    tokio::join!(notes, changes);
    let listed: Value = ann.get(&format!("{}/notes", address(&lead))).send().await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 20);
}

async fn notes_are_listed_page_by_page_newest_first(environment: TestEnvironment) {
    let ann = Workspace::open(&environment).await.agent().await;
    let lead = create(&ann, &new_lead("Lead", "lead@example.com")).await;
    for number in 0..5 {
        add(&ann, &lead, &format!("Note {number}")).await;
    }
    let notes = all_items(&ann, &format!("{}/notes?limit=2", address(&lead))).await;
    let mut seen = texts(&notes, "text");
    seen.sort();
    assert_eq!(seen, (0..5).map(|number| format!("Note {number}")).collect::<Vec<_>>());
    ann.get(&format!("{}/notes?cursor=x", address(&lead))).send().await.expect(400);
}

async fn only_an_existing_lead_has_a_list_of_notes(environment: TestEnvironment) {
    let ann = Workspace::open(&environment).await.agent().await;
    let unknown = format!("/api/leads/{}/notes", uuid::Uuid::nil());
    let problem: Value = ann.get(&unknown).send().await.expect(404).json();
    assert_eq!(problem["type"], "urn:holdfast:problem:not-found", "{problem}");
    let lead = create(&ann, &new_lead("Lead", "lead@example.com")).await;
    let notes = format!("{}/notes", address(&lead));
    let empty: Value = ann.get(&notes).send().await.expect(200).json();
    assert_eq!(empty, json!({ "items": [], "next": null }));
    add(&ann, &lead, "Called.").await;
    ann.delete(&format!("{}?version=1", address(&lead))).send().await.expect(204);
    let deleted: Value = ann.get(&notes).send().await.expect(410).json();
    assert_eq!(deleted["restore"], format!("{}/restore", address(&lead)));
}

async fn notes_that_exceed_a_page_of_dynamodb_are_all_listed(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.agent().await;
    let lead = create(&ann, &new_lead("Lead", "lead@example.com")).await;
    let longest = "🦀".repeat(10_000);
    for _ in 0..30 {
        add(&ann, &lead, &longest).await;
    }
    let list = format!("{}/notes?limit=30", address(&lead));
    let (mut count, mut next) = (0, Some(list.clone()));
    while let Some(path) = next {
        let page: Value = ann.get(&path).send().await.expect(200).json();
        count += page["items"].as_array().unwrap().len();
        next = page["next"].as_str().map(|cursor| format!("{list}&cursor={cursor}"));
    }
    assert_eq!(count, 30, "30 notes of 40 KB are more than the 1 MB of one Query");
}

async fn a_repeated_note_is_written_once(environment: TestEnvironment) {
    let ann = Workspace::open(&environment).await.agent().await;
    let lead = create(&ann, &new_lead("Lead", "lead@example.com")).await;
    let send = || {
        ann.post(&format!("{}/notes", address(&lead)))
            .header("idempotency-key", "once")
            .json(&json!({ "text": "Once" }))
            .send()
    };
    let (first, second): (Value, Value) = (send().await.expect(201).json(), send().await.expect(201).json());
    assert_eq!(first, second);
    let listed: Value = ann.get(&format!("{}/notes", address(&lead))).send().await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

async fn the_timeline_shows_changes_and_notes_together(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Agent, "Ann").await;
    let api = workspace.agent().await;
    let lead = create(&api, &new_lead("Lead", "lead@example.com")).await;
    for number in 0..15 {
        add(&api, &lead, &format!("note-{number:02}")).await;
        change(&api, &lead, number + 1, json!({ "leadScore": number })).await.expect(200);
    }
    let first = format!("/leads/{}", lead["id"].as_str().unwrap());
    let link = format!("href=\"{first}?history=");
    let (mut path, mut text, mut pages) = (first.clone(), String::new(), 0);
    while pages < 5 {
        let page = ann.get(&path).send().await.expect(200);
        text.push_str(page.text());
        pages += 1;
        let Some((_, rest)) = page.text().split_once(&link) else { break };
        path = format!("{first}?history={}", rest.split('"').next().unwrap());
    }
    assert_eq!(pages, 2);
    for number in 0..15 {
        let note = format!(">note-{number:02}<");
        assert_eq!(text.matches(&note).count(), 1, "{note}");
        let version = format!("<small>version {} ", number + 2);
        assert_eq!(text.matches(&version).count(), 1, "{version}");
    }
}

async fn a_refused_note_replaces_only_its_own_form(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, api) = (workspace.person(Role::Agent, "Ann").await, workspace.agent().await);
    let lead = create(&api, &new_lead("Lead", "lead@example.com")).await;
    let path = format!("/leads/{}/notes", lead["id"].as_str().unwrap());
    let send = async |path: &str, form: &[(&str, &str)]| {
        ann.post(path).header("hx-request", "true").form(form).send().await
    };
    let added = send(&path, &[("key", "k1"), ("text", "First")]).await.expect(200);
    assert!(added.text().contains("id=\"lead-history\""), "{}", added.text());
    let listed: Value = api.get(&format!("{}/notes", address(&lead))).send().await.expect(200).json();
    let id = listed["items"][0]["id"].as_str().unwrap();
    let note = format!("{path}/{id}");
    send(&note, &[("version", "1"), ("text", "Second")]).await.expect(200);
    for (version, text, status) in [("1", "Third", 409), ("2", " ", 422)] {
        let refused = send(&note, &[("version", version), ("text", text)]).await.expect(status);
        assert_eq!(refused.header("hx-retarget"), format!("#note-{id}"));
        assert_eq!(refused.header("hx-reswap"), "innerHTML");
        assert!(refused.text().trim_start().starts_with("<form"), "{}", refused.text());
    }
    let refused = send(&path, &[("key", "k2"), ("text", " ")]).await.expect(422);
    assert_eq!(refused.header("hx-reswap"), "none", "the new note stays in its form");
    assert!(refused.header("hx-trigger").contains("Write a note."), "{}", refused.header("hx-trigger"));
}

async fn the_forms_of_notes_work_without_javascript(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Agent, "Ann").await;
    let api = workspace.agent().await;
    let lead = create(&api, &new_lead("Lead", "lead@example.com")).await;
    let path = format!("/leads/{}", lead["id"].as_str().unwrap());
    ann.post(&format!("{path}/notes"))
        .form(&[("key", "k1"), ("text", "<b>First</b>")])
        .send()
        .await
        .expect(303);
    let page = ann.get(&path).send().await.expect(200);
    assert!(
        page.text().contains("&#60;b&#62;First") || page.text().contains("&lt;b&gt;First"),
        "{}",
        page.text()
    );
    let listed: Value = api.get(&format!("{}/notes", address(&lead))).send().await.expect(200).json();
    let note = format!("{path}/notes/{}", listed["items"][0]["id"].as_str().unwrap());
    assert!(ann.get(&note).send().await.expect(200).text().contains("First"));
    let empty = ann.post(&note).form(&[("version", "1"), ("text", " ")]).send().await.expect(422);
    assert!(empty.text().contains("Write a note."));
    ann.post(&note).form(&[("version", "1"), ("text", "Second")]).send().await.expect(303);
    let late = ann.post(&note).form(&[("version", "1"), ("text", "Third")]).send().await.expect(409);
    assert!(late.text().contains("Third") && late.text().contains("Second"), "{}", late.text());
    ann.post(&format!("{note}/delete")).form(&[("version", "2")]).send().await.expect(303);
    let refused = ann.post(&format!("{path}/notes")).form(&[("text", "")]).send().await.expect(422);
    assert!(refused.text().contains("Write a note."));
}
