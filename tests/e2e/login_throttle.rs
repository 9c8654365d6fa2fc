//! Limits on guessing passwords, by network and by account, and how owners stay able to sign in.

use futures_util::future::join_all;
use holdfast::accounts::hashing::Limits;
use holdfast::base::blocking::BlockingPool;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::store::{Item, Key};
use holdfast::web::origin::{OriginKey, OriginKeyPair, OriginKeys};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::mpsc;

use super::deployment::{at, bootstrap, event};
use super::process::binary::Data;
use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        store: concurrent_guesses_from_one_network_are_all_counted_and_limited,
            a_right_password_uses_no_attempt_and_a_wrong_one_expires,
            guesses_by_strangers_do_not_lock_out_the_owner,
            guesses_by_strangers_do_not_prevent_a_password_change;
        app: an_ipv6_network_is_limited_as_a_whole,
            forwarded_headers_are_read_only_from_trusted_proxies;
        embedded: a_full_queue_answers_at_once_without_the_store,
            a_request_that_bypasses_the_proxy_is_refused,
            the_server_limits_by_peer_address_and_ignores_headers;
        dynamodb: the_function_limits_by_source_address_and_ignores_headers
    ]
}

const PASSWORD: &str = "correct horse battery";
const WRONG: &str = "not the right one";

async fn with_password(workspace: &Workspace, email: &str) {
    let (name, email) = ("Ann Lee".parse().unwrap(), email.parse().unwrap());
    let password = Some(PASSWORD.parse().unwrap());
    workspace.app.accounts().add(name, email, Role::Agent, password).await.unwrap();
}

async fn sign_in(client: &Client, email: &str, password: &str) -> Response {
    client.post("/sign-in").form(&[("email", email), ("password", password)]).send().await
}

/// The count of a network: the attempts, and the second at which the count expires.
async fn counted(workspace: &Workspace, network: &str) -> Option<(i64, i64)> {
    let key = Key::new(format!("ATTEMPTS#NETWORK#{network}"), "ATTEMPTS");
    let item: Item = workspace.app.dynamo.get(&key).await.unwrap()?;
    let number = |name: &str| item[name].as_n().unwrap().parse().unwrap();
    Some((number("count"), number("expiresAt")))
}

async fn attempts(workspace: &Workspace, network: &str) -> Option<i64> {
    counted(workspace, network).await.map(|(count, _)| count)
}

async fn concurrent_guesses_from_one_network_are_all_counted_and_limited(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let guess = |number: u32| {
        let client = workspace.visitor_from("203.0.113.7");
        tokio::spawn(async move { sign_in(&client, &format!("user-{number}@holdfast.test"), WRONG).await })
    };
    for answer in join_all((0..64).map(guess)).await {
        answer.unwrap().expect(422);
    }
    assert_eq!(attempts(&workspace, "203.0.113.7").await, Some(64));
    let mut statuses = Vec::new();
    for answer in join_all((64..110).map(guess)).await {
        statuses.push(answer.unwrap().status.as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 36, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 10, "{statuses:?}");
    let refused =
        sign_in(&workspace.visitor_from("203.0.113.7"), "ann@holdfast.test", WRONG).await.expect(429);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((780..=900).contains(&wait), "{wait}");
    let text = refused.text();
    assert!(text.contains("from your network. Wait 1") && text.contains("ann@holdfast.test"), "{text}");
    // Another network, and a request without a peer address, are not affected.
    sign_in(&workspace.visitor_from("203.0.113.8"), "ann@holdfast.test", WRONG).await.expect(422);
    sign_in(&workspace.visitor().same_origin(), "ann@holdfast.test", WRONG).await.expect(422);
}

async fn a_right_password_uses_no_attempt_and_a_wrong_one_expires(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    let stranger = workspace.visitor_from("203.0.113.7");
    sign_in(&stranger, "ann@holdfast.test", WRONG).await.expect(422);
    let (count, until) = counted(&workspace, "203.0.113.7").await.unwrap();
    let left = until - Timestamp::now().as_second();
    assert!(count == 1 && (800..=900).contains(&left), "{count}, {left} s");
    for _ in 0..3 {
        sign_in(&workspace.visitor_from("203.0.113.7"), "ann@holdfast.test", PASSWORD).await.expect(303);
        assert_eq!(counted(&workspace, "203.0.113.7").await, Some((1, until)));
    }
    let form = [("name", "Pat"), ("email", "pat@holdfast.test"), ("password", PASSWORD)];
    stranger.post("/sign-up").form(&form).send().await.expect(303);
    assert_eq!(counted(&workspace, "203.0.113.7").await, Some((1, until)));
    // 15 minutes later a new window has started.
    let later = Clock::from_fn(|| Timestamp::now() + SignedDuration::from_mins(15));
    let after = workspace.with_clock(later);
    sign_in(&after.visitor_from("203.0.113.7"), "ann@holdfast.test", WRONG).await.expect(422);
    let (count, next) = counted(&after, "203.0.113.7").await.unwrap();
    assert!(count == 1 && next > until, "{count}");
}

/// Uses up the attempts for an email address, from many networks.
async fn guess_until_refused(workspace: &Workspace, email: &str) {
    for number in 0..10 {
        let stranger = workspace.visitor_from(&format!("198.51.100.{number}"));
        sign_in(&stranger, email, WRONG).await.expect(422);
    }
    let refused = sign_in(&workspace.visitor_from("198.51.100.99"), email, PASSWORD).await.expect(429);
    assert!(refused.text().contains("for this email. Wait 15 minutes"), "{}", refused.text());
}

async fn guesses_by_strangers_do_not_lock_out_the_owner(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    for email in ["ann@holdfast.test", "bob@holdfast.test"] {
        with_password(&workspace, email).await;
    }
    let (ann, bob) = (workspace.visitor_from("203.0.113.1"), workspace.visitor_from("203.0.113.2"));
    sign_in(&ann, "ann@holdfast.test", PASSWORD).await.expect(303);
    sign_in(&bob, "bob@holdfast.test", PASSWORD).await.expect(303);
    guess_until_refused(&workspace, "ann@holdfast.test").await;
    // Ann's browser is known and has its own ten attempts.
    for _ in 0..9 {
        sign_in(&ann, "ann@holdfast.test", WRONG).await.expect(422);
    }
    ann.post("/sign-out").send().await.expect(303);
    sign_in(&ann, "ann@holdfast.test", PASSWORD).await.expect(303);
    ann.get("/api/me").send().await.expect(200);
    for _ in 0..10 {
        sign_in(&ann, "ann@holdfast.test", WRONG).await.expect(422);
    }
    let own = sign_in(&ann, "ann@holdfast.test", PASSWORD).await.expect(429);
    assert!(own.text().contains("in this browser. Wait 15 minutes"), "{}", own.text());
    // For Ann's account, Bob's browser is unknown, and so is a browser with a modified cookie.
    sign_in(&bob, "ann@holdfast.test", PASSWORD).await.expect(429);
    let device = bob.cookie("holdfast-device").expect("the device is known");
    let forged =
        workspace.visitor_from("203.0.113.3").always("cookie", &format!("holdfast-device=x{}", &device[1..]));
    sign_in(&forged, "ann@holdfast.test", PASSWORD).await.expect(429);
}

async fn guesses_by_strangers_do_not_prevent_a_password_change(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    let ann = workspace.visitor_from("203.0.113.1");
    sign_in(&ann, "ann@holdfast.test", PASSWORD).await.expect(303);
    guess_until_refused(&workspace, "ann@holdfast.test").await;
    let change = async |current: &str| {
        let form =
            [("current", current), ("new", "another horse battery"), ("again", "another horse battery")];
        ann.post("/account/password").form(&form).send().await
    };
    for _ in 0..9 {
        change(WRONG).await.expect(422);
    }
    change(PASSWORD).await.expect(303);
    for _ in 0..10 {
        change(WRONG).await.expect(422);
    }
    let refused = change("another horse battery").await.expect(429);
    assert!(refused.text().contains("in this browser. Wait 15 minutes"), "{}", refused.text());
    assert!(!refused.header("retry-after").is_empty());
}

async fn an_ipv6_network_is_limited_as_a_whole(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    for address in ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:3::1"] {
        sign_in(&workspace.visitor_from(address), "ann@holdfast.test", WRONG).await.expect(422);
    }
    assert_eq!(attempts(&workspace, "2001:db8:1:2::/64").await, Some(2));
    assert_eq!(attempts(&workspace, "2001:db8:1:3::/64").await, Some(1));
    sign_in(&workspace.visitor_from("::ffff:203.0.113.7"), "ann@holdfast.test", WRONG).await.expect(422);
    assert_eq!(attempts(&workspace, "203.0.113.7").await, Some(1));
}

async fn forwarded_headers_are_read_only_from_trusted_proxies(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let guess = async |workspace: &Workspace, forwarded: &str| {
        let client = workspace.visitor_from("192.0.2.1").always("x-forwarded-for", forwarded);
        sign_in(&client, "ann@holdfast.test", WRONG).await.expect(422);
    };
    guess(&workspace, "203.0.113.7").await;
    assert_eq!(
        (attempts(&workspace, "192.0.2.1").await, attempts(&workspace, "203.0.113.7").await),
        (Some(1), None)
    );
    let behind = workspace.behind("1".parse().unwrap());
    for forged in ["10.0.0.1, 203.0.113.7", "10.0.0.2, 203.0.113.7"] {
        guess(&behind, forged).await;
    }
    assert_eq!(attempts(&behind, "203.0.113.7").await, Some(2));
    assert_eq!(attempts(&behind, "192.0.2.1").await, Some(1));
    assert_eq!((attempts(&behind, "10.0.0.1").await, attempts(&behind, "10.0.0.2").await), (None, None));
}

async fn a_full_queue_answers_at_once_without_the_store(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    with_password(&workspace, "ann@holdfast.test").await;
    let owner = workspace.visitor_from("203.0.113.1");
    sign_in(&owner, "ann@holdfast.test", PASSWORD).await.expect(303);
    // Hashing proceeds only when the case allows it.
    let (begun, mut hashing) = mpsc::unbounded_channel();
    let blocking = BlockingPool::by(move |work| drop(begun.send(work)));
    let workspace = workspace.with_hashing(Limits { at_once: 1, waiting: 1 }, blocking);
    let ask =
        |client: Client| tokio::spawn(async move { sign_in(&client, "ann@holdfast.test", PASSWORD).await });
    let first = ask(workspace.visitor_from("203.0.113.2"));
    let work = hashing.recv().await.expect("the first password is being hashed");
    environment.wire().reset();
    let refused =
        sign_in(&workspace.visitor_from("203.0.113.3"), "ann@holdfast.test", PASSWORD).await.expect(503);
    assert_eq!(environment.wire().total(), 0, "nothing is read, counted or hashed");
    assert_eq!(refused.header("retry-after"), "2");
    let text = refused.text();
    assert!(text.contains("Too many people are signing in") && text.contains("ann@holdfast.test"), "{text}");
    // The owner's browser is known and still gets a place in the queue.
    let cookie = format!("holdfast-device={}", owner.cookie("holdfast-device").unwrap());
    let known = ask(workspace.visitor_from("203.0.113.1").always("cookie", &cookie));
    work();
    let next = hashing.recv().await.expect("the owner's password is hashed next");
    next();
    first.await.unwrap().expect(303);
    known.await.unwrap().expect(303);
}

async fn a_request_that_bypasses_the_proxy_is_refused(environment: TestEnvironment) {
    let [current, previous] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];
    let key = |text: &str| text.parse::<OriginKey>().unwrap();
    let keys = OriginKeys::fixed(OriginKeyPair::new(key(current), Some(key(previous))));
    let workspace = Workspace::open(&environment).await.with_origin_keys(keys);
    let agent = workspace.agent().await;
    for path in ["/sign-in", "/health", "/api/leads", "/assets/app.css", "/nowhere"] {
        for shown in [None, Some("another key that is long enough"), Some("")] {
            environment.wire().reset();
            let asked = agent.get(path);
            let asked =
                if let Some(shown) = shown { asked.header("x-holdfast-origin-key", shown) } else { asked };
            let refused = asked.header("accept", "application/json").send().await.expect(403);
            let problem: Value = refused.json();
            assert_eq!(problem["type"], "urn:holdfast:problem:wrong-address", "{path}");
            assert_eq!(environment.wire().total(), 0, "{path}");
            assert!(!refused.header("content-security-policy").is_empty(), "{path}");
        }
    }
    let page = workspace.visitor().get("/sign-in").send().await.expect(403);
    assert!(page.text().contains("Use its public address"), "{}", page.text());
    for shown in [current, previous] {
        let through = agent.clone().always("x-holdfast-origin-key", shown);
        through.get("/api/leads").send().await.expect(200);
        create(&through, &new_lead("Lead", &format!("{shown}@example.com"))).await;
    }
}

/// Guesses passwords for this many email addresses, with another forged client address each time. Returns the last
/// status.
async fn guess_with_forged_headers(client: &Client, number: u32) -> u16 {
    let form = [("email", format!("user-{number}@holdfast.test")), ("password", WRONG.to_owned())];
    let forged = format!("10.0.{}.{}", number / 256, number % 256);
    let asked = client
        .post("/sign-in")
        .header("x-forwarded-for", &forged)
        .header("forwarded", &format!("for={forged}"));
    asked.form(&form).send().await.status.as_u16()
}

async fn the_server_limits_by_peer_address_and_ignores_headers(_: TestEnvironment) {
    let data = Data::new();
    let server = data.serve().await;
    let visitor = server.visitor();
    for number in 0..100 {
        assert_eq!(guess_with_forged_headers(&visitor, number).await, 422, "{number}");
    }
    assert_eq!(guess_with_forged_headers(&visitor, 100).await, 429);
    drop(server);
}

async fn the_function_limits_by_source_address_and_ignores_headers(environment: TestEnvironment) {
    let (workspace, lambda) = bootstrap(&environment).await;
    let mut guess = at(event("post-form"), "/sign-in");
    guess["isBase64Encoded"] = false.into();
    guess["body"] = format!("email=ann%40holdfast.test&password={}", WRONG.replace(' ', "+")).into();
    assert_eq!(guess["requestContext"]["http"]["sourceIp"], "203.0.113.24");
    // API Gateway appends the source address to the client's header.
    for (number, sent) in
        ["203.0.113.24", "10.0.0.1, 203.0.113.24", "10.0.0.2, 203.0.113.24"].iter().enumerate()
    {
        guess["headers"]["x-forwarded-for"] = (*sent).into();
        let answer = lambda.invoke(guess.clone()).await;
        assert_eq!(answer["statusCode"], 422, "{answer}");
        assert_eq!(
            attempts(&workspace, "203.0.113.24").await,
            i64::try_from(number).ok().map(|number| number + 1)
        );
    }
    assert_eq!(
        (attempts(&workspace, "10.0.0.1").await, attempts(&workspace, "10.0.0.2").await),
        (None, None)
    );
}
