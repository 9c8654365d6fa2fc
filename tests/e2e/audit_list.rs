//! The list of the audit log: its filter, its pages, and who reads it.

use std::collections::BTreeSet;

use holdfast::accounts::administer::AccountChanges;
use holdfast::accounts::change::Operator;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::base::values::Version;
use holdfast::shared::audit_log::{AuditActor, AuditEntry, AuditKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::audit::{days_ago, entries, write};
use crate::support::workspace::{Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        app: expired_entries_are_hidden_before_the_table_removes_them,
            a_page_makes_a_bounded_number_of_calls_and_says_how_far_it_searched;
        store: pages_neither_skip_nor_repeat_entries_while_new_ones_arrive;
        web: entries_are_filtered_by_person_kind_and_day,
            only_administrators_read_the_log,
            the_page_shows_entries_and_escapes_them
    ]
}

async fn expired_entries_are_hidden_before_the_table_removes_them(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let token = workspace.token(Role::Administrator, "Ann").await;
    let at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    write(&workspace, at, "Bob", AuditKind::SettingChanged, "A").await;
    for (hours, shown) in [(399 * 24, 1), (400 * 24 - 1, 1), (400 * 24 + 1, 0), (401 * 24, 0)] {
        let now = at + SignedDuration::from_hours(hours);
        let later = workspace.clone().with_clock(Clock::from_fn(move || now)).bearer(&token);
        let found = entries(&later, "from=2026-02-28&to=2026-03-02").await;
        assert_eq!(found.len(), shown, "after {hours} hours");
        let text = later.get("/audit?from=2026-02-28&to=2026-03-02").send().await.expect(200);
        assert_eq!(text.text().contains("1 entry shown"), shown == 1, "after {hours} hours");
    }
}

async fn a_page_makes_a_bounded_number_of_calls_and_says_how_far_it_searched(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let now = Timestamp::now();
    let old =
        write(&workspace, now - SignedDuration::from_hours(24 * 20), "Bob", AuditKind::Import, "A").await;
    for number in 0..60 {
        write(&workspace, now, "Eve", AuditKind::SettingChanged, &number.to_string()).await;
    }
    environment.wire().reset();
    let first: Value = admin.get("/api/audit?limit=50").send().await.expect(200).json();
    assert!(environment.wire().count("Query") <= 48, "a page of today reads today");
    assert_eq!(first["items"].as_array().unwrap().len(), 50);
    let (mut cursor, mut found, mut pages) = (String::new(), Vec::new(), 0);
    while found.is_empty() {
        environment.wire().reset();
        let page = admin.get(&format!("/api/audit?kind=import&cursor={cursor}")).send().await.expect(200);
        assert!(environment.wire().count("Query") <= 112, "{}", environment.wire().count("Query"));
        let page: Value = page.json();
        found = page["items"].as_array().unwrap().clone();
        cursor = page["next"].as_str().expect("the log continues").to_owned();
        pages += 1;
    }
    assert_eq!(found[0]["id"], old.id.to_string());
    assert!(pages == 3 || pages == 4, "a page searches seven days: {pages}");
    let page = admin.get("/audit?kind=import").send().await.expect(200);
    for shown in ["None found so far. Searched back to ", "Keep searching", "Clear filters"] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    assert!(!page.text().contains(".. "), "one period: {}", page.text());
    let none = admin.get(&format!("/audit?kind=import&from={}", days_ago(1))).send().await.expect(200);
    assert!(none.text().contains("No matching entries."), "{}", none.text());
    assert!(!none.text().contains("Searched back to"), "the search is complete: {}", none.text());
}

async fn pages_neither_skip_nor_repeat_entries_while_new_ones_arrive(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let now = Timestamp::now();
    let mut written = Vec::new();
    for number in 0..120_i64 {
        // Several days, with many entries in one minute and several in one millisecond.
        let at = now - SignedDuration::from_hours(number / 30 * 24) - SignedDuration::from_millis(number / 3);
        let kind = if number % 5 == 0 { AuditKind::Import } else { AuditKind::SettingChanged };
        let by = if number % 7 == 0 { "Zoë Quick" } else { "Eve" };
        written.push(write(&workspace, at, by, kind, &number.to_string()).await);
    }
    written.sort_by_key(|entry| std::cmp::Reverse(entry.id));
    let from = days_ago(4);
    let is_import = |entry: &AuditEntry| entry.kind == AuditKind::Import;
    let is_zoe = |entry: &AuditEntry| entry.by.as_str() == "Zoë Quick";
    type Matches<'a> = &'a dyn Fn(&AuditEntry) -> bool;
    let cases: [(&str, Matches<'_>); 4] = [
        ("limit=7", &|entry| is_import(entry) || entry.kind == AuditKind::SettingChanged),
        ("limit=50", &|entry| is_import(entry) || entry.kind == AuditKind::SettingChanged),
        ("limit=4&kind=import", &is_import),
        ("limit=1&person=zoe&kind=import", &|entry| is_import(entry) && is_zoe(entry)),
    ];
    for (query, matches) in cases {
        let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let path = format!("/api/audit?{query}&from={from}&cursor={cursor}");
            let page: Value = admin.get(&path).send().await.expect(200).json();
            let items = page["items"].as_array().unwrap();
            let ids = items.iter().filter(|item| item["subject"] != "new");
            found.extend(ids.map(|item| item["id"].as_str().unwrap().to_owned()));
            pages += 1;
            // It is newer than everything that was read, so it is on no later page.
            if pages < 4 {
                write(&workspace, Timestamp::now(), "Zoë Quick", AuditKind::Import, "new").await;
            }
            match page["next"].as_str() {
                Some(next) if pages < 200 => cursor = next.to_owned(),
                Some(_) => panic!("{query} does not end"),
                None => break,
            }
        }
        // Entries of the accounts that the case created are not among those that were written.
        found.retain(|id| written.iter().any(|entry| entry.id.to_string() == *id));
        let expected = written.iter().filter(|entry| matches(entry)).map(|entry| entry.id.to_string());
        assert_eq!(found, expected.collect::<Vec<_>>(), "{query}");
    }
}

async fn entries_are_filtered_by_person_kind_and_day(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = workspace.account(Role::Agent, "Ann Lee").await;
    let actor = AuditActor::from(&ann);
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    let day = (Timestamp::now() - SignedDuration::from_hours(72)).strftime("%Y-%m-%d").to_string();
    // A day in New York begins at 4 or 5 AM in UTC.
    let (night, noon) = (at(&format!("{day}T03:30:00Z")), at(&format!("{day}T17:00:00Z")));
    let kind = AuditKind::SettingChanged;
    for (when, subject) in [(night, "night"), (noon, "noon")] {
        let entry = AuditEntry::new(&workspace.app.rng, when, &actor, kind, subject, "Done.");
        workspace.app.dynamo.write_audit(&entry).await.unwrap();
    }
    write(&workspace, noon, "Bob Ray", AuditKind::AccountChanged, "Ann Lee <old@example.com>").await;
    write(&workspace, noon, "Bob Ray", AuditKind::Deletion, "Ann Lee").await;
    let shown = async |query: &str| -> BTreeSet<String> {
        // Entries about the accounts of this case have other details.
        let found = entries(&admin, query).await.into_iter().filter(|entry| entry["detail"] == "Done.");
        found.map(|entry| entry["subject"].as_str().unwrap().to_owned()).collect()
    };
    let set =
        |subjects: &[&str]| subjects.iter().map(|subject| (*subject).to_owned()).collect::<BTreeSet<_>>();
    let of_ann = set(&["night", "noon", "Ann Lee <old@example.com>"]);
    assert_eq!(shown("person=ann+LEE&kind=").await, of_ann);
    assert_eq!(shown(&format!("person={}", ann.id)).await, set(&["night", "noon"]));
    assert_eq!(shown(&format!("person={}", ann.email)).await, set(&["night", "noon"]));
    assert_eq!(shown("person=old@example.com").await, set(&["Ann Lee <old@example.com>"]));
    // People who left and people without access to leads are found by their address, too.
    let disabled = AccountChanges { disabled: Some(true), ..AccountChanges::default() };
    let (accounts, command) = (workspace.app.accounts(), Operator::Command);
    accounts.edit(ann.id, Version::FIRST, disabled, command, None).await.unwrap();
    assert_eq!(shown(&format!("person={}", ann.email)).await, set(&["night", "noon"]));
    for role in [Role::Viewer, Role::Participant] {
        let other = workspace.account(role, "Pat Doe").await;
        let entry = AuditEntry::new(&workspace.app.rng, noon, &(&other).into(), kind, role.as_str(), "Done.");
        workspace.app.dynamo.write_audit(&entry).await.unwrap();
        assert_eq!(shown(&format!("person={}", other.email)).await, set(&[role.as_str()]));
    }
    assert_eq!(shown("person=ann&kind=account-changed").await, set(&["Ann Lee <old@example.com>"]));
    assert_eq!(shown("kind=deletion").await, set(&["Ann Lee"]));
    let of_day = entries(&admin, &format!("person=ann&kind=setting-changed&from={day}&to={day}")).await;
    assert_eq!(of_day.iter().map(|entry| &entry["subject"]).collect::<Vec<_>>(), ["noon"]);

    for (query, field) in [
        ("kind=x", "kind"),
        ("from=soon", "from"),
        ("from=2026-03-02&to=2026-03-01", "to"),
        ("limit=0", "limit"),
        (&format!("person={}", "x".repeat(201)), "person"),
    ] {
        let problem: Value = admin.get(&format!("/api/audit?{query}")).send().await.expect(422).json();
        assert!(problem.to_string().contains(&format!("\"{field}\"")), "{query}: {problem}");
    }
    admin.get("/api/audit?surprise=1").send().await.expect(400);
    create(&admin, &new_lead("A", "a@example.com")).await;
    create(&admin, &new_lead("B", "b@example.com")).await;
    let leads: Value = admin.get("/api/leads?limit=1").send().await.expect(200).json();
    for cursor in [leads["next"].as_str().unwrap(), "x"] {
        let refused = admin.get(&format!("/api/audit?cursor={cursor}")).send().await.expect(400);
        assert_eq!(refused.json::<Value>()["type"], "urn:holdfast:problem:bad-cursor");
    }
}

async fn only_administrators_read_the_log(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    for path in ["/audit", "/api/audit", "/audit.csv"] {
        for role in Role::ALL {
            let status = if role == Role::Administrator { 200 } else { 403 };
            workspace.program(role).await.get(path).send().await.expect(status);
        }
        workspace.visitor().get(path).header("accept", "application/json").send().await.expect(401);
    }
    let page = workspace.session(Role::Administrator, "Ann").await.get("/leads").send().await.expect(200);
    assert!(page.text().contains("href=\"/audit\""), "administrators have a link");
    let page = workspace.session(Role::Agent, "Bob").await.get("/leads").send().await.expect(200);
    assert!(!page.text().contains("href=\"/audit\""), "agents have none");
}

async fn the_page_shows_entries_and_escapes_them(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let now = Timestamp::now();
    for number in 0..60 {
        let at = now - SignedDuration::from_secs(number);
        write(&workspace, at, "<b>Eve</b>", AuditKind::SettingChanged, &format!("<i>{number}</i>")).await;
    }
    let page = admin.get("/audit?kind=setting-changed&person=eve").send().await.expect(200);
    for shown in ["&lt;b&gt;Eve", "&lt;i&gt;0&lt;", "Setting changed", "50 entries shown", "Next page"] {
        let numeric = shown.replace("&lt;", "&#60;").replace("&gt;", "&#62;");
        assert!(page.text().contains(shown) || page.text().contains(&numeric), "{shown}: {}", page.text());
    }
    assert!(!page.text().contains("<b>Eve") && !page.text().contains("<i>"), "names are escaped");
    let (_, next) = page.text().split_once("Clear filters").unwrap();
    let (_, next) = next.split_once("href=\"").unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    let later = admin.get(&next).send().await.expect(200);
    for shown in ["10 entries shown", "First page", "Keep searching"] {
        assert!(later.text().contains(shown), "{shown}: {}", later.text());
    }
}
