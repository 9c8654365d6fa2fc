//! The JSON API of raffles: open, buy, return, draw, and refusals.

mod bad_input;

use futures_util::future::join_all;
use holdfast::base::identity::Role;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::chance::AdjustableClock;
use crate::support::http::{Client, Response};
use crate::support::workspace::{SHORT_RETRIES, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        api: a_purchase_over_the_limit_or_the_remaining_tickets_is_refused_with_the_reason,
            a_repeated_purchase_returns_the_same_tickets,
            many_tabs_of_one_person_stay_within_the_limit,
            a_raffle_is_drawn_once_and_then_never_changes;
        web: a_raffle_is_opened_with_given_and_default_values,
            a_returned_ticket_goes_back_to_the_pool_and_the_limit,
            only_administrators_and_the_winner_see_the_winners_name,
            only_permitted_roles_open_draw_and_inspect_a_raffle;
        embedded: a_sale_ends_at_its_closing_time_and_can_then_be_drawn
    ];
    cases.extend(bad_input::all());
    cases
}

const WRITE: &str = "TransactWriteItems";

/// Opens a raffle with this many tickets and returns its address.
pub async fn open(administrator: &Client, tickets: u32, limit: u32) -> String {
    let body =
        json!({ "title": "Autumn", "prize": "A bicycle", "tickets": tickets, "limitPerPerson": limit });
    let opened = administrator.post("/api/raffles").json(&body).send().await.expect(201);
    opened.header("location").to_owned()
}

/// Requests tickets.
pub async fn ask(client: &Client, raffle: &str, quantity: u32) -> Response {
    client.post(&format!("{raffle}/tickets")).json(&json!({ "quantity": quantity })).send().await
}

/// Buys tickets and returns their numbers.
pub async fn buy(client: &Client, raffle: &str, quantity: u32) -> Vec<u64> {
    let bought: Value = ask(client, raffle, quantity).await.expect(201).json();
    numbers(&bought["numbers"])
}

/// Draws the winner and returns the raffle.
pub async fn draw(administrator: &Client, raffle: &str) -> Value {
    administrator.post(&format!("{raffle}/draw")).json(&json!({})).send().await.expect(200).json()
}

/// The raffle as this client sees it.
pub async fn state(client: &Client, raffle: &str) -> Value {
    client.get(raffle).send().await.expect(200).json()
}

/// Ticket numbers in JSON.
pub fn numbers(json: &Value) -> Vec<u64> {
    json.as_array().expect("numbers").iter().map(|number| number.as_u64().expect("a number")).collect()
}

/// The sold tickets, as an administrator sees them.
async fn sold(administrator: &Client, raffle: &str) -> Vec<Value> {
    let list: Value =
        administrator.get(&format!("{raffle}/tickets?limit=100")).send().await.expect(200).json();
    list["items"].as_array().expect("tickets").clone()
}

/// A program with the token of a new participant.
pub async fn participant(workspace: &Workspace, name: &str) -> Client {
    workspace.bearer(&workspace.token(Role::Participant, name).await)
}

/// Checks that the state of the raffle refused a request, and returns that state.
#[track_caller]
fn assert_denied(answer: Response, name: &str, words: &str) -> Value {
    let problem: Value = answer.expect(409).json();
    assert_eq!(problem["type"], format!("urn:holdfast:problem:{name}"), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{problem}");
    assert_eq!(problem["fresh"]["denial"]["name"].is_string(), problem["fresh"]["mayBuy"] == 0, "{problem}");
    problem["fresh"].clone()
}

async fn a_raffle_is_opened_with_given_and_default_values(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let plain = json!({ "title": " The  autumn raffle ", "prize": "A bicycle" });
    let send = || admin.post("/api/raffles").header("idempotency-key", "one").json(&plain).send();
    let opened = send().await.expect(201);
    let raffle: Value = opened.json();
    assert_eq!(opened.header("location"), format!("/api/raffles/{}", raffle["id"].as_str().unwrap()));
    assert_eq!(opened.header("etag"), format!("\"{}\"", raffle["version"]));
    for (field, value) in [
        ("title", json!("The autumn raffle")),
        ("tickets", json!(100)),
        ("limitPerPerson", json!(2)),
        ("closesAt", json!(null)),
        ("status", json!("OPEN")),
        ("sold", json!(0)),
        ("remaining", json!(100)),
        ("mine", json!([])),
        ("mayBuy", json!(2)),
        ("denial", json!(null)),
        ("winner", json!(null)),
    ] {
        assert_eq!(raffle[field], value, "{field}");
    }
    assert_eq!(raffle["commitment"].as_str().map(str::len), Some(64));
    let read = admin.get(opened.header("location")).send().await.expect(200);
    assert_eq!((read.json::<Value>(), read.header("etag")), (raffle.clone(), opened.header("etag")));

    // A repeated request returns the same raffle; another request with its key is refused.
    assert_eq!(send().await.expect(201).text(), opened.text());
    let other = json!({ "title": "Another", "prize": "A bicycle" });
    admin.post("/api/raffles").header("idempotency-key", "one").json(&other).send().await.expect(422);
    for (tickets, limit) in [(1, 1), (100_000, 50)] {
        let closes = Timestamp::now() + SignedDuration::from_hours(1);
        let body = json!({
            "title": "x".repeat(120), "prize": "x".repeat(200), "tickets": tickets, "limit_per_person": limit,
            "closes_at": closes.to_string(),
        });
        let opened: Value = admin.post("/api/raffles").json(&body).send().await.expect(201).json();
        assert_eq!((&opened["tickets"], &opened["remaining"]), (&json!(tickets), &json!(tickets)));
        assert_eq!((&opened["mayBuy"], &opened["closesAt"]), (&json!(limit), &json!(closes.to_string())));
    }
    let list: Value = admin.get("/api/raffles").send().await.expect(200).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(3));
}

async fn a_purchase_over_the_limit_or_the_remaining_tickets_is_refused_with_the_reason(
    environment: TestEnvironment,
) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let (ann, bob) = (participant(&workspace, "Ann Lee").await, participant(&workspace, "Bob Ray").await);
    let raffle = open(&admin, 3, 2).await;
    assert_denied(ask(&ann, &raffle, 3).await, "over-limit", "Only 2 more: you have 0 of 2.");
    let bought = ann.post(&format!("{raffle}/tickets")).json(&json!({})).send().await.expect(201);
    let first: Value = bought.json();
    assert_eq!((bought.header("location"), numbers(&first["numbers"]).len()), (&raffle[..], 1));
    assert_eq!(bought.header("etag"), ann.get(&raffle).send().await.expect(200).header("etag"));
    assert_denied(ask(&ann, &raffle, 2).await, "over-limit", "Only 1 more: you have 1 of 2.");
    let mut all = numbers(&first["numbers"]);
    all.extend(buy(&ann, &raffle, 1).await);

    let before = environment.wire().count(WRITE);
    let fresh = assert_denied(ask(&ann, &raffle, 1).await, "limit-reached", "Limit reached: 2 of 2.");
    assert_eq!((&fresh["remaining"], numbers(&fresh["mine"]).len()), (&json!(1), 2));
    let fresh = assert_denied(ask(&bob, &raffle, 2).await, "only-left", "Only 1 ticket left.");
    assert_eq!((&fresh["mayBuy"], &fresh["mine"]), (&json!(1), &json!([])));
    assert_eq!(environment.wire().count(WRITE), before, "a refusal writes nothing");

    all.extend(buy(&bob, &raffle, 1).await);
    let fresh = assert_denied(ask(&bob, &raffle, 1).await, "sold-out", "Sold out.");
    assert_eq!((&fresh["sold"], &fresh["remaining"]), (&json!(3), &json!(0)));
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3]);
    let held: Vec<_> = sold(&admin, &raffle).await.iter().map(|ticket| ticket["name"].clone()).collect();
    assert_eq!(held.iter().filter(|name| *name == "Ann Lee").count(), 2);
    assert_eq!((held.len(), state(&ann, &raffle).await["mine"].as_array().unwrap().len()), (3, 2));
}

async fn a_repeated_purchase_returns_the_same_tickets(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let token = workspace.token(Role::Participant, "Ann Lee").await;
    let (ann, bob) = (workspace.bearer(&token), participant(&workspace, "Bob Ray").await);
    let raffle = open(&admin, 4, 3).await;
    let send = async |client: &Client, key: &str, quantity: u32| {
        let request = client.post(&format!("{raffle}/tickets")).header("idempotency-key", key);
        request.json(&json!({ "quantity": quantity })).send().await
    };
    // The store retries at once after a lost reply.
    environment.wire().next(WRITE, Fault::ReplyLost);
    let first = send(&ann, "first", 1).await.expect(201);
    assert_eq!(send(&ann, "first", 1).await.expect(201).text(), first.text());
    // All replies to writes are lost. A read of the record finds that the purchase succeeded, if there is time for it.
    let hasty = workspace.another(&environment, environment.wire(), SHORT_RETRIES).bearer(&token);
    environment.wire().always(WRITE, Fault::ReplyLost);
    let found = send(&hasty, "second", 2).await;
    assert!([201, 503].contains(&found.status.as_u16()), "{}", found.text());
    environment.wire().reset();
    let second = send(&ann, "second", 2).await.expect(201);
    assert_eq!(numbers(&second.json::<Value>()["raffle"]["mine"]).len(), 3);
    send(&ann, "second", 1).await.expect(422);
    // A key belongs to one person.
    send(&bob, "second", 1).await.expect(201);

    // A repeated request has the same answer even when the raffle is sold out or drawn.
    for drawn in [false, true] {
        if drawn {
            draw(&admin, &raffle).await;
        }
        for (key, quantity, answer) in [("first", 1, &first), ("second", 2, &second)] {
            let again = send(&ann, key, quantity).await.expect(201);
            assert_eq!((again.text(), again.header("etag")), (answer.text(), answer.header("etag")));
            assert_eq!(again.header("location"), raffle);
        }
        let name = if drawn { "drawn" } else { "sold-out" };
        assert_denied(send(&ann, "third", 1).await, name, "");
        send(&ann, "first", 3).await.expect(422);
    }
    assert_eq!(sold(&admin, &raffle).await.len(), 4);
}

async fn many_tabs_of_one_person_stay_within_the_limit(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = participant(&workspace, "Ann Lee").await;
    let raffle = open(&admin, 100, 2).await;
    let answers = join_all((0..10).map(|_| ask(&ann, &raffle, 1))).await;
    let (sales, refusals): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((sales.len(), refusals.len()), (2, 8));
    for refusal in refusals {
        assert_denied(refusal, "limit-reached", "Limit reached: 2 of 2.");
    }
    assert_eq!(numbers(&state(&ann, &raffle).await["mine"]).len(), 2);
    assert_eq!(sold(&admin, &raffle).await.len(), 2);
}

async fn a_returned_ticket_goes_back_to_the_pool_and_the_limit(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let (ann, bob) = (participant(&workspace, "Ann Lee").await, participant(&workspace, "Bob Ray").await);
    let raffle = open(&admin, 1, 1).await;
    let ticket = format!("{raffle}/tickets/1");
    ann.delete(&ticket).send().await.expect(404);
    assert_eq!(buy(&ann, &raffle, 1).await, [1]);
    let version = sold(&admin, &raffle).await[0]["version"].clone();

    let before = environment.wire().count(WRITE);
    bob.delete(&ticket).send().await.expect(404);
    bob.delete(&format!("{ticket}?version={version}")).send().await.expect(404);
    admin.delete(&ticket).send().await.expect(428);
    ann.delete(&format!("{ticket}?version=77")).send().await.expect(409);
    assert_eq!(environment.wire().count(WRITE), before, "a refusal writes nothing");

    ann.delete(&ticket).send().await.expect(204);
    ann.delete(&ticket).send().await.expect(404);
    let fresh = state(&ann, &raffle).await;
    assert_eq!((&fresh["remaining"], &fresh["mayBuy"], &fresh["mine"]), (&json!(1), &json!(1), &json!([])));
    // The number belongs to another person when the administrator returns the ticket that was Ann's.
    assert_eq!(buy(&bob, &raffle, 1).await, [1]);
    let stale = admin.delete(&ticket).header("if-match", &format!("\"{version}\"")).send().await;
    let fresh = stale.expect(409).json::<Value>()["fresh"].clone();
    assert_eq!((&fresh["name"], &fresh["number"]), (&json!("Bob Ray"), &json!(1)));
    admin.delete(&format!("{ticket}?version={}", fresh["version"])).send().await.expect(204);
    assert_eq!(state(&bob, &raffle).await["mine"], json!([]));
    assert_eq!(buy(&ann, &raffle, 1).await, [1]);
    ann.delete(&format!("{raffle}/tickets/2")).send().await.expect(404);
}

async fn a_raffle_is_drawn_once_and_then_never_changes(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let ann = participant(&workspace, "Ann Lee").await;
    let raffle = open(&admin, 10, 5).await;
    let path = format!("{raffle}/draw");
    let nothing: Value = admin.post(&path).send().await.expect(422).json();
    assert_eq!(nothing["type"], "urn:holdfast:problem:nothing-sold");
    let bought = buy(&ann, &raffle, 3).await;

    let send = || admin.post(&path).header("idempotency-key", "draw").send();
    let drawn = send().await.expect(200);
    let closed: Value = drawn.json();
    let winner = closed["winner"]["number"].clone();
    assert!(bought.contains(&winner.as_u64().unwrap()), "{winner} is not of {bought:?}");
    assert_eq!((&closed["status"], &closed["sold"]), (&json!("CLOSED"), &json!(3)));
    assert!(closed["drawnAt"].is_string() && closed["commitment"].is_string());
    let read = admin.get(&raffle).send().await.expect(200);
    assert_eq!((read.json::<Value>(), read.header("etag")), (closed.clone(), drawn.header("etag")));

    let before = environment.wire().count(WRITE);
    for answer in [admin.post(&path).send().await, admin.post(&path).json(&json!({})).send().await] {
        let fresh = assert_denied(answer, "drawn", "Nothing was saved.");
        assert_eq!(fresh["winner"]["number"], winner);
    }
    assert_eq!(send().await.expect(200).text(), drawn.text());
    let fresh = assert_denied(ask(&ann, &raffle, 1).await, "drawn", "The winner is drawn.");
    assert_eq!((&fresh["winner"]["number"], &fresh["winner"]["yours"]), (&winner, &json!(true)));
    let canceled = ann.delete(&format!("{raffle}/tickets/{winner}")).send().await;
    assert_eq!(assert_denied(canceled, "drawn", "")["winner"]["number"], winner);
    assert_eq!(state(&ann, &raffle).await["mine"], json!(bought));
    // The repeated draw writes nothing either: it reads that the raffle is drawn.
    assert_eq!(environment.wire().count(WRITE), before, "a refusal writes nothing");
}

async fn a_sale_ends_at_its_closing_time_and_can_then_be_drawn(environment: TestEnvironment) {
    let test_clock = AdjustableClock::default();
    let workspace = Workspace::open(&environment).await.with_clock(test_clock.clock());
    let admin = workspace.program(Role::Administrator).await;
    let ann = participant(&workspace, "Ann Lee").await;
    let closes = Timestamp::now() + SignedDuration::from_hours(1);
    let body = json!({ "title": "Autumn", "prize": "A bicycle", "closesAt": closes.to_string() });
    let opened = admin.post("/api/raffles").json(&body).send().await.expect(201);
    let raffle = opened.header("location");
    let bought = buy(&ann, raffle, 1).await;
    let seen = ann.get(raffle).send().await.expect(200);

    test_clock.advance(2 * 3_600);
    let fresh = assert_denied(ask(&ann, raffle, 1).await, "sale-over", "Sales have ended.");
    assert_eq!((&fresh["status"], &fresh["remaining"]), (&json!("OPEN"), &json!(99)));
    // Polling clients see the end of the sale although nothing was written.
    let over = ann.get(raffle).header("if-none-match", seen.header("etag")).send().await.expect(200);
    assert_eq!(over.json::<Value>()["denial"]["words"], "Sales have ended");
    ann.get(raffle).header("if-none-match", over.header("etag")).send().await.expect(304);
    assert_eq!(draw(&admin, raffle).await["winner"]["number"], bought[0]);
}

async fn only_administrators_and_the_winner_see_the_winners_name(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let (ann, bob) = (participant(&workspace, "Ann Lee").await, participant(&workspace, "Bob Ray").await);
    let raffle = open(&admin, 10, 2).await;
    buy(&ann, &raffle, 2).await;
    draw(&admin, &raffle).await;
    let winner = async |client: &Client| {
        let winner = state(client, &raffle).await["winner"].clone();
        let list: Value = client.get("/api/raffles").send().await.expect(200).json();
        assert_eq!(list["items"][0]["winner"], winner);
        (winner["yours"].clone(), winner["name"].clone(), winner["email"].is_string())
    };
    assert_eq!(winner(&ann).await, (json!(true), json!("Ann Lee"), false));
    assert_eq!(winner(&admin).await, (json!(false), json!("Ann Lee"), true));
    for other in [bob, workspace.agent().await] {
        assert_eq!(winner(&other).await, (json!(false), json!(null), false));
    }
}

async fn only_permitted_roles_open_draw_and_inspect_a_raffle(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let admin = workspace.program(Role::Administrator).await;
    let raffle = open(&admin, 10, 2).await;
    buy(&admin, &raffle, 1).await;
    let people = [
        (workspace.visitor(), 401),
        (participant(&workspace, "Ann Lee").await, 403),
        (workspace.agent().await, 403),
        (admin, 200),
    ];
    let before = environment.wire().count(WRITE);
    for (person, status) in &people[..3] {
        let body = json!({ "title": "Autumn", "prize": "A bicycle" });
        person.post("/api/raffles").json(&body).send().await.expect(*status);
        person.post(&format!("{raffle}/draw")).json(&json!({})).send().await.expect(*status);
    }
    assert_eq!(environment.wire().count(WRITE), before, "nothing was written");
    for (person, status) in &people {
        for part in ["tickets", "tickets/csv", "sales", "history"] {
            person.get(&format!("{raffle}/{part}")).send().await.expect(*status);
        }
        let signed_in = if *status == 401 { 401 } else { 200 };
        for path in [&raffle, "/api/raffles", &format!("{raffle}/proof")] {
            person.get(path).send().await.expect(signed_in);
        }
    }
}
