//! No raffle leaks: until the draw no answer contains the seed, and no one ever sees another person's name.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use futures_util::future::pending;
use holdfast::base::identity::Role;
use holdfast::projections::consume::is_relevant;
use holdfast::store::stream::{Batch, Change};
use http::Method;
use serde_json::{Value, json};

use super::raffle_api::{buy, draw, open, participant, state};
use super::stats::process_stream;
use crate::support::case::scaled;
use crate::support::http::{Client, RequestBuilder, Response};
use crate::support::workspace::{Workspace, create, new_lead};
use crate::support::{Case, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        embedded: no_answer_contains_the_seed_or_another_buyers_name_before_the_draw,
            no_answer_names_the_winner_to_others_after_the_draw,
            no_record_that_rules_read_contains_the_seed
    ]
}

/// Reads the seed of an open raffle from its item.
async fn seed_of(environment: &TestEnvironment, raffle: &str) -> Option<String> {
    let id = raffle.rsplit('/').next().unwrap();
    let read = GetItemInput::builder().table_name(environment.table()).consistent_read(true);
    let read = read.key("pk", AttributeValue::S(format!("RAFFLE#{id}")));
    let item = environment.store().get_item(read.key("sk", AttributeValue::S("SEED".into()))).await.item?;
    Some(item["seed"].as_s().unwrap().clone())
}

/// A value that no answer may contain, in all its encodings.
struct Secret {
    name: &'static str,
    /// Compared exactly.
    exact: Vec<String>,
    /// In lower case, compared in any case.
    in_any_case: Vec<String>,
}

/// Bytes as a text with one character for each byte, because searching texts is fast.
fn characters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

impl Secret {
    fn seed(hex: &str) -> Self {
        let pairs = (0..hex.len() / 2).map(|at| &hex[2 * at..2 * at + 2]);
        let raw: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        assert_eq!(raw.len(), 32, "{hex} is no seed");
        let exact = vec![STANDARD_NO_PAD.encode(&raw), URL_SAFE_NO_PAD.encode(&raw), characters(&raw)];
        Self { name: "the seed", exact, in_any_case: vec![hex.to_lowercase(), json!(raw).to_string()] }
    }

    /// The owner of a program: name and email address.
    async fn person(client: &Client) -> Self {
        let me: Value = client.get("/api/me").send().await.expect(200).json();
        let text = |field: &str| me[field].as_str().unwrap().to_lowercase();
        let words = text("name").split(' ').map(str::to_owned).chain([text("email")]).collect();
        Self { name: "another's name or address", exact: Vec::new(), in_any_case: words }
    }

    fn is_in(&self, all: &str) -> bool {
        let lower = all.to_ascii_lowercase();
        let has = |all: &str, part: &String| all.contains(part.as_str());
        self.exact.iter().any(|part| has(all, part)) || self.in_any_case.iter().any(|part| has(&lower, part))
    }
}

/// Every byte of an answer: its status line, its headers and its body.
fn everything(answer: &Response) -> String {
    let mut bytes = answer.status.to_string().into_bytes();
    for (name, value) in &answer.headers {
        bytes.extend([b"\n", name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
    }
    bytes.extend_from_slice(&answer.body);
    characters(&bytes)
}

/// The address of a route: with existing ids for raffles, and with unknown ids elsewhere.
fn address(route: &str, raffle: &str, number: u64) -> String {
    let id = if route.contains("/raffles") {
        raffle.rsplit('/').next().unwrap()
    } else {
        "019f0000-0000-7000-8000-000000000000"
    };
    let part = |part: &str| match part {
        "{number}" => number.to_string(),
        part if part.starts_with('{') => id.to_owned(),
        part => part.to_owned(),
    };
    route.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A request in three forms: from a program, from a browser, and from htmx.
fn forms<'a>(client: &'a Client, method: &Method, path: &str) -> Vec<RequestBuilder<'a>> {
    let request = || client.request(method.clone(), path);
    let none: [(&str, &str); 0] = [];
    let (program, browser, htmx) = (
        request().header("accept", "application/json"),
        request().header("accept", "text/html"),
        request().header("accept", "text/html").header("hx-request", "true").header("hx-target", "raffle"),
    );
    match *method {
        Method::GET => vec![program, browser, htmx],
        _ => vec![program.json(&json!({})), browser.form(&none), htmx.form(&none)],
    }
}

/// Sends a request to every route in every form and checks every byte of the answers.
async fn walk(
    workspace: &Workspace,
    who: &str,
    client: &Client,
    raffle: &str,
    number: u64,
    secrets: &[&Secret],
) {
    for path in ["/raffles", "/raffles/verify", "/api/raffles?limit=1", &format!("{raffle}?cursor=x"), raffle]
    {
        for request in forms(client, &Method::GET, path) {
            let answer = request.header("if-none-match", "\"1\"").send().await;
            check(&answer, &format!("GET {path} as {who}"), secrets);
        }
    }
    let mut checked = 0;
    // Signing out comes last, so that the other requests are signed in.
    let (last, first): (Vec<_>, Vec<_>) =
        workspace.routes.iter().partition(|route| route.path == "/sign-out");
    for route in first.into_iter().chain(last) {
        // The draw is the only request that is left out here.
        if route.path.ends_with("/draw") && who.starts_with("an administrator") {
            continue;
        }
        if route.path == "/sign-out" {
            let status = if who == "a visitor" { 401 } else { 200 };
            client.get("/api/me").send().await.expect(status);
        }
        let path = address(route.path, raffle, number);
        // Loading 200 leads takes seconds: one person is enough in the short form.
        let most = match route.path {
            "/leads/sample" => scaled(usize::from(who == "an agent"), 1),
            _ => 3,
        };
        for request in forms(client, &route.method, &path).into_iter().take(most) {
            let answer = request.send().await;
            check(&answer, &format!("{} {path} as {who}", route.method), secrets);
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} answers");
}

#[track_caller]
fn check(answer: &Response, request: &str, secrets: &[&Secret]) {
    let everything = everything(answer);
    for secret in secrets {
        assert!(!secret.is_in(&everything), "{request} leaks {}: {everything}", secret.name);
    }
    assert!(answer.status.as_u16() < 500, "{request} was answered {}", answer.status);
}

/// A raffle with two buyers, and a ticket number of the second one.
struct Scene {
    workspace: Workspace,
    admin: Client,
    raffle: String,
    buyers: [Client; 2],
    number: u64,
}

impl Scene {
    async fn set(environment: &TestEnvironment) -> Self {
        let workspace = Workspace::open(environment).await;
        let admin = workspace.program(Role::Administrator).await;
        let raffle = open(&admin, 100, 2).await;
        let buyers = [
            participant(&workspace, "Zebulon Quackenbush").await,
            participant(&workspace, "Ottoline Ferncastle").await,
        ];
        buy(&buyers[0], &raffle, 1).await;
        let number = buy(&buyers[1], &raffle, 2).await[0];
        Self { workspace, admin, raffle, buyers, number }
    }

    /// Everyone who must not see the buyers: a visitor, and people who have bought nothing.
    async fn others(&self) -> Vec<(&'static str, Client)> {
        let workspace = &self.workspace;
        vec![
            ("a visitor", workspace.visitor()),
            ("a participant", workspace.program(Role::Participant).await),
            ("a viewer", workspace.program(Role::Viewer).await),
            ("an agent", workspace.program(Role::Agent).await),
            ("a participant at a browser", workspace.person(Role::Participant, "Pat").await),
            ("an agent at a browser", workspace.person(Role::Agent, "Ann").await),
        ]
    }
}

async fn no_answer_contains_the_seed_or_another_buyers_name_before_the_draw(environment: TestEnvironment) {
    let scene = Scene::set(&environment).await;
    let Scene { workspace, admin, raffle, buyers, number } = &scene;
    let seed =
        Secret::seed(&seed_of(&environment, raffle).await.expect("the seed of an open raffle is stored"));
    let people = [Secret::person(&buyers[0]).await, Secret::person(&buyers[1]).await];
    // Runs of rules are among the data that agents read.
    for on in ["lead.created", "every 15m"] {
        let rule = json!({ "name": on, "on": on, "command": "get_leads limit=1" });
        admin.post("/api/automation/rules").json(&rule).send().await.expect(201);
    }
    create(admin, &new_lead("Lead", "lead@example.com")).await;
    process_stream(&environment, workspace).await;
    let runs: Value = admin.get("/api/automation/runs").send().await.expect(200).json();
    assert!(!runs["items"].as_array().unwrap().is_empty());

    for (who, client) in scene.others().await {
        walk(workspace, who, &client, raffle, *number, &[&seed, &people[0], &people[1]]).await;
    }
    walk(workspace, "a buyer", &buyers[0], raffle, *number, &[&seed, &people[1]]).await;
    let person = workspace.person(Role::Administrator, "Ada").await;
    walk(workspace, "an administrator at a browser", &person, raffle, *number, &[&seed]).await;
    walk(workspace, "an administrator", admin, raffle, *number, &[&seed]).await;

    // The raffle was open all the time, and the draw uses this seed.
    assert_eq!(state(admin, raffle).await["status"], "OPEN");
    draw(admin, raffle).await;
    assert_eq!(seed_of(&environment, raffle).await, None, "only the drawn raffle has it");
    let proof = admin.get(&format!("{raffle}/proof")).send().await.expect(200);
    assert!(seed.is_in(&everything(&proof)), "the published seed is the one that was searched for");
}

async fn no_answer_names_the_winner_to_others_after_the_draw(environment: TestEnvironment) {
    let scene = Scene::set(&environment).await;
    let Scene { workspace, admin, raffle, buyers, number } = &scene;
    let closed = draw(admin, raffle).await;
    let winner = closed["winner"]["number"].as_u64().unwrap();
    let people = [Secret::person(&buyers[0]).await, Secret::person(&buyers[1]).await];
    let won = usize::from(state(&buyers[1], raffle).await["winner"]["yours"] == json!(true));
    for (who, client) in scene.others().await {
        if who != "a visitor" {
            assert_eq!(state(&client, raffle).await["winner"]["number"], winner, "{who}");
        }
        walk(workspace, who, &client, raffle, *number, &[&people[0], &people[1]]).await;
    }
    for (who, buyer) in buyers.iter().enumerate() {
        walk(workspace, "a buyer", buyer, raffle, *number, &[&people[1 - who]]).await;
    }
    for client in [&buyers[won], admin] {
        let shown = client.get(raffle).send().await.expect(200);
        let name = closed["winner"]["name"].as_str().unwrap();
        assert!(shown.text().contains(name) && people[won].is_in(name));
    }
}

async fn no_record_that_rules_read_contains_the_seed(environment: TestEnvironment) {
    let scene = Scene::set(&environment).await;
    let seed = seed_of(&environment, &scene.raffle).await.expect("the seed of an open raffle is stored");
    draw(&scene.admin, &scene.raffle).await;
    let wire = environment.another_wire();
    let mut reader = environment.engine().reader(&wire, &scene.workspace.app.dynamo, "leaks", |_| true);
    let records: Mutex<Vec<Change>> = Mutex::default();
    let handle = async |batch: Arc<Batch>| {
        records.lock().unwrap().extend_from_slice(&batch.changes);
        Ok::<_, String>(())
    };
    reader.drain(handle, pending()).await.expect("the stream can be read");
    let (mut secret, mut of_raffles) = (0, 0);
    for change in records.into_inner().unwrap() {
        let of_raffle = change.key.pk.starts_with("RAFFLE#") || change.key.pk.starts_with("TICKETS#");
        // Sold tickets are counted from the blocks, which do not contain the seed.
        let is_counted = change.key.sk.starts_with("BLOCK#");
        let is_secret = of_raffle && !is_counted;
        assert!(!(is_secret && is_relevant(&change.key)), "rules would see {:?}", change.key);
        of_raffles += usize::from(of_raffle);
        if format!("{change:?}").contains(&seed) {
            secret += 1;
            assert!(is_secret, "the seed is in {:?}", change.key);
        }
    }
    assert!(secret >= 3 && of_raffles > 30, "created, drawn and deleted: {secret} of {of_raffles}");
}
