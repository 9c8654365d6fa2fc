//! What people change on their own account page: name, address, time zone.

use futures_util::future::join;
use holdfast::accounts::change::Operator;
use holdfast::accounts::link_path;
use holdfast::base::identity::Role;
use serde_json::{Value, json};

use super::accounts::{OTHER, PASSWORD, browser, me, sign_in, signed_in, with_password};
use crate::support::html::{assert_errors, hidden};
use crate::support::http::{Client, Response};
use crate::support::workspace::{TEST_RETRIES, Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: a_new_name_needs_no_password_and_a_new_address_needs_it,
            an_invalid_taken_or_stale_profile_is_refused_and_what_was_typed_is_kept,
            ten_wrong_passwords_for_a_new_address_are_counted,
            ten_attempts_to_take_the_address_of_another_account_are_counted_and_recorded,
            a_form_that_is_sent_twice_makes_one_token,
            a_token_cannot_change_its_account;
        app: a_time_zone_changes_pages_but_not_files;
        embedded: participants_of_one_network_share_their_attempts;
        api: one_of_two_concurrent_changes_of_a_profile_is_kept
    ]
}

const ANN: &str = "ann@holdfast.test";

async fn save(client: &Client, version: u64, name: &str, email: &str, current: &str) -> Response {
    let version = version.to_string();
    let form = [("version", version.as_str()), ("name", name), ("email", email), ("current", current)];
    client.post("/account").form(&form).send().await
}

async fn a_new_name_needs_no_password_and_a_new_address_needs_it(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, ANN).await;
    let ann = signed_in(&workspace, ANN).await;
    let saved = save(&ann, 1, "Ann Lee-Ray", ANN, "").await.expect(303);
    let page = ann.get(saved.header("location")).send().await.expect(200);
    assert!(page.text().contains("Saved."), "{}", page.text());
    assert!(page.text().contains("name=\"version\" value=\"2\""), "{}", page.text());
    assert_eq!(me(&ann).await.expect(200).json::<Value>()["name"], "Ann Lee-Ray");
    for (current, words) in
        [("", "You need it to change your email"), (OTHER, "You need it to change your email")]
    {
        let refused = save(&ann, 2, "Ann Lee-Ray", "lee@holdfast.test", current).await.expect(422);
        assert!(refused.text().contains(words), "{}", refused.text());
        assert!(refused.text().contains("value=\"lee@holdfast.test\""), "{}", refused.text());
    }
    assert_eq!(me(&ann).await.expect(200).json::<Value>()["email"], ANN);
    save(&ann, 2, "Ann Lee-Ray", "Lee@holdfast.test", PASSWORD).await.expect(303);
    assert_eq!(me(&ann).await.expect(200).json::<Value>()["email"], "Lee@holdfast.test");
    // The new address signs in, and the old one is free.
    sign_in(&browser(&workspace), "lee@holdfast.test", PASSWORD).await.expect(303);
    sign_in(&browser(&workspace), ANN, PASSWORD).await.expect(422);
    with_password(&workspace, ANN).await;
    // Other letters of the same address also need the password, and the same values change nothing.
    save(&ann, 3, "Ann Lee-Ray", "LEE@holdfast.test", "").await.expect(422);
    save(&ann, 3, "Ann Lee-Ray", "LEE@holdfast.test", PASSWORD).await.expect(303);
    save(&ann, 4, "Ann Lee-Ray", "LEE@holdfast.test", "").await.expect(303);
    assert!(ann.get("/account").send().await.text().contains("name=\"version\" value=\"4\""));
}

async fn an_invalid_taken_or_stale_profile_is_refused_and_what_was_typed_is_kept(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, ANN).await;
    with_password(&workspace, "bob@holdfast.test").await;
    let ann = signed_in(&workspace, ANN).await;
    let long = "x".repeat(10_000);
    for (name, email, errors) in [
        ("", ANN, &["name"][..]),
        ("Ann\nLee", ANN, &["name"]),
        (&long, ANN, &["name"]),
        ("Ann", "", &["email"]),
        ("Ann", "ann@localhost", &["email"]),
        ("Ann", &long, &["email"]),
        ("", "no address", &["name", "email"]),
    ] {
        let refused = save(&ann, 1, name, email, PASSWORD).await.expect(422);
        assert_errors(refused.text(), &["name", "email"], errors);
    }
    let taken = save(&ann, 1, "Ann Li", "BOB@holdfast.test", PASSWORD).await.expect(422);
    assert!(taken.text().contains("Another account has this email."), "{}", taken.text());
    assert!(taken.text().contains("value=\"Ann Li\""), "{}", taken.text());
    // Another tab saved first.
    save(&ann, 1, "Ann Ray", ANN, "").await.expect(303);
    let stale = save(&ann, 1, "Ann <Li>", ANN, "").await.expect(409);
    assert!(stale.text().contains("It is now Ann Ray"), "{}", stale.text());
    assert!(stale.text().contains("value=\"Ann &#60;Li&#62;\""), "{}", stale.text());
    assert_eq!(me(&ann).await.expect(200).json::<Value>()["name"], "Ann Ray");
    ann.post("/account").form(&[("version", "x"), ("name", "A"), ("email", ANN)]).send().await.expect(400);
    ann.post("/account").json(&json!({ "name": "A" })).send().await.expect(415);
    browser(&workspace).post("/account").form(&[("name", "A")]).send().await.expect(401);
}

async fn ten_wrong_passwords_for_a_new_address_are_counted(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, ANN).await;
    let ann = signed_in(&workspace, ANN).await;
    for _ in 0..10 {
        save(&ann, 1, "Ann Lee", "lee@holdfast.test", OTHER).await.expect(422);
    }
    let closed = save(&ann, 1, "Ann Lee", "lee@holdfast.test", PASSWORD).await.expect(429);
    assert!(closed.text().contains("Wait 15 minutes"), "{}", closed.text());
    // A new name needs no password.
    save(&ann, 1, "Ann Ray", ANN, "").await.expect(303);
}

/// Adds a person with this role and [`PASSWORD`].
async fn add(workspace: &Workspace, email: &str, role: Role) {
    let (name, address) = ("Ann Lee".parse().unwrap(), email.parse().unwrap());
    workspace.app.accounts().add(name, address, role, Some(PASSWORD.parse().unwrap())).await.unwrap();
}

async fn ten_attempts_to_take_the_address_of_another_account_are_counted_and_recorded(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    add(&workspace, ANN, Role::Participant).await;
    add(&workspace, "bob@holdfast.test", Role::Agent).await;
    let ann = signed_in(&workspace, ANN).await;
    for number in 0..10 {
        let refused = save(&ann, 1 + number / 5, "Ann Lee", "bob@holdfast.test", PASSWORD).await.expect(422);
        assert!(refused.text().contains("This email can&#39;t be used."), "{}", refused.text());
        assert!(!refused.text().contains("Another account"), "{}", refused.text());
        if number == 4 {
            // A right password or a free address does not reset the attempts.
            let form = [("current", PASSWORD), ("new", PASSWORD), ("again", PASSWORD)];
            ann.post("/account/password").form(&form).send().await.expect(303);
        }
    }
    let closed = save(&ann, 2, "Ann Lee", "bob@holdfast.test", PASSWORD).await.expect(429);
    assert!(closed.text().contains("Wait 15 minutes"), "{}", closed.text());
    save(&ann, 2, "Ann Lee", "free@holdfast.test", PASSWORD).await.expect(429);
    save(&ann, 2, "Ann Ray", ANN, "").await.expect(303);

    let admin = workspace.program(Role::Administrator).await;
    let page = admin.get("/api/audit?kind=account-changed&person=ann").send().await.expect(200);
    let page: Value = page.json();
    let tried = |entry: &&Value| {
        entry["detail"] == "Email not changed to bob@holdfast.test: another account has it."
            && entry["subject"] == format!("Ann Lee <{ANN}>")
    };
    assert_eq!(page["items"].as_array().unwrap().iter().filter(tried).count(), 10, "{page}");
    // Agents work with each other, and a free address uses no attempt up.
    add(&workspace, "carl@holdfast.test", Role::Agent).await;
    let carl = signed_in(&workspace, "carl@holdfast.test").await;
    for version in 1..=12 {
        let email = format!("carl{version}@holdfast.test");
        save(&carl, version, "Carl", &email, PASSWORD).await.expect(303);
    }
    let taken = save(&carl, 13, "Carl", "bob@holdfast.test", PASSWORD).await.expect(422);
    assert!(taken.text().contains("Another account has this email."), "{}", taken.text());
}

async fn participants_of_one_network_share_their_attempts(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    add(&workspace, "bob@holdfast.test", Role::Agent).await;
    let signed_in = async |from: &str| {
        let pat = workspace.account(Role::Participant, "Pat").await;
        let link = workspace.app.accounts().sign_in_link(pat.id, Operator::Command).await.unwrap();
        let browser = workspace.visitor_from(from);
        browser.use_link(&link_path(&link)).await.expect(303);
        browser
    };
    for _ in 0..10 {
        let pat = signed_in("203.0.113.9").await;
        for _ in 0..10 {
            save(&pat, 1, "Pat", "bob@holdfast.test", "").await.expect(422);
        }
    }
    let another = signed_in("203.0.113.9").await;
    save(&another, 1, "Pat", "bob@holdfast.test", "").await.expect(429);
    let elsewhere = signed_in("198.51.100.7").await;
    save(&elsewhere, 1, "Pat", "bob@holdfast.test", "").await.expect(422);
}

async fn a_form_that_is_sent_twice_makes_one_token(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, ANN).await;
    let ann = signed_in(&workspace, ANN).await;
    let key = hidden(ann.get("/account").send().await.expect(200).text(), "key");
    let form = [("key", key.as_str()), ("name", "night import"), ("role", "viewer"), ("days", "90")];
    let send = || ann.post("/account/tokens").form(&form).send();
    // Both arrive at the same time, as after a double click without JavaScript.
    let (first, second) = join(send(), send()).await;
    let (made, again) = if first.status == 201 { (first, second) } else { (second, first) };
    let made = made.expect(201);
    let page = ann.get(again.expect(303).header("location")).send().await.expect(200);
    assert!(page.text().contains("This token was already created"), "{}", page.text());
    let listed: Value = ann.get("/api/tokens").send().await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    // The page with the secret has a new key, so the next token is another one.
    let next = [("key", hidden(made.text(), "key")), ("name", "night import".to_owned())];
    ann.post("/account/tokens").form(&next).send().await.expect(201);
}

async fn a_token_cannot_change_its_account(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let program = workspace.agent().await;
    save(&program, 1, "Eve", "eve@holdfast.test", "").await.expect(403);
    program.post("/account/time-zone").form(&[("time_zone", "UTC")]).send().await.expect(403);
    assert_ne!(me(&program).await.expect(200).json::<Value>()["name"], "Eve");
}

async fn one_of_two_concurrent_changes_of_a_profile_is_kept(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, ANN).await;
    let ann = signed_in(&workspace, ANN).await;
    let gate = environment.wire().hold(2, "TransactWriteItems");
    let saving = ["Ann One", "Ann Two"].map(|name| {
        let ann = ann.clone();
        tokio::spawn(async move { (name, save(&ann, 1, name, ANN, "").await.status.as_u16()) })
    });
    gate.arrived(2).await;
    gate.open();
    let answers = futures_util::future::join_all(saving).await.into_iter().map(Result::unwrap);
    let (kept, refused): (Vec<_>, Vec<_>) = answers.partition(|(_, status)| *status == 303);
    assert_eq!((kept.len(), refused[0].1), (1, 409));
    assert_eq!(me(&ann).await.expect(200).json::<Value>()["name"], kept[0].0);
}

/// The times that a page shows, without the dates and times themselves.
fn zones(page: &str) -> Vec<&str> {
    let shown = page.split("<time datetime=").skip(1).filter_map(|rest| rest.split_once("</time>"));
    shown.filter_map(|(time, _)| time.rsplit(' ').next()).collect()
}

async fn a_time_zone_changes_pages_but_not_files(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Administrator, "Ann").await;
    let lead = create(&ann, &new_lead("Grace Hopper", "grace@example.com")).await;
    let lead = format!("/leads/{}", lead["id"].as_str().unwrap());
    let raffle = super::raffle_api::open(&ann, 3, 2).await;
    let bob = super::raffle_api::participant(&workspace, "Bob Ray").await;
    super::raffle_api::buy(&bob, &raffle, 1).await;
    let pages = [lead.as_str(), "/account"];
    let files = [format!("{raffle}/tickets/csv"), "/api/orders/export/csv?from=2026-01-01".to_owned()];
    let mut before = Vec::new();
    for file in &files {
        before.push(ann.get(file).send().await.expect(200).text().to_owned());
    }
    let choose = async |zone: &str| ann.post("/account/time-zone").form(&[("time_zone", zone)]).send().await;
    for (zone, abbreviations) in
        [("", ["EST", "EDT"]), ("Asia/Tokyo", ["JST", "JST"]), ("UTC", ["UTC", "UTC"]), ("", ["EST", "EDT"])]
    {
        let saved = choose(zone).await.expect(303);
        let page = ann.get(saved.header("location")).send().await.expect(200);
        assert!(page.text().contains("Saved."), "{}", page.text());
        if !zone.is_empty() {
            assert!(page.text().contains(&format!("<option value=\"{zone}\" selected>")), "{zone}");
        }
        for path in pages {
            let page = ann.get(path).send().await.expect(200);
            let shown = zones(page.text());
            assert!(!shown.is_empty(), "{path}");
            assert!(shown.iter().all(|shown| abbreviations.contains(shown)), "{zone:?} {path}: {shown:?}");
        }
        for (file, before) in files.iter().zip(&before) {
            assert_eq!(ann.get(file).send().await.expect(200).text(), before, "{zone}: {file}");
        }
    }
    // It is the person's and not the browser's: another session and another process show it too.
    choose("Asia/Tokyo").await.expect(303);
    let other = workspace.another(&environment, &environment.another_wire(), TEST_RETRIES);
    let there = super::accounts::with_cookie_of(&ann, &other);
    assert!(zones(there.get(&lead).send().await.expect(200).text()).contains(&"JST"));
    let carl = workspace.session(Role::Agent, "Carl").await;
    assert!(!zones(carl.get(&lead).send().await.expect(200).text()).contains(&"JST"));
    for zone in ["Mars/Olympus", "../etc/passwd", "EST5EDT\u{0}", &"x".repeat(10_000)] {
        choose(zone).await.expect(422);
    }
    assert!(ann.get("/account").send().await.text().contains("<option value=\"Asia/Tokyo\" selected>"));
}
