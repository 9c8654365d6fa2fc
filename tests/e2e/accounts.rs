//! Accounts: sign-in links, passwords, sessions and tokens, as people and programs use them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::browser::{At, Look};
use crate::support::http::{Client, Response, Server};
use crate::support::workspace::{COOKIE_SECRET, PATIENCE, Workspace, address, create, new_lead};
use crate::support::{Case, Entry, Fault, Kind, TestEnvironment, cases};
use holdfast::accounts::change::Operator;
use holdfast::accounts::keys::cookie_key;
use holdfast::accounts::{AccountError, link_path, links};
use holdfast::app::build_router;
use holdfast::base::clock::Clock;
use holdfast::base::identity::{AccountId, Role};
use holdfast::base::telemetry::{Report, Telemetry};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: a_password_signs_in_and_redirects_to_the_requested_page,
            signing_out_ends_the_session_of_this_browser;
        api: the_printed_link_signs_the_first_administrator_in_once,
            concurrent_wrong_passwords_are_all_counted,
            a_repeated_request_makes_one_token;
        web: cookies_of_other_applications_end_no_session,
            a_wrong_password_and_an_unknown_address_get_the_same_answer,
            a_new_password_ends_older_sessions_and_keeps_this_one,
            a_token_signs_a_program_in_until_it_is_revoked,
            a_token_cannot_create_tokens_or_change_passwords,
            an_invalid_password_or_token_name_is_refused_with_a_reason,
            each_role_has_its_own_start_page;
        store: a_lost_reply_does_not_waste_a_link,
            an_email_address_belongs_to_one_account_in_any_letter_case,
            of_two_concurrent_password_changes_one_is_kept;
        app: tokens_are_listed_page_by_page,
            a_link_expires_after_a_day_and_with_a_new_password,
            ten_wrong_passwords_block_sign_in_for_15_minutes,
            authenticating_a_request_costs_one_call_for_a_session_and_two_for_a_token;
        embedded: a_recently_checked_session_or_token_needs_no_read,
            an_ended_session_or_token_stops_working_here_at_once_and_elsewhere_soon;
        browser: a_person_signs_in_and_creates_a_token_by_keyboard
    ]
}

/// The password of [`with_password`].
pub const PASSWORD: &str = "correct horse battery";
/// Another password.
pub const OTHER: &str = "another horse battery";

/// An account that signs in with [`PASSWORD`].
pub async fn with_password(workspace: &Workspace, email: &str) -> AccountId {
    let (name, email) = ("Ann Lee".parse().unwrap(), email.parse().unwrap());
    let password = Some(PASSWORD.parse().unwrap());
    workspace.app.accounts().add(name, email, Role::Agent, password).await.unwrap()
}

/// A signed-out browser that sends forms from Holdfast's own pages.
pub fn browser(workspace: &Workspace) -> Client {
    workspace.visitor().always("sec-fetch-site", "same-origin")
}

/// Signs in with a password.
pub async fn sign_in(client: &Client, email: &str, password: &str) -> Response {
    client.post("/sign-in").form(&[("email", email), ("password", password)]).send().await
}

/// A browser that is signed in to the account of [`with_password`].
pub async fn signed_in(workspace: &Workspace, email: &str) -> Client {
    let client = browser(workspace);
    sign_in(&client, email, PASSWORD).await.expect(303);
    client
}

/// Changes the password.
pub async fn change(client: &Client, current: &str, new: &str, again: &str) -> Response {
    let form = [("current", current), ("new", new), ("again", again)];
    client.post("/account/password").form(&form).send().await
}

/// Sets up the workspace with the link of the first start.
async fn set_up(client: &Client, link: &str) -> Response {
    let form = [("name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
    let request = client.post(&link_path(link)).header("sec-fetch-site", "same-origin").form(&form);
    request.send().await.expect(303)
}

/// Asks who is signed in.
pub async fn me(client: &Client) -> Response {
    client.get("/api/me").send().await
}

/// The same application, some time later.
pub fn later(workspace: &Workspace, after: SignedDuration) -> Workspace {
    let mut app = workspace.app.clone();
    app.clock = Clock::from_fn(move || jiff::Timestamp::now() + after);
    let (router, routes) = build_router(app.clone());
    Workspace { app, router, routes, entry: Entry::Router }
}

/// A visitor of another workspace, with the session cookie of this client.
pub fn with_cookie_of(client: &Client, workspace: &Workspace) -> Client {
    let cookie = client.cookie("holdfast").expect("the client is signed in");
    browser(workspace).always("cookie", &format!("holdfast={cookie}"))
}

async fn the_printed_link_signs_the_first_administrator_in_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    // Concurrent first starts create one administrator.
    let accounts = workspace.app.accounts();
    let starts = (0..4).map(|_| accounts.first_administrator_link());
    let links: Vec<String> = join_all(starts).await.into_iter().map(|link| link.unwrap().unwrap()).collect();
    let (first, others) = links.split_first().unwrap();
    let visitor = workspace.visitor();
    // Opening it does not use it up, because mail scanners open links.
    for method in [Method::HEAD, Method::GET, Method::GET] {
        let page = visitor.request(method, &link_path(first)).send().await.expect(200);
        assert_eq!(page.header("set-cookie"), "");
    }
    assert_eq!(set_up(&visitor, first).await.header("location"), "/welcome");
    assert_eq!(me(&visitor).await.expect(200).json::<Value>()["role"], "administrator");
    // A used link is refused for everyone else, but still redirects the person who used it.
    let used = workspace.visitor().get(&link_path(first)).send().await.expect(410);
    assert!(used.text().contains("already used"), "{}", used.text());
    assert_eq!(used.header("set-cookie"), "");
    visitor.get(&link_path(first)).send().await.expect(303);
    visitor.use_link(&link_path(first)).await.expect(410);
    // The others are of the same account, which has a password now.
    for link in others {
        workspace.visitor().get(&link_path(link)).send().await.expect(410);
    }
    for link in ["", "hf_no", "..%2f..", &links[0][..20]] {
        let status = workspace.visitor().get(&link_path(link)).send().await.status.as_u16();
        assert!(matches!(status, 404 | 410), "{link}: {status}");
    }
}

async fn a_link_expires_after_a_day_and_with_a_new_password(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = with_password(&workspace, "ann@holdfast.test").await;
    let old = workspace.app.accounts().sign_in_link(ann, Operator::Command).await.unwrap();
    let almost = later(&workspace, links::LINK_LASTS - SignedDuration::from_mins(1));
    let after = later(&workspace, links::LINK_LASTS + SignedDuration::from_secs(1));
    after.visitor().get(&link_path(&old)).send().await.expect(410);
    after.visitor().use_link(&link_path(&old)).await.expect(410);
    almost.visitor().use_link(&link_path(&old)).await.expect(303);
    let unused = workspace.app.accounts().sign_in_link(ann, Operator::Command).await.unwrap();
    let client = signed_in(&workspace, "ann@holdfast.test").await;
    change(&client, PASSWORD, OTHER, OTHER).await.expect(303);
    workspace.visitor().get(&link_path(&unused)).send().await.expect(410);
}

async fn a_lost_reply_does_not_waste_a_link(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let link = workspace.app.accounts().first_administrator_link().await.unwrap().unwrap();
    environment.wire().next("TransactWriteItems", Fault::ReplyLost);
    let visitor = workspace.visitor();
    set_up(&visitor, &link).await;
    me(&visitor).await.expect(200);
    workspace.visitor().get(&link_path(&link)).send().await.expect(410);
}

async fn an_email_address_belongs_to_one_account_in_any_letter_case(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let adding = ["ann@holdfast.test", "Ann@Holdfast.Test", "ANN@holdfast.test", "ann@holdfast.test"];
    let accounts = workspace.app.accounts();
    let adding = adding.map(|email| {
        let (name, email) = ("Ann".parse().unwrap(), email.parse().unwrap());
        accounts.add(name, email, Role::Agent, None)
    });
    let added = join_all(adding).await;
    assert_eq!(added.iter().filter(|added| added.is_ok()).count(), 1);
    let taken = |added: &Result<_, _>| matches!(added, Err(AccountError::EmailTaken(_)));
    assert_eq!(added.iter().filter(|added| taken(added)).count(), 3);
}

async fn a_password_signs_in_and_redirects_to_the_requested_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "Ann@Holdfast.test").await;
    for (next, location) in [
        ("/leads?status=QUALIFIED", "/leads?status=QUALIFIED"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\t/evil.example", "/"),
    ] {
        let client = browser(&workspace);
        let form = [("email", "ann@holdfast.TEST"), ("password", PASSWORD), ("next", next)];
        let answer = client.post("/sign-in").form(&form).send().await.expect(303);
        assert_eq!(answer.header("location"), location, "{next}");
        assert_eq!(me(&client).await.expect(200).json::<Value>()["email"], "Ann@Holdfast.test");
        // A person who is already signed in is redirected at once.
        let query = serde_urlencoded::to_string([("next", next)]).unwrap();
        let again = client.get(&format!("/sign-in?{query}")).send().await.expect(303);
        assert_eq!(again.header("location"), location, "{next}");
    }
}

async fn a_wrong_password_and_an_unknown_address_get_the_same_answer(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    workspace.app.accounts().first_administrator_link().await.unwrap().unwrap();
    let mut heard = Vec::new();
    for (email, password, calls) in [
        // The sign-in name, the attempt, the account and the audit entry.
        ("ann@holdfast.test", "not the right one", 4),
        ("bob@holdfast.test", PASSWORD, 4),
        // An account without a password.
        ("admin@holdfast.local", PASSWORD, 4),
        ("ann@holdfast.test", "short", 1),
        ("bob@holdfast.test", "short", 1),
        ("no address", PASSWORD, 1),
    ] {
        let client = browser(&workspace);
        environment.wire().reset();
        let answer = sign_in(&client, email, password).await.expect(422);
        assert_eq!(
            environment.wire().total(),
            calls,
            "{email}: the same number of calls for known and unknown addresses"
        );
        assert_eq!(answer.header("set-cookie"), "");
        assert!(!answer.text().contains(password), "the answer does not repeat the password");
        heard.push(answer.text().replace(email, "…"));
    }
    assert!(heard.iter().all(|page| page == &heard[0]), "{heard:#?}");
}

async fn ten_wrong_passwords_block_sign_in_for_15_minutes(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    with_password(&workspace, "bob@holdfast.test").await;
    let client = browser(&workspace);
    for email in ["ann@holdfast.test", "unknown@holdfast.test"] {
        for _ in 0..10 {
            sign_in(&client, email, "not the right one").await.expect(422);
        }
        let closed = sign_in(&client, email, PASSWORD).await.expect(429);
        let wait: u64 = closed.header("retry-after").parse().unwrap();
        assert!((800..=900).contains(&wait), "{wait}");
        assert!(closed.text().contains("Wait 15 minutes"), "{}", closed.text());
    }
    // Upper case is the same address. Other people can sign in.
    sign_in(&client, "ANN@holdfast.test", PASSWORD).await.expect(429);
    sign_in(&browser(&workspace), "bob@holdfast.test", PASSWORD).await.expect(303);
    let after = later(&workspace, SignedDuration::from_mins(15));
    sign_in(&browser(&after), "ann@holdfast.test", PASSWORD).await.expect(303);
    // The right password resets the count of wrong guesses.
    for _ in 0..2 {
        for _ in 0..9 {
            sign_in(&client, "bob@holdfast.test", "not the right one").await.expect(422);
        }
        sign_in(&browser(&workspace), "bob@holdfast.test", PASSWORD).await.expect(303);
    }
}

async fn concurrent_wrong_passwords_are_all_counted(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    let guesses = (0..64).map(|_| {
        let client = browser(&workspace);
        tokio::spawn(async move { sign_in(&client, "ann@holdfast.test", "not the right one").await })
    });
    let statuses: Vec<u16> =
        join_all(guesses).await.into_iter().map(|guess| guess.unwrap().status.as_u16()).collect();
    let count = |status: u16| statuses.iter().filter(|answered| **answered == status).count();
    assert_eq!((count(422), count(429)), (10, 54), "{statuses:?}");
    sign_in(&browser(&workspace), "ann@holdfast.test", PASSWORD).await.expect(429);
}

async fn a_new_password_ends_older_sessions_and_keeps_this_one(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    let (here, there) =
        (signed_in(&workspace, "ann@holdfast.test").await, signed_in(&workspace, "ann@holdfast.test").await);
    let before =
        workspace.visitor().always("cookie", &format!("holdfast={}", here.cookie("holdfast").unwrap()));
    for (current, new, again, words) in [
        ("not the right one", OTHER, OTHER, "Incorrect current password."),
        ("", OTHER, OTHER, "Incorrect current password."),
        (PASSWORD, OTHER, PASSWORD, "The passwords don&#39;t match."),
        (PASSWORD, "short", "short", "Use at least 12 characters"),
    ] {
        let refused = change(&here, current, new, again).await.expect(422);
        assert!(refused.text().contains(words), "{words}: {}", refused.text());
    }
    me(&there).await.expect(200);
    let changed = change(&here, PASSWORD, OTHER, OTHER).await.expect(303);
    let page = here.get(changed.header("location")).send().await.expect(200);
    assert!(page.text().contains("Your password was changed."), "{}", page.text());
    me(&here).await.expect(200);
    me(&there).await.expect(401);
    me(&before).await.expect(401);
    sign_in(&browser(&workspace), "ann@holdfast.test", PASSWORD).await.expect(422);
    sign_in(&browser(&workspace), "ann@holdfast.test", OTHER).await.expect(303);
}

async fn of_two_concurrent_password_changes_one_is_kept(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let link = workspace.app.accounts().first_administrator_link().await.unwrap().unwrap();
    let here = browser(&workspace);
    set_up(&here, &link).await;
    // The same person at a second instance, whose write is held back.
    let wire = environment.another_wire();
    let other = workspace.another(&environment, &wire, PATIENCE);
    let there = with_cookie_of(&here, &other);
    let gate = wire.hold(1, "TransactWriteItems");
    let waiting = tokio::spawn({
        let there = there.clone();
        async move { change(&there, PASSWORD, "a third horse battery", "a third horse battery").await }
    });
    gate.arrived(1).await;
    change(&here, PASSWORD, OTHER, OTHER).await.expect(303);
    gate.open();
    // Its session has ended, so the refusal is correct.
    let refused = waiting.await.unwrap().expect(409);
    assert!(refused.text().contains("Nothing was saved"), "{}", refused.text());
    me(&there).await.expect(401);
    sign_in(&browser(&workspace), "ada@example.com", "a third horse battery").await.expect(422);
    sign_in(&browser(&workspace), "ada@example.com", OTHER).await.expect(303);
}

/// The value of the field that shows a new token.
fn secret_on(page: &Response) -> String {
    let (_, rest) = page.text().split_once("value=\"hf_").expect("the page shows a secret");
    format!("hf_{}", rest.split('"').next().unwrap())
}

async fn a_token_signs_a_program_in_until_it_is_revoked(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.session(Role::Agent, "Ann").await.always("sec-fetch-site", "same-origin");
    environment.wire().reset();
    let page = ann.post("/account/tokens").form(&[("name", "night <import>")]).send().await.expect(201);
    let secret = secret_on(&page);
    assert!(page.text().contains("night &#60;import&#62;"), "{}", page.text());
    let program = workspace.bearer(&secret);
    assert_eq!(me(&program).await.expect(200).json::<Value>()["token"], "night <import>");
    // The secret is shown once and never stored.
    let later = ann.get("/account").send().await.expect(200);
    assert!(later.text().contains("night &#60;import&#62;") && !later.text().contains(&secret));
    let sent: Vec<_> = environment.wire().calls().iter().map(|call| call.request.to_string()).collect();
    assert!(sent.iter().all(|request| !request.contains(&secret[3..])), "the secret went to the table");
    let listed: Value = ann.get("/api/tokens").send().await.expect(200).json();
    let id = listed["items"][0]["id"].as_str().unwrap();
    assert_eq!(listed["items"][0]["name"], "night <import>");
    // Other people cannot see or revoke it.
    let bob = workspace.agent().await;
    bob.delete(&format!("/api/tokens/{id}")).send().await.expect(404);
    me(&program).await.expect(200);
    program.delete(&format!("/api/tokens/{id}")).send().await.expect(204);
    me(&program).await.expect(401);
    ann.delete(&format!("/api/tokens/{id}")).send().await.expect(404);
    // Revoking a revoked token on the page succeeds.
    ann.post(&format!("/account/tokens/{id}/revoke")).send().await.expect(303);
    assert!(ann.get("/account").send().await.text().contains("No tokens yet."));
}

async fn a_repeated_request_makes_one_token(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.session(Role::Agent, "Ann").await.always("sec-fetch-site", "same-origin");
    let send = async |name: &str| {
        let request = ann.post("/api/tokens").header("idempotency-key", "one");
        request.json(&json!({ "name": name })).send().await
    };
    let first = send("import").await.expect(201);
    let made: Value = first.json();
    me(&workspace.bearer(made["secret"].as_str().unwrap())).await.expect(200);
    let again = send("import").await.expect(201);
    assert_eq!(again.header("location"), first.header("location"));
    let mut without_secret = made.clone();
    without_secret.as_object_mut().unwrap().remove("secret");
    assert_eq!(again.json::<Value>(), without_secret);
    send("export").await.expect(422);
    let listed: Value = ann.get("/api/tokens").send().await.expect(200).json();
    let read: Value = ann.get(first.header("location")).send().await.expect(200).json();
    assert_eq!(listed["items"], json!([read]));
    // It was used since then.
    assert!(without_secret["lastUsedAt"].is_null() && read["lastUsedAt"].is_string(), "{read}");
    without_secret["lastUsedAt"] = read["lastUsedAt"].clone();
    assert_eq!(read, without_secret);
}

async fn tokens_are_listed_page_by_page(environment: TestEnvironment) {
    // Each token is created in its own millisecond.
    let (start, ticks) = (jiff::Timestamp::now(), AtomicI64::new(0));
    let clock =
        Clock::from_fn(move || start + SignedDuration::from_millis(ticks.fetch_add(1, Ordering::SeqCst)));
    let workspace = Workspace::open(&environment).await.with_clock(clock);
    let ann = workspace.session(Role::Agent, "Ann").await.always("sec-fetch-site", "same-origin");
    for number in 0..5 {
        let body = json!({ "name": format!("token {number}") });
        ann.post("/api/tokens").json(&body).send().await.expect(201);
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    for _ in 0..5 {
        let path = format!("/api/tokens?limit=2&cursor={cursor}");
        let page: Value = ann.get(&path).send().await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|token| token["name"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["token 4", "token 3", "token 2", "token 1", "token 0"]);
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=W10", "other=1"] {
        let status = ann.get(&format!("/api/tokens?{query}")).send().await.status.as_u16();
        assert!(matches!(status, 400 | 422), "{query}: {status}");
    }
}

async fn authenticating_a_request_costs_one_call_for_a_session_and_two_for_a_token(
    environment: TestEnvironment,
) {
    let units = Arc::new(Mutex::new(None));
    let (reported, now) = (Arc::clone(&units), jiff::Timestamp::now());
    let listener = move |report: &Report| {
        *reported.lock().unwrap() = Some((report.read_units, report.write_units));
    };
    let workspace = Workspace::open(&environment).await.with_clock(Clock::from_fn(move || now));
    let workspace = workspace.with_telemetry(Telemetry::to(listener));
    let session = workspace.session(Role::Agent, "Ann").await;
    let forged = {
        let id = workspace.account(Role::Agent, "Carl").await.id;
        let key = cookie_key(COOKIE_SECRET).unwrap();
        key.sign("holdfast", &format!("{id}.hf_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
    };
    let token = workspace.bearer(&workspace.token(Role::Agent, "Bob").await);
    let nonsense = "hf_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let forged = workspace.visitor().always("cookie", &format!("holdfast={forged}"));
    for (client, reads, read_units, status) in [
        (session, &["BatchGetItem"][..], 2.0, 200),
        (token, &["GetItem", "GetItem"], 2.0, 200),
        (forged, &["BatchGetItem"], 2.0, 401),
        (workspace.visitor(), &[], 0.0, 401),
        (workspace.bearer("hf_nonsense"), &[], 0.0, 401),
        (workspace.visitor().always("cookie", "holdfast=nonsense"), &[], 0.0, 401),
        (workspace.bearer(nonsense), &["GetItem"], 1.0, 401),
    ] {
        environment.wire().reset();
        me(&client).await.expect(status);
        let calls: Vec<_> = environment.wire().calls().into_iter().map(|call| call.operation).collect();
        assert_eq!(calls, reads);
        // DynamoDB Local reads items that do not exist for nothing.
        if environment.engine().kind() == Kind::Embedded {
            assert_eq!(*units.lock().unwrap(), Some((read_units, 0.0)), "{reads:?}");
        }
        // Within ten seconds, an account that was recognized is not looked up again.
        environment.wire().reset();
        me(&client).await.expect(status);
        let again = if status == 200 { 0 } else { reads.len() };
        assert_eq!(environment.wire().total(), again, "{reads:?}");
    }
}

async fn signing_out_ends_the_session_of_this_browser(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    let (here, there) =
        (signed_in(&workspace, "ann@holdfast.test").await, signed_in(&workspace, "ann@holdfast.test").await);
    let answer = here.post("/sign-out").send().await.expect(303);
    assert_eq!(answer.header("location"), "/sign-in");
    assert_eq!(here.cookie("holdfast"), None);
    me(&here).await.expect(401);
    me(&there).await.expect(200);
    here.post("/sign-out").send().await.expect(303);
}

async fn a_token_cannot_create_tokens_or_change_passwords(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let program = workspace.agent().await;
    let refused = program.post("/api/tokens").json(&json!({ "name": "more" })).send().await.expect(403);
    assert_eq!(refused.json::<Value>()["type"], "urn:holdfast:problem:session-needed");
    program.post("/account/tokens").form(&[("name", "more")]).send().await.expect(403);
    change(&program, "", OTHER, OTHER).await.expect(403);
    let listed: Value = program.get("/api/tokens").send().await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

async fn an_invalid_password_or_token_name_is_refused_with_a_reason(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.session(Role::Agent, "Ann").await.always("sec-fetch-site", "same-origin");
    let long = "x".repeat(10_000);
    for password in ["", "eleven char", &long] {
        let refused = change(&ann, "", password, password).await.expect(422);
        assert!(refused.text().contains("Use at "), "{}", refused.text());
    }
    for name in ["", "  ", "two\nlines", "nul\u{0}", &long] {
        let refused = ann.post("/account/tokens").form(&[("name", name)]).send().await.expect(422);
        assert!(refused.text().contains("token-name-error"), "{}", refused.text());
        ann.post("/api/tokens").json(&json!({ "name": name })).send().await.expect(422);
    }
    for body in [json!({}), json!({ "name": 1 }), json!({ "name": "a", "more": 1 }), json!([])] {
        let status = ann.post("/api/tokens").json(&body).send().await.status.as_u16();
        assert!(matches!(status, 400 | 422), "{body}: {status}");
    }
    for (email, password) in [(long.as_str(), PASSWORD), ("a@b.example", &long), ("\u{0}", "\u{0}")] {
        sign_in(&browser(&workspace), email, password).await.expect(422);
    }
    browser(&workspace).post("/sign-in").form(&[("email", "a@b.example")]).send().await.expect(422);
    browser(&workspace).post("/sign-in").json(&json!({})).send().await.expect(415);
    let listed: Value = ann.get("/api/tokens").send().await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
}

async fn each_role_has_its_own_start_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    for role in [Role::Agent, Role::Administrator] {
        let page = workspace.session(role, "Ann").await.get("/").send().await.expect(200);
        assert!(page.text().contains("Dashboard") && page.text().contains("No leads yet"));
    }
    let page = workspace.session(Role::Participant, "Pat").await.get("/").send().await.expect(200);
    assert!(page.text().contains("Welcome, Pat") && page.text().contains("No raffles yet"));
    assert!(!page.text().contains("/leads"), "nothing leads to the leads");
    let visitor = workspace.visitor().get("/").send().await.expect(303);
    assert_eq!(visitor.header("location"), "/sign-in?next=%2F");
}

async fn a_person_signs_in_and_creates_a_token_by_keyboard(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    let server = Server::of(workspace.router.clone()).await;
    let ann = environment.browser(Look::desktop()).await;
    ann.goto(&server.url("/account")).await;
    // The first field has the focus, and Enter sends the form.
    ann.press("ann@holdfast.test\u{9}not the right one\n").await;
    ann.wait_for_text("#sign-in-error", "Incorrect email or password.").await;
    assert_eq!(ann.value(At::Named("Email")).await, "ann@holdfast.test");
    ann.press(&format!("{PASSWORD}\n")).await;
    ann.wait_for_text("h1", "Your account").await;
    assert!(ann.url().await.ends_with("/account"), "{}", ann.url().await);
    ann.fill(At::Named("Token name"), "laptop").await;
    ann.press("\n").await;
    ann.wait_for("#new-token").await;
    assert!(ann.value(At::Css("#new-token")).await.starts_with("hf_"));
    // The browser logs the 422. The content security policy blocked nothing, and no script failed.
    let console = ann.console().await;
    assert!(console.iter().all(|entry| entry.contains("status of 422")), "{console:?}");
    ann.screenshot("account-with-a-new-token").await;
}

async fn a_recently_checked_session_or_token_needs_no_read(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let now = jiff::Timestamp::now();
    let workspace = workspace.with_clock(Clock::from_fn(move || now));
    let token = workspace.token(Role::Agent, "Ann Lee").await;
    let agent = workspace.bearer(&token);
    let lead = create(&agent, &new_lead("Ann", "ann@example.com")).await;
    environment.wire().reset();
    agent.patch(&address(&lead)).json(&json!({ "version": 1, "leadScore": 60 })).send().await.expect(200);
    let calls: Vec<_> = environment.wire().calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["TransactWriteItems"], "an update is one call");

    let after = later(&workspace, SignedDuration::from_secs(11));
    environment.wire().reset();
    me(&after.bearer(&token)).await.expect(200);
    let calls: Vec<_> = environment.wire().calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["GetItem", "GetItem"], "after ten seconds it is looked up again, with its account");
}

async fn an_ended_session_or_token_stops_working_here_at_once_and_elsewhere_soon(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let elsewhere = workspace.another(&environment, environment.wire(), PATIENCE);
    with_password(&workspace, "ann@holdfast.test").await;
    let (ann, phone) =
        (signed_in(&workspace, "ann@holdfast.test").await, signed_in(&workspace, "ann@holdfast.test").await);
    let made: Value =
        ann.post("/api/tokens").json(&json!({ "name": "test" })).send().await.expect(201).json();
    let secret = made["secret"].as_str().unwrap();
    let [here, there] = [&workspace, &elsewhere].map(|workspace| workspace.bearer(secret));
    for client in [&phone, &here, &there] {
        me(client).await.expect(200);
    }
    // A new password ends the other browser's session at once, although that session is cached.
    change(&ann, PASSWORD, OTHER, OTHER).await.expect(303);
    me(&phone).await.expect(401);
    me(&ann).await.expect(200);
    // Revoking a token works the same way; another process notices within ten seconds.
    let id = made["id"].as_str().unwrap();
    ann.delete(&format!("/api/tokens/{id}")).send().await.expect(204);
    me(&here).await.expect(401);
    let soon = later(&elsewhere, SignedDuration::from_secs(11));
    me(&soon.bearer(secret)).await.expect(401);
}

async fn cookies_of_other_applications_end_no_session(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.session(Role::Agent, "Ann Lee").await;
    let session = format!("holdfast={}", ann.cookie("holdfast").unwrap());
    for cookies in [
        format!("display_name=José; {session}"),
        format!("{session}; city=Zürich"),
        format!("holdfast=of-another; {session}; =x; y"),
    ] {
        let me = workspace.visitor().get("/api/me").header("cookie", &cookies).send().await;
        assert_eq!(me.expect(200).json::<Value>()["name"], "Ann Lee", "{cookies}");
    }
    // A sign-in link also works beside such a cookie, and is used up only by a successful sign-in.
    let link = workspace.app.accounts().first_administrator_link().await.unwrap().unwrap();
    let path = link_path(&link);
    let form = [("name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
    let visitor = browser(&workspace);
    let there = visitor.post(&path).header("cookie", "city=Zürich").form(&form).send().await.expect(303);
    let cookie = there.header("set-cookie").split(';').next().unwrap().to_owned();
    let both = format!("city=Zürich; {cookie}");
    workspace.visitor().get("/api/me").header("cookie", &both).send().await.expect(200);
}
