//! The pages of leads: whole pages and fragments, with and without JavaScript, and what the loser of a race sees.

mod confirmations;

use holdfast::base::identity::Role;
use serde_json::{Value, json};

use crate::support::html::{link, sent_by};
use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, change, create, new_lead, read};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        host: one_address_serves_the_page_or_its_fragment,
            every_form_leads_to_a_page_without_javascript;
        api: the_loser_of_a_race_sees_the_current_lead_beside_the_typed_values;
        web: one_click_applies_edits_that_do_not_overlap,
            a_field_that_both_changed_needs_a_choice_and_keeps_both_values,
            a_lead_deleted_during_an_edit_keeps_the_typed_values_and_can_be_recreated,
            deleting_a_changed_lead_shows_the_changes_and_continues_with_one_click,
            an_empty_list_welcomes_and_a_search_returns_rows,
            a_list_keeps_its_filter_on_the_next_page,
            a_refused_field_shows_its_error_and_keeps_the_typed_value,
            a_save_that_changes_nothing_writes_nothing,
            only_administrators_reopen_a_converted_lead_on_its_page,
            a_history_continues_after_its_twentieth_entry,
            html_in_every_field_is_shown_as_text
    ];
    cases.extend(confirmations::all());
    cases
}

const FIELDS: [&str; 5] = ["name", "email", "state", "leadScore", "status"];

fn text(lead: &Value, field: &str) -> String {
    match &lead[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The fields of the edit form for this lead, with some values replaced.
pub fn typed(seen: &Value, over: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut fields = vec![("version".to_owned(), seen["version"].to_string())];
    for field in FIELDS {
        fields.push((format!("base.{field}"), text(seen, field)));
        let new = over.iter().find(|(name, _)| *name == field).map(|(_, value)| (*value).to_owned());
        fields.push((field.to_owned(), new.unwrap_or_else(|| text(seen, field))));
    }
    fields
}

fn page(lead: &Value) -> String {
    format!("/leads/{}", lead["id"].as_str().unwrap())
}

async fn save(client: &Client, lead: &Value, over: &[(&str, &str)]) -> Response {
    client.post(&page(lead)).header("hx-request", "true").form(&typed(lead, over)).send().await
}

async fn save_row(client: &Client, lead: &Value, over: &[(&str, &str)]) -> Response {
    let address = format!("{}?view=row", page(lead));
    client.post(&address).header("hx-request", "true").form(&typed(lead, over)).send().await
}

/// Ann Lee and Bob Stone in their browsers, with a lead that both have open.
async fn two_people(environment: &TestEnvironment) -> (Client, Client, Value) {
    let workspace = Workspace::open(environment).await;
    let ann = workspace.person(Role::Agent, "Ann Lee").await;
    let bob = workspace.person(Role::Agent, "Bob Stone").await;
    let lead = create(&ann, &new_lead("Art Venere", "art@example.com")).await;
    (ann, bob, lead)
}

async fn person(environment: &TestEnvironment, role: Role) -> Client {
    Workspace::open(environment).await.person(role, "Ann Lee").await
}

async fn the_loser_of_a_race_sees_the_current_lead_beside_the_typed_values(environment: TestEnvironment) {
    let (ann, bob, lead) = two_people(&environment).await;
    let answer = save(&ann, &lead, &[("leadScore", "70")]).await.expect(200);
    assert!(answer.header("hx-trigger").contains("Saved."));

    for answer in [
        save(&bob, &lead, &[("name", "Arthur V."), ("leadScore", "65")]).await.expect(409),
        save_row(&bob, &lead, &[("name", "Arthur V."), ("leadScore", "65")]).await.expect(409),
    ] {
        let html = answer.text();
        assert!(!html.contains("<html"), "a fragment, not a page");
        assert!(html.contains("role=\"alert\""));
        assert!(html.contains("<strong>Ann Lee changed</strong>"), "{html}");
        assert!(html.contains("lead score <span>50</span> → <strong>70</strong>"), "{html}");
        for value in ["Art Venere", "Arthur V.", "70", "65"] {
            assert!(html.contains(value), "{value} is lost in {html}");
        }
        assert!(html.contains("name=\"version\" value=\"2\""), "the form names the fresh version");
    }
    let now = read(&ann, &lead).await;
    assert_eq!((&now["name"], &now["version"]), (&json!("Art Venere"), &json!(2)), "nothing was written");
}

async fn one_click_applies_edits_that_do_not_overlap(environment: TestEnvironment) {
    let (ann, bob, lead) = two_people(&environment).await;
    save(&ann, &lead, &[("leadScore", "70"), ("status", "QUALIFIED")]).await.expect(200);
    let conflict = save_row(&bob, &lead, &[("name", "Arthur Venere"), ("state", "")]).await.expect(409);
    assert!(conflict.text().contains("Keep my changes"));
    let row = bob
        .post(&format!("{}?view=row", page(&lead)))
        .header("hx-request", "true")
        .form(&sent_by(conflict.text()))
        .send()
        .await
        .expect(200);
    assert!(row.text().trim_start().starts_with("<tr"), "{}", row.text());
    let now = read(&bob, &lead).await;
    assert_eq!(
        (text(&now, "name"), text(&now, "state"), text(&now, "leadScore"), text(&now, "status")),
        ("Arthur Venere".into(), String::new(), "70".into(), "QUALIFIED".into())
    );
    assert_eq!(now["version"], 3);
}

async fn a_field_that_both_changed_needs_a_choice_and_keeps_both_values(environment: TestEnvironment) {
    let (ann, bob, lead) = two_people(&environment).await;
    save(&ann, &lead, &[("leadScore", "70")]).await.expect(200);
    let conflict = save(&bob, &lead, &[("name", "Arthur"), ("leadScore", "65")]).await.expect(409);
    let merged = sent_by(conflict.text());

    let send = |fields: Vec<(String, String)>| {
        bob.post(&page(&lead)).header("hx-request", "true").form(&fields).send()
    };
    let again = send(merged.clone()).await.expect(422);
    assert!(again.text().contains("Choose a value for each field"));
    for value in ["Arthur", "65", "70"] {
        assert!(again.text().contains(&format!("value=\"{value}\"")), "{value} is lost in {}", again.text());
    }
    assert_eq!(read(&bob, &lead).await["version"], 2, "nothing was written");

    let mut chosen = sent_by(again.text());
    chosen.push(("leadScore".to_owned(), "65".to_owned()));
    send(chosen).await.expect(200);
    let now = read(&bob, &lead).await;
    assert_eq!((&now["name"], &now["leadScore"]), (&json!("Arthur"), &json!(65)));
}

async fn a_lead_deleted_during_an_edit_keeps_the_typed_values_and_can_be_recreated(
    environment: TestEnvironment,
) {
    let (ann, bob, lead) = two_people(&environment).await;
    let gone =
        ann.post(&format!("{}/delete", page(&lead))).form(&[("version", "1")]).send().await.expect(303);
    assert_eq!(gone.header("location"), "/leads");
    for answer in
        [save(&bob, &lead, &[("name", "Arthur")]).await, save_row(&bob, &lead, &[("name", "Arthur")]).await]
    {
        let answer = answer.expect(410);
        assert_eq!(answer.header("hx-reswap"), "outerHTML", "the script swaps the answer in");
        assert!(answer.text().contains("This lead was deleted</strong> by Ann Lee"), "{}", answer.text());
        assert!(answer.text().contains("value=\"Arthur\""), "{}", answer.text());
    }
    let answer = save(&bob, &lead, &[("name", "Arthur")]).await;
    let created = bob.post("/leads").form(&sent_by(answer.text())).send().await.expect(303);
    let html = bob.get(created.header("location")).send().await.expect(200);
    assert!(html.text().contains("Arthur"));
}

async fn deleting_a_changed_lead_shows_the_changes_and_continues_with_one_click(
    environment: TestEnvironment,
) {
    let (ann, bob, lead) = two_people(&environment).await;
    change(&ann, &lead, 1, json!({ "status": "QUALIFIED" })).await.expect(200);
    let delete = format!("{}/delete", page(&lead));
    let answer = bob.post(&delete).form(&[("version", "1")]).send().await.expect(409);
    assert!(
        answer.text().contains("status <span>Prospect</span> → <strong>Qualified</strong>"),
        "{}",
        answer.text()
    );
    assert!(answer.text().contains("Delete anyway"));
    read(&bob, &lead).await;
    let anyway = sent_by(answer.text());
    assert_eq!(anyway, [("version".to_owned(), "2".to_owned())]);
    bob.post(&delete).form(&anyway).send().await.expect(303);
    bob.get(&page(&lead)).send().await.expect(410);
    bob.post(&delete).form(&[("reason", "none")]).send().await.expect(428);
}

async fn one_address_serves_the_page_or_its_fragment(environment: TestEnvironment) {
    let ann = person(&environment, Role::Agent).await;
    let lead = create(&ann, &new_lead("Art Venere", "art@example.com")).await;
    let address = page(&lead);
    for (path, begin) in [
        ("/leads".to_owned(), "<tr"),
        (address.clone(), "<section"),
        (format!("{address}?view=row"), "<tr"),
        (format!("{address}/edit"), "<section"),
        (format!("{address}/edit?view=row"), "<tr"),
    ] {
        let whole = ann.get(&path).send().await.expect(200);
        assert!(whole.text().starts_with("<!doctype html>"), "{path}");
        assert_eq!(whole.header("vary"), "HX-Request, Cookie", "{path}");
        let part = ann.get(&path).header("hx-request", "true").send().await.expect(200);
        assert!(part.text().trim_start().starts_with(begin), "{path}: {}", part.text());
        let restored = ann.get(&path).header("hx-request", "true");
        let restored = restored.header("hx-history-restore-request", "true").send().await.expect(200);
        assert!(restored.text().starts_with("<!doctype html>"), "{path} restored from the history");
    }
}

async fn an_empty_list_welcomes_and_a_search_returns_rows(environment: TestEnvironment) {
    let ann = person(&environment, Role::Agent).await;
    let html = ann.get("/leads").send().await.expect(200);
    assert!(html.text().contains("Import a CSV") && html.text().contains("Load sample leads"));
    create(&ann, &new_lead("Zoë O'Brien", "zoe@example.com")).await;
    create(&ann, &new_lead("Art Venere", "art@example.com")).await;

    let search = async |query: &str| {
        let path = format!("/leads?{query}");
        ann.get(&path).header("hx-request", "true").send().await
    };
    let found = search("q=zoe+bri").await.expect(200);
    assert!(found.text().contains("Zoë") && !found.text().contains("Venere"), "{}", found.text());
    assert!(search("q=zebra").await.expect(200).text().contains("No matching leads."));
    assert!(search("q=zoe&status=CONVERTED").await.expect(200).text().contains("No matching leads."));
    for (query, status) in
        [("status=NONE", 422), ("state=ZZ", 422), ("sort=up", 422), ("cursor=x", 400), ("q=%FF", 200)]
    {
        search(query).await.expect(status);
    }
    let kept = ann.get("/leads?q=zo%C3%AB+%22%25_&status=PROSPECT").send().await.expect(200);
    assert!(kept.text().contains("value=\"zoë &#34;%_\""), "the page keeps what was searched");
    assert!(kept.text().contains("<option value=\"PROSPECT\" selected>"));
    assert!(
        kept.text().contains("Search by name, email, phone, company, or state"),
        "the field says what it finds"
    );
}

async fn a_list_keeps_its_filter_on_the_next_page(environment: TestEnvironment) {
    let ann = person(&environment, Role::Agent).await;
    for number in 0..26 {
        create(&ann, &new_lead(&format!("Lead {number}"), &format!("lead{number}@example.com"))).await;
    }
    let first = ann.get("/leads?state=NY").send().await.expect(200);
    assert_eq!(first.text().matches("data-lead").count(), 25);
    let next = link(first.text(), "cursor=").replace("&#38;", "&");
    assert!(next.contains("state=NY"), "{next}");
    let last = ann.get(&next).send().await.expect(200);
    assert_eq!(last.text().matches("data-lead").count(), 1);
    assert!(last.text().contains("Lead 0<") && !last.text().contains("Next page"));
}

async fn every_form_leads_to_a_page_without_javascript(environment: TestEnvironment) {
    let ann = person(&environment, Role::Administrator).await;
    let fields = [
        ("name", "Art Venere"),
        ("email", "art@example.com"),
        ("state", "NY"),
        ("leadScore", "90"),
        ("status", "CONVERTED"),
    ];
    let created = ann.post("/leads").form(&fields).send().await.expect(303);
    let address = created.header("location").to_owned();
    assert!(ann.get(&address).send().await.expect(200).text().contains("Art Venere"));
    let again = ann.post("/leads").form(&fields).send().await.expect(422);
    assert!(again.text().contains("Another lead already has this email."));
    assert!(again.text().starts_with("<!doctype html>") && again.text().contains("value=\"Art Venere\""));

    let lead: Value = ann.get(&format!("/api{address}")).send().await.expect(200).json();
    let edited = ann.post(&address).form(&typed(&lead, &[("name", "Arthur")])).send().await.expect(303);
    assert_eq!(edited.header("location"), address);
    let stale = ann.post(&address).form(&typed(&lead, &[("state", "CA")])).send().await.expect(409);
    assert!(stale.text().starts_with("<!doctype html>") && stale.text().contains("Keep my changes"));
    let reopen = [("version", "2"), ("reason", "Another call in spring.")];
    ann.post(&format!("{address}/reopen")).form(&reopen).send().await.expect(303);
    assert!(ann.get(&address).send().await.expect(200).text().contains("Another call in spring."));
    ann.post(&format!("{address}/delete")).form(&[("version", "3")]).send().await.expect(303);
    assert!(ann.get("/leads").send().await.expect(200).text().contains("No leads yet"));
}

/// The error beside a field.
fn beside<'a>(html: &'a str, field: &str) -> &'a str {
    let mark = format!("-{field}-error\">");
    html.split_once(&mark).and_then(|(_, rest)| rest.split_once('<')).map_or("", |(words, _)| words)
}

async fn a_refused_field_shows_its_error_and_keeps_the_typed_value(environment: TestEnvironment) {
    let ann = person(&environment, Role::Agent).await;
    let lead = create(&ann, &new_lead("Art Venere", "art@example.com")).await;
    create(&ann, &new_lead("Other", "taken@example.com")).await;
    for (over, field, words) in [
        (vec![("status", "CONVERTED"), ("name", "Kept")], "status", "80"),
        (vec![("leadScore", "101"), ("name", "Kept")], "leadScore", "0 to 100"),
        (vec![("email", "no email"), ("name", "Kept")], "email", "ann.lee@example.com"),
        (vec![("email", "TAKEN@example.com"), ("name", "Kept")], "email", "Another lead"),
    ] {
        for answer in [save(&ann, &lead, &over).await, save_row(&ann, &lead, &over).await] {
            let answer = answer.expect(422);
            assert!(beside(answer.text(), field).contains(words), "{over:?}: {}", answer.text());
            assert!(answer.text().contains("value=\"Kept\""), "{}", answer.text());
            assert!(answer.text().contains("name=\"base.name\" value=\"Art Venere\""));
        }
    }
    let both = save(&ann, &lead, &[("name", ""), ("leadScore", "x")]).await.expect(422);
    assert!(!beside(both.text(), "name").is_empty() && !beside(both.text(), "leadScore").is_empty());
    assert_eq!(read(&ann, &lead).await, lead, "nothing was written");
    let bare = ann.post(&page(&lead)).form(&[("name", "x")]).send().await;
    bare.expect(428);
}

async fn a_save_that_changes_nothing_writes_nothing(environment: TestEnvironment) {
    let ann = person(&environment, Role::Agent).await;
    let lead = create(&ann, &new_lead("Art Venere", "art@example.com")).await;
    let answer = save_row(&ann, &lead, &[("name", " Art  Venere "), ("leadScore", "050")]).await.expect(200);
    assert!(answer.header("hx-trigger").contains("No changes to save."));
    assert_eq!(read(&ann, &lead).await, lead);
}

async fn only_administrators_reopen_a_converted_lead_on_its_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let agent = workspace.person(Role::Agent, "Ann Lee").await;
    let administrator = workspace.person(Role::Administrator, "Bob Stone").await;
    let mut body = new_lead("Art Venere", "art@example.com");
    body["leadScore"] = 90.into();
    body["status"] = "CONVERTED".into();
    let lead = create(&agent, &body).await;
    let reopen = format!("{}/reopen", page(&lead));
    assert!(!agent.get(&page(&lead)).send().await.expect(200).text().contains("Reopen"));
    agent.post(&reopen).form(&[("version", "1"), ("reason", "x")]).send().await.expect(403);
    assert!(administrator.get(&page(&lead)).send().await.expect(200).text().contains(&reopen));
    let empty =
        administrator.post(&reopen).form(&[("version", "1"), ("reason", " ")]).send().await.expect(422);
    assert!(empty.text().contains("Enter a reason"));
    change(&agent, &lead, 1, json!({ "name": "Arthur" })).await.expect(200);
    let form = [("version", "1"), ("reason", "It fell through.")];
    let stale = administrator.post(&reopen).form(&form).send().await.expect(409);
    assert!(stale.text().contains("Ann Lee changed") && stale.text().contains("It fell through."));
}

async fn a_history_continues_after_its_twentieth_entry(environment: TestEnvironment) {
    let ann = person(&environment, Role::Agent).await;
    let lead = create(&ann, &new_lead("Art Venere", "art@example.com")).await;
    for version in 1..=20 {
        change(&ann, &lead, version, json!({ "leadScore": version })).await.expect(200);
    }
    let html = ann.get(&page(&lead)).send().await.expect(200);
    assert!(html.text().contains("version 21 ") && html.text().contains("version 2 "));
    assert!(!html.text().contains("version 1 "));
    let older = ann.get(link(html.text(), "history=")).header("hx-request", "true").send().await.expect(200);
    assert!(older.text().trim_start().starts_with("<li"), "{}", older.text());
    assert!(older.text().contains("version 1 ") && !older.text().contains("version 2 "));
}

async fn html_in_every_field_is_shown_as_text(environment: TestEnvironment) {
    let (ann, bob, lead) = two_people(&environment).await;
    let evil = "\"><img src=x onerror=alert(1)>";
    let wild = [("name", evil), ("email", evil), ("state", evil), ("leadScore", evil), ("status", evil)];
    let mut answers = vec![
        save(&ann, &lead, &wild).await.expect(422),
        save_row(&ann, &lead, &wild).await.expect(422),
        ann.post("/leads").form(&wild).send().await.expect(422),
        save(&ann, &lead, &[("name", evil)]).await.expect(200),
        save(&bob, &lead, &[("name", "<b>Bob</b>")]).await.expect(409),
    ];
    for path in [
        "/leads".to_owned(),
        format!("/leads?q={}", "%22%3E%3Cimg"),
        page(&lead),
        format!("{}/edit", page(&lead)),
    ] {
        answers.push(ann.get(&path).send().await.expect(200));
    }
    for answer in answers {
        assert!(
            !answer.text().contains("<img src=x") && !answer.text().contains("<b>Bob"),
            "{}",
            answer.text()
        );
    }
}
