//! Sign-up: strangers create an account, always as participants, and then sign in. It is open, by invitation, or off.

mod pages;

use futures_util::future::join_all;
use holdfast::accounts::sign_up::SignUp;
use holdfast::base::identity::Role;
use holdfast::store::Key;
use serde_json::Value;

use super::accounts::{OTHER, PASSWORD, browser, sign_in};
use super::audit::details;
use crate::support::html::assert_errors;
use crate::support::http::{Client, Response};
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Answer, Case, Fault, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        api: a_form_sent_twice_at_once_makes_one_account,
            forty_concurrent_sign_ups_with_one_address_make_one_account;
        web: a_person_signs_up_as_a_participant_and_signs_in_to_the_requested_page,
            a_taken_email_address_gets_the_same_answer_and_its_account_stays_untouched,
            an_invalid_sign_up_is_refused_with_a_reason_and_writes_nothing;
        store: a_lost_reply_does_not_fail_a_sign_up;
        app: sign_up_by_invitation_needs_the_code,
            ten_wrong_codes_block_sign_up_for_15_minutes,
            switched_off_sign_up_writes_nothing,
            signing_up_checks_no_password_and_resets_no_attempts
    ];
    cases.extend(pages::all());
    cases
}

const CODE: &str = "k7-Wm2!xQ";

/// Sign-up by invitation with [`CODE`].
pub fn by_invitation() -> SignUp {
    SignUp::from_settings(Some("invitation"), Some(CODE)).unwrap()
}

/// Sends the form with these fields and checks that the answer does not repeat secrets.
async fn send(client: &Client, fields: &[(&str, &str)]) -> Response {
    let answer = client.post("/sign-up").form(fields).send().await;
    let secrets =
        fields.iter().filter(|(field, value)| matches!(*field, "password" | "code") && value.len() > 4);
    for (field, secret) in secrets {
        assert!(!answer.text().contains(secret), "the {field} is repeated: {}", answer.text());
        assert!(!format!("{:?}", answer.headers).contains(secret), "the {field} is in a header");
    }
    answer
}

async fn sign_up(client: &Client, email: &str, password: &str) -> Response {
    send(client, &[("name", "Pat Doe"), ("email", email), ("password", password)]).await
}

async fn with_code(client: &Client, email: &str, code: &str) -> Response {
    send(client, &[("name", "Pat Doe"), ("email", email), ("password", PASSWORD), ("code", code)]).await
}

/// Signs up, and then signs in as the answer asks.
async fn join(client: &Client, email: &str, password: &str) {
    sign_up(client, email, password).await.expect(303);
    assert_eq!(client.cookie("holdfast"), None, "signing up signs no one in");
    sign_in(client, email, password).await.expect(303);
}

async fn me(client: &Client) -> Value {
    client.get("/api/me").send().await.expect(200).json()
}

async fn a_person_signs_up_as_a_participant_and_signs_in_to_the_requested_page(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let pat = browser(&workspace);
    // Form fields cannot choose the role.
    let form = [
        ("name", " Pat  Doe "),
        ("email", "Pat@Example.com"),
        ("password", PASSWORD),
        ("next", "/account?x=1"),
        ("role", "administrator"),
        ("account[role]", "administrator"),
        ("code", "not asked for"),
        ("id", "019f0000-0000-7000-8000-000000000000"),
    ];
    let answer = send(&pat, &form).await.expect(303);
    assert_eq!(answer.header("location"), "/sign-in?signed_up=1&next=%2Faccount%3Fx%3D1");
    assert_eq!(answer.header("set-cookie"), "", "signing up signs no one in");
    pat.get("/api/me").send().await.expect(401);
    let page = pat.get(answer.header("location")).send().await.expect(200);
    assert!(page.text().contains("Now sign in with your email"), "{}", page.text());
    assert!(page.text().contains("name=\"next\" value=\"/account?x=1\""), "{}", page.text());
    let form_of_page = [("email", "pat@example.com"), ("password", PASSWORD), ("next", "/account?x=1")];
    let there = pat.post("/sign-in").form(&form_of_page).send().await.expect(303);
    assert_eq!(there.header("location"), "/account?x=1");
    let who = me(&pat).await;
    assert_eq!((&who["name"], &who["email"]), (&"Pat Doe".into(), &"Pat@Example.com".into()));
    assert_eq!(who["role"], "participant");
    assert_ne!(who["id"], form[7].1);
    for path in ["/leads", "/orders", "/automation"] {
        pat.get(path).send().await.expect(403);
    }
    // The password signs in later in another browser.
    let there = browser(&workspace);
    sign_in(&there, "pat@example.com", PASSWORD).await.expect(303);
    assert_eq!(me(&there).await["id"], who["id"]);
    let next = browser(&workspace);
    let page = sign_up(&next, "lee@example.com", PASSWORD).await.expect(303);
    assert_eq!(page.header("location"), "/sign-in?signed_up=1&next=");
}

async fn sign_up_by_invitation_needs_the_code(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await.with_sign_up(by_invitation());
    let pat = browser(&workspace);
    let page = pat.get("/sign-up").send().await.expect(200);
    assert!(page.text().contains("Invitation code") && !page.text().contains(CODE), "{}", page.text());
    environment.wire().reset();
    let without = sign_up(&pat, "pat@example.com", PASSWORD).await.expect(422);
    assert!(without.text().contains("id=\"code-error\">Enter your invitation code"), "{}", without.text());
    assert_eq!(environment.wire().total(), 0);
    for wrong in ["k7-wm2!xq", "k7-Wm2!xQQ", "k7-Wm2!x"] {
        environment.wire().reset();
        let refused = with_code(&pat, "pat@example.com", wrong).await.expect(422);
        let text = refused.text();
        assert!(text.contains("id=\"code-error\">Incorrect invitation code."), "{text}");
        assert!(text.contains("value=\"Pat Doe\"") && text.contains("value=\"pat@example.com\""), "{text}");
        assert!(!text.contains(CODE) && refused.header("set-cookie").is_empty(), "{text}");
        let written = environment.wire().calls_of("TransactWriteItems");
        let items = written.iter().map(|call| call.request.to_string()).collect::<String>();
        assert!(items.contains("ATTEMPTS#") && !items.contains("ACCOUNT#"), "{items}");
    }
    with_code(&pat, "pat@example.com", &format!(" {CODE}\n")).await.expect(303);
    sign_in(&pat, "pat@example.com", PASSWORD).await.expect(303);
    assert_eq!(me(&pat).await["role"], "participant");
    let sent = environment.wire().calls().iter().map(|call| call.request.to_string()).collect::<String>();
    assert!(!sent.contains(CODE), "the code went to the table");
}

async fn ten_wrong_codes_block_sign_up_for_15_minutes(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await.with_sign_up(by_invitation());
    let pat = browser(&workspace);
    for _ in 0..10 {
        with_code(&pat, "pat@example.com", "not the code").await.expect(422);
    }
    let closed = with_code(&pat, "PAT@example.com", CODE).await.expect(429);
    let wait: u64 = closed.header("retry-after").parse().unwrap();
    assert!((800..=900).contains(&wait), "{wait}");
    assert!(closed.text().contains("Wait 15 minutes"), "{}", closed.text());
    // Other people are not blocked.
    with_code(&browser(&workspace), "lee@example.com", CODE).await.expect(303);
}

async fn switched_off_sign_up_writes_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await.with_sign_up(SignUp::Off);
    let visitor = browser(&workspace);
    let page = visitor.get("/sign-up?next=%2Faccount").send().await.expect(403);
    assert!(page.text().contains("Sign-up is off"), "{}", page.text());
    assert!(page.text().contains("/sign-in?next=%2Faccount"), "{}", page.text());
    for fields in [
        &[("name", "Pat Doe"), ("email", "pat@example.com"), ("password", PASSWORD)][..],
        &[("name", "Pat Doe"), ("email", "pat@example.com"), ("password", PASSWORD), ("code", CODE)],
        &[("name", "")],
    ] {
        environment.wire().reset();
        let refused = send(&visitor, fields).await.expect(403);
        assert!(refused.text().contains("Sign-up is off"), "{}", refused.text());
        assert!(refused.header("set-cookie").is_empty());
        assert_eq!(environment.wire().total(), 0, "the store is not called either");
    }
    sign_in(&visitor, "pat@example.com", PASSWORD).await.expect(422);
    let sign_in = visitor.get("/sign-in").send().await.expect(200);
    assert!(!sign_in.text().contains("/sign-up"), "no link leads to it: {}", sign_in.text());
}

/// Everything that an answer says: its status, headers and body.
fn said(answer: &Response) -> String {
    let mut headers = answer.headers.clone();
    // The time of an answer says nothing either.
    headers.remove("date");
    headers.remove("x-request-id");
    format!("{} {headers:?} {}", answer.status, answer.text())
}

async fn a_taken_email_address_gets_the_same_answer_and_its_account_stays_untouched(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let accounts = workspace.app.accounts();
    let mut ids = Vec::new();
    for email in ["Ann@Example.com", "bob@example.com", "carl@example.com"] {
        let (name, password) = ("Ann Lee".parse().unwrap(), Some(PASSWORD.parse().unwrap()));
        ids.push(accounts.add(name, email.parse().unwrap(), Role::Agent, password).await.unwrap());
    }
    // An account without a password has its address too.
    accounts.first_administrator_link().await.unwrap();
    let keys: Vec<_> = ids.iter().map(|id| Key::new(format!("ACCOUNT#{id}"), "ACCOUNT")).collect();
    let stored = async || {
        let mut items = Vec::new();
        for key in &keys {
            items.push(workspace.app.dynamo.get(key).await.unwrap());
        }
        items
    };
    let before = stored().await;
    let mut heard = Vec::new();
    for (email, password) in [
        ("unknown@example.com", OTHER),
        ("ann@example.com", OTHER),
        ("BOB@EXAMPLE.COM", OTHER),
        // The right password of an account says nothing either.
        ("carl@example.com", PASSWORD),
        ("admin@holdfast.local", OTHER),
    ] {
        let pat = browser(&workspace);
        environment.wire().reset();
        let fields =
            [("name", "Pat Doe"), ("email", email), ("password", password), ("next", "/account?a=1")];
        let answer = send(&pat, &fields).await.expect(303);
        assert_eq!(answer.header("set-cookie"), "");
        pat.get("/api/me").send().await.expect(401);
        let calls = environment.wire().calls();
        let are_made = calls.iter().all(|call| call.answer == Answer::Status(200));
        let calls: Vec<_> = calls.into_iter().map(|call| call.operation).collect();
        heard.push((said(&answer), calls, are_made));
    }
    assert!(heard.iter().all(|one| one == &heard[0]), "{heard:#?}");
    let calls = ["TransactWriteItems", "GetItem", "TransactWriteItems", "TransactWriteItems"];
    assert_eq!(heard[0].1, calls, "the attempt, the address, the account or an audit entry, and the refund");
    // Each of the writes is made: a refused one would wait for no disk.
    assert!(heard.iter().all(|one| one.2), "{heard:#?}");
    let admin = workspace.program(Role::Administrator).await;
    let refused = details(&admin, "sign-in-failed").await;
    assert_eq!(refused, ["Sign-up with an email that has an account."; 4]);
    assert_eq!(stored().await, before);
    let ann = browser(&workspace);
    sign_in(&ann, "ann@example.com", PASSWORD).await.expect(303);
    let who = me(&ann).await;
    assert_eq!((&who["id"], &who["role"]), (&ids[0].to_string().into(), &"agent".into()));
    sign_in(&browser(&workspace), "ann@example.com", OTHER).await.expect(422);
    sign_in(&browser(&workspace), "unknown@example.com", OTHER).await.expect(303);
}

async fn signing_up_checks_no_password_and_resets_no_attempts(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    sign_up(&browser(&workspace), "pat@example.com", PASSWORD).await.expect(303);
    let guesser = browser(&workspace);
    let first = said(&sign_up(&guesser, "pat@example.com", OTHER).await.expect(303));
    for _ in 0..10 {
        for password in [OTHER, PASSWORD] {
            let answer = sign_up(&guesser, "pat@example.com", password).await.expect(303);
            assert_eq!(said(&answer), first);
        }
        sign_in(&guesser, "pat@example.com", OTHER).await.expect(422);
    }
    sign_in(&guesser, "pat@example.com", PASSWORD).await.expect(429);
    sign_up(&guesser, "pat@example.com", PASSWORD).await.expect(429);
}

async fn a_form_sent_twice_at_once_makes_one_account(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    // The second click reaches another instance, which writes its account after the first one.
    let wire = environment.another_wire();
    let other = workspace.another(&environment, &wire, TEST_RETRIES);
    let there = browser(&other);
    let counted = wire.hold(1, "TransactWriteItems");
    let waiting = tokio::spawn({
        let there = there.clone();
        async move { sign_up(&there, "pat@example.com", PASSWORD).await }
    });
    counted.arrived(1).await;
    let written = wire.hold(1, "TransactWriteItems");
    counted.open();
    written.arrived(1).await;
    let here = browser(&workspace);
    sign_up(&here, "pat@example.com", PASSWORD).await.expect(303);
    written.open();
    waiting.await.unwrap().expect(303);
    sign_in(&here, "pat@example.com", PASSWORD).await.expect(303);
    let who = me(&here).await;
    sign_in(&there, "pat@example.com", PASSWORD).await.expect(303);
    assert_eq!(me(&there).await, who);
    // A third submission, a moment later.
    let late = browser(&workspace);
    join(&late, "PAT@example.com", PASSWORD).await;
    assert_eq!(me(&late).await, who);
}

async fn forty_concurrent_sign_ups_with_one_address_make_one_account(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let password = |number: usize| format!("{PASSWORD} {}", number % 4);
    let signing_up = (0..40).map(|number| {
        let client = browser(&workspace);
        tokio::spawn(
            async move { sign_up(&client, "pat@example.com", &password(number)).await.status.as_u16() },
        )
    });
    let statuses: Vec<u16> = join_all(signing_up).await.into_iter().map(Result::unwrap).collect();
    assert!(statuses.iter().all(|status| matches!(status, 303 | 429)), "{statuses:?}");
    assert!(statuses.contains(&303), "{statuses:?}");
    let made = environment.wire().calls_of("TransactWriteItems").into_iter();
    let made =
        made.filter(|call| call.answer == Answer::Status(200) && call.request.to_string().contains("LOGIN#"));
    assert_eq!(made.count(), 1);
    // It has the password of one of them.
    let mut signed_in = Vec::new();
    for number in 0..4 {
        let answer = sign_in(&browser(&workspace), "pat@example.com", &password(number)).await;
        signed_in.push(answer.status.as_u16());
    }
    signed_in.sort_unstable();
    assert_eq!(signed_in, [303, 422, 422, 422]);
}

async fn a_lost_reply_does_not_fail_a_sign_up(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    for (number, lost) in [(1, 1), (2, 2)] {
        let pat = browser(&workspace);
        let email = format!("pat{number}@example.com");
        environment.wire().times(lost, "TransactWriteItems", Fault::ReplyLost);
        join(&pat, &email, PASSWORD).await;
        assert_eq!(me(&pat).await["email"], email);
    }
}

async fn an_invalid_sign_up_is_refused_with_a_reason_and_writes_nothing(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let client = browser(&workspace);
    let long = "x".repeat(10_000);
    let (name, email) = ("Pat Doe", "pat@example.com");
    for (name, email, password, wrong) in [
        ("", email, PASSWORD, &["name"][..]),
        (" \t ", email, PASSWORD, &["name"]),
        ("Pat\nDoe", email, PASSWORD, &["name"]),
        ("Pat\u{0}", email, PASSWORD, &["name"]),
        ("=HYPERLINK(1)", email, PASSWORD, &["name"]),
        (&long, email, PASSWORD, &["name"]),
        (name, "", PASSWORD, &["email"]),
        (name, "pat", PASSWORD, &["email"]),
        (name, "pat@localhost", PASSWORD, &["email"]),
        (name, "pat@example.com\r\nBcc: x@example.com", PASSWORD, &["email"]),
        (name, &long, PASSWORD, &["email"]),
        (name, email, "", &["password"]),
        (name, email, "eleven char", &["password"]),
        (name, email, &long, &["password"]),
        ("<b>\"", "<i>", "short", &["name", "email", "password"][1..]),
        ("", "", "", &["name", "email", "password"]),
    ] {
        environment.wire().reset();
        let refused = send(&client, &[("name", name), ("email", email), ("password", password)]).await;
        let refused = refused.expect(422);
        let text = refused.text();
        assert_errors(text, &["name", "email", "password"], wrong);
        assert_eq!(text.matches(" autofocus").count(), 1, "{text}");
        assert!(!text.contains("<b>") && !text.contains("<i>"), "{text}");
        assert_eq!(environment.wire().total(), 0, "{name:?} {email:?}");
        assert!(refused.header("set-cookie").is_empty());
    }
    let empty = send(&client, &[]).await.expect(422);
    assert!(empty.text().contains("Enter a name.") && empty.text().contains("Enter an email."));
    send(&client, &[("name", "Pat"), ("name", "Doe")]).await.expect(400);
    client.post("/sign-up").json(&serde_json::json!({ "name": name })).send().await.expect(415);
    client.post("/sign-up").form(&[("name", "x".repeat(100_000))]).send().await.expect(413);
}
