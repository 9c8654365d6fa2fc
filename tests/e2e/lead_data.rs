//! Everything that is known about a lead: phone, company, source, owner and custom fields.

use serde_json::{Value, json};

use crate::support::http::Client;
use crate::support::workspace::{Workspace, address, change, create, history, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};
use holdfast::base::identity::Role;

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        api: a_lead_has_a_phone_a_company_a_source_and_an_owner,
            an_owner_is_an_agent_by_address_or_id,
            custom_fields_change_one_by_one_under_the_version_of_the_lead,
            custom_fields_have_limits_and_names_of_their_own,
            custom_fields_and_the_lead_always_have_the_same_version;
        host: a_lead_with_all_its_data_can_be_sent_back_as_it_was_read;
        web: a_form_merges_custom_fields_of_two_people,
            a_form_has_room_for_the_longest_texts_in_any_script,
            a_form_in_a_row_keeps_the_fields_that_it_does_not_show
    ]
}

fn with(mut lead: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        lead[name] = value.clone();
    }
    lead
}

async fn a_lead_has_a_phone_a_company_a_source_and_an_owner(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let bob = workspace.account(Role::Agent, "Bob Roe").await;
    let data = json!({
        "phone": "+1 (212) 555-0100", "company": " Acme  Roofing ", "source": "Web form", "owner": bob.email,
    });
    let lead = create(&agent, &with(new_lead("Ann Lee", "ann@example.com"), data)).await;
    assert_eq!((&lead["phone"], &lead["company"]), (&json!("+1 (212) 555-0100"), &json!("Acme Roofing")));
    assert_eq!(lead["owner"], json!({ "id": bob.id, "name": "Bob Roe" }));
    let edit = json!({ "phone": null, "owner": null, "source": "Trade show" });
    let changed: Value = change(&agent, &lead, 1, edit).await.expect(200).json();
    assert!(changed.get("phone").is_none() && changed.get("owner").is_none());
    let entry = history(&agent, &lead).await.pop().unwrap();
    assert_eq!(
        entry["changes"],
        json!([
            { "field": "phone", "old": "+1 (212) 555-0100", "new": null },
            { "field": "source", "old": "Web form", "new": "Trade show" },
            { "field": "owner", "old": { "id": bob.id, "name": "Bob Roe" }, "new": null },
        ])
    );
    for (field, value) in [("phone", "call me"), ("company", "a\nb"), ("source", "")] {
        let problem: Value = change(&agent, &lead, 2, json!({ field: value })).await.expect(422).json();
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    for typed in ["212 555", "acme"] {
        let found: Value =
            agent.get(&format!("/api/leads?q={}", typed.replace(' ', "+"))).send().await.expect(200).json();
        assert_eq!(
            found["items"].as_array().unwrap().len(),
            usize::from(typed == "acme"),
            "{typed}: the phone is gone"
        );
    }
}

async fn an_owner_is_an_agent_by_address_or_id(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let (bob, eve) = (
        workspace.account(Role::Administrator, "Bob Roe").await,
        workspace.account(Role::Participant, "Eve Poe").await,
    );
    let lead = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    let changed: Value = change(&agent, &lead, 1, json!({ "owner": bob.id })).await.expect(200).json();
    assert_eq!(changed["owner"]["name"], "Bob Roe");
    for owner in [json!(eve.email), json!("nobody@example.com"), json!("someone"), json!({ "name": "Bob" })] {
        let problem: Value = change(&agent, &lead, 2, json!({ "owner": owner })).await.expect(422).json();
        assert_eq!(problem["errors"][0]["field"], "owner", "{problem}");
    }
    assert_eq!(read(&agent, &lead).await, changed);
}

async fn custom_fields_change_one_by_one_under_the_version_of_the_lead(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let fields = json!({ "fields": { "Industry": "Roofing", "Size": "10" } });
    let lead = create(&agent, &with(new_lead("Ann Lee", "ann@example.com"), fields)).await;
    assert_eq!(
        (&read(&agent, &lead).await["fields"], &lead["fieldsVersion"]),
        (&json!({ "Industry": "Roofing", "Size": "10" }), &json!(1))
    );
    let edit = json!({ "fields": { "industry": "Solar", "Size": null, "Website": "https://example.com" } });
    let changed: Value = change(&agent, &lead, 1, edit).await.expect(200).json();
    assert_eq!(changed["fieldsVersion"], 2);
    let now = read(&agent, &lead).await;
    assert_eq!(now["fields"], json!({ "Industry": "Solar", "Website": "https://example.com" }));
    let entry = history(&agent, &lead).await.pop().unwrap();
    assert_eq!(entry["fields"][0], json!({ "name": "Industry", "old": "Roofing", "new": "Solar" }));
    assert_eq!(entry["fields"].as_array().unwrap().len(), 3);
    change(&agent, &lead, 1, json!({ "fields": { "Industry": "Old" } })).await.expect(409);
    let other: Value = change(&agent, &lead, 2, json!({ "leadScore": 7 })).await.expect(200).json();
    assert_eq!(other["fieldsVersion"], 2, "a change of another field leaves them");
    let edit = json!({ "fields": { "Industry": null, "Website": null } });
    change(&agent, &lead, 3, edit).await.expect(200);
    let now = read(&agent, &lead).await;
    assert!(now.get("fields").is_none() && now.get("fieldsVersion").is_none(), "{now}");
    let listed: Value = agent.get("/api/leads").send().await.expect(200).json();
    assert!(listed["items"][0].get("fields").is_none());
}

async fn custom_fields_have_limits_and_names_of_their_own(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let lead = create(&agent, &new_lead("Ann Lee", "ann@example.com")).await;
    let many = |count: usize| {
        (0..count).map(|n| (format!("Field {n}"), json!("x"))).collect::<serde_json::Map<_, _>>()
    };
    for (fields, named, words) in [
        (json!({ "Lead score": "9" }), "fields.Lead score", "already"),
        (json!({ "email": "x" }), "fields.email", "already"),
        (json!({ "Note": "x".repeat(17 * 1024) }), "fields.Note", "16 KB"),
        (json!({ "Note": 7 }), "fields.Note", "text"),
        (json!({ "Note": "a\u{0}b" }), "fields.Note", "control"),
        (json!({ "No\u{202e}te": "b" }), "fields.No\u{202e}te", "U+202E"),
        (json!({ "A": "1", "a": "2" }), "fields", "twice"),
        (json!(many(41)), "fields", "at most 40"),
        (json!({ "A": "x".repeat(9_000), "B": "x".repeat(9_000) }), "fields", "at most 16 KB"),
    ] {
        let problem: Value = change(&agent, &lead, 1, json!({ "fields": fields })).await.expect(422).json();
        let error = &problem["errors"][0];
        assert_eq!(error["field"], named, "{problem}");
        assert!(error["message"].as_str().unwrap().contains(words), "{problem}");
    }
    change(&agent, &lead, 1, json!({ "fields": many(40) })).await.expect(200);
    let problem: Value =
        change(&agent, &lead, 2, json!({ "fields": { "One more": "x" } })).await.expect(422).json();
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains("these are 41"), "{problem}");
    // What a spreadsheet would run as a formula is only text here.
    let formula = json!({ "fields": { "Field 0": "=1+1" } });
    change(&agent, &lead, 2, formula).await.expect(200);
    assert_eq!(read(&agent, &lead).await["fields"]["Field 0"], "=1+1");
}

async fn custom_fields_and_the_lead_always_have_the_same_version(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (writer, reader) = (workspace.agent().await, workspace.agent().await);
    let lead = create(&writer, &new_lead("Ann Lee", "ann@example.com")).await;
    let write = async {
        for version in 1..40_u64 {
            let edit = json!({ "leadScore": version + 1, "fields": { "Version": null, "Written at": format!("{}", version + 1) } });
            let edit = json!({ "leadScore": edit["leadScore"], "fields": { "Written at": edit["fields"]["Written at"] } });
            change(&writer, &lead, version, edit).await.expect(200);
        }
    };
    let watch = async {
        let mut last = 0;
        while last < 40 {
            let now = read(&reader, &lead).await;
            let version = now["version"].as_u64().unwrap();
            assert!(version >= last, "{version} after {last}");
            last = version;
            if version > 1 {
                assert_eq!(now["fields"]["Written at"], version.to_string(), "{now}");
            }
        }
    };
    tokio::join!(write, watch);
}

async fn a_lead_with_all_its_data_can_be_sent_back_as_it_was_read(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.agent().await;
    let bob = workspace.account(Role::Agent, "Bob Roe").await;
    let data = json!({ "phone": "212-555-0100", "company": "Acme", "owner": bob.id, "fields": { "Industry": "Roofing" } });
    let lead = create(&agent, &with(new_lead("Ann Lee", "ann@example.com"), data)).await;
    let found = read(&agent, &lead).await;
    let sent: Value = agent
        .put(&address(&lead))
        .json(&with(found.clone(), json!({ "leadScore": 7 })))
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&sent["owner"], &sent["phone"], &sent["leadScore"]),
        (&found["owner"], &found["phone"], &json!(7))
    );
    assert_eq!(read(&agent, &lead).await["fields"], found["fields"]);
    let short = with(new_lead("Ann Lee", "ann@example.com"), json!({ "version": 2, "status": "PROSPECT" }));
    let sent: Value = agent.put(&address(&lead)).json(&short).send().await.expect(200).json();
    assert!(sent.get("phone").is_none() && sent.get("owner").is_none(), "what is missing is removed: {sent}");
    assert_eq!(read(&agent, &lead).await["fields"], found["fields"], "but for custom fields");
}

/// Sends the form of a lead as its page does.
async fn save(agent: &Client, lead: &Value, fields: &[(&str, &str)]) -> crate::support::http::Response {
    let path = format!("/leads/{}", lead["id"].as_str().unwrap());
    agent.post(&path).form(fields).send().await
}

async fn a_form_merges_custom_fields_of_two_people(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, bob) = (workspace.person(Role::Agent, "Ann").await, workspace.agent().await);
    let fields = json!({ "fields": { "Industry": "Roofing", "Size": "10" } });
    let lead = create(&bob, &with(new_lead("Lead", "lead@example.com"), fields)).await;
    change(&bob, &lead, 1, json!({ "fields": { "Size": "20" } })).await.expect(200);
    let seen = [("version", "1"), ("base.fields.Industry", "Roofing"), ("base.fields.Size", "10")];
    let typed = [
        &seen[..],
        &[
            ("fields.Industry", "Solar"),
            ("fields.Size", "10"),
            ("new.0.name", "City"),
            ("new.0.text", "Reno"),
        ],
    ]
    .concat();
    let page = save(&ann, &lead, &typed).await.expect(409);
    for shown in ["Industry", "Solar", "Size", "20", "City", "Reno", "Keep my changes"] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    let again = [
        ("version", "2"),
        ("base.fields.Industry", "Roofing"),
        ("fields.Industry", "Solar"),
        ("base.fields.Size", "20"),
        ("fields.Size", "20"),
        ("base.fields.City", ""),
        ("fields.City", "Reno"),
    ];
    save(&ann, &lead, &again).await.expect(303);
    assert_eq!(
        read(&bob, &lead).await["fields"],
        json!({ "Industry": "Solar", "Size": "20", "City": "Reno" })
    );
    let overlap = [("version", "2"), ("base.fields.Industry", "Roofing"), ("fields.Industry", "Wind")];
    let page = save(&ann, &lead, &overlap).await.expect(409);
    assert!(page.text().contains("mine.fields.Industry"), "{}", page.text());
}

async fn a_form_has_room_for_the_longest_texts_in_any_script(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, bob) = (workspace.person(Role::Agent, "Ann").await, workspace.agent().await);
    // In percent encoding, each text is three times as long.
    let [first, second] = ["é", "ü"].map(|letter| letter.repeat(8_000));
    let new = [("name", "Lee"), ("email", "lee@example.com"), ("leadScore", "1"), ("status", "PROSPECT")];
    let new = [&new[..], &[("new.0.name", "Plan"), ("new.0.text", first.as_str())]].concat();
    let made = ann.post("/leads").form(&new).send().await.expect(303);
    let lead = json!({ "id": made.header("location").rsplit('/').next().unwrap() });
    let form = [("version", "1"), ("base.fields.Plan", first.as_str()), ("fields.Plan", second.as_str())];
    save(&ann, &lead, &form).await.expect(303);
    assert_eq!(read(&bob, &lead).await["fields"]["Plan"], second);
    let note = "🦀".repeat(10_000);
    let notes = format!("/leads/{}/notes", lead["id"].as_str().unwrap());
    ann.post(&notes).form(&[("key", "k1"), ("text", note.as_str())]).send().await.expect(303);
    let listed: Value = bob.get(&format!("{}/notes", address(&lead))).send().await.expect(200).json();
    assert_eq!(listed["items"][0]["text"], note);
    let too_long = "x".repeat(300_000);
    save(&ann, &lead, &[("version", "2"), ("fields.Plan", too_long.as_str())]).await.expect(413);
}

async fn a_form_in_a_row_keeps_the_fields_that_it_does_not_show(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, bob) = (workspace.person(Role::Agent, "Ann").await, workspace.agent().await);
    let data = json!({ "phone": "212-555-0100", "fields": { "Industry": "Roofing" } });
    let lead = create(&bob, &with(new_lead("Lead", "lead@example.com"), data)).await;
    let row = [
        ("version", "1"),
        ("base.name", "Lead"),
        ("name", "Leader"),
        ("base.leadScore", "50"),
        ("leadScore", "50"),
    ];
    save(&ann, &lead, &row).await.expect(303);
    let now = read(&bob, &lead).await;
    assert_eq!(
        (&now["name"], &now["phone"], &now["fields"]["Industry"]),
        (&json!("Leader"), &json!("212-555-0100"), &json!("Roofing"))
    );
    let edit = ann.get(&format!("/leads/{}/edit", lead["id"].as_str().unwrap())).send().await.expect(200);
    for shown in ["base.fields.Industry", "name=\"phone\"", "name=\"owner\"", "new.0.name", "Ann (you)"] {
        assert!(edit.text().contains(shown), "{shown}");
    }
}
