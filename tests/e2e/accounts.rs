//! Accounts: sign-in links, passwords, sessions and tokens, as people and programs use them.

mod passwords;
mod tokens;

use futures_util::future::join_all;
use holdfast::accounts::change::Operator;
use holdfast::accounts::{AccountError, link_path, links};
use holdfast::app::build_router;
use holdfast::base::clock::Clock;
use holdfast::base::identity::{AccountId, Role};
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::browser::{At, Look};
use crate::support::http::{Client, Response, Server};
use crate::support::workspace::Workspace;
use crate::support::{Case, Entry, Fault, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        host: a_password_signs_in_and_redirects_to_the_requested_page,
            signing_out_ends_the_session_of_this_browser;
        api: the_printed_link_signs_the_first_administrator_in_once;
        web: cookies_of_other_applications_end_no_session,
            an_invalid_password_or_token_name_is_refused_with_a_reason,
            each_role_has_its_own_start_page;
        store: a_lost_reply_does_not_waste_a_link,
            an_email_address_belongs_to_one_account_in_any_letter_case;
        app: a_link_expires_after_a_day_and_with_a_new_password;
        browser: a_person_signs_in_and_creates_a_token_by_keyboard
    ];
    cases.extend(passwords::all());
    cases.extend(tokens::all());
    cases
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
    workspace.visitor().same_origin()
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

async fn an_invalid_password_or_token_name_is_refused_with_a_reason(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let ann = workspace.person(Role::Agent, "Ann").await;
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
