//! Imports: files become leads through the form, and rows that cannot become leads are offered as a file.

use std::ops::ControlFlow;

use holdfast::app::{App, build_router};
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use holdfast::imports::run::FileStep;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::http::{Client, Response};
use crate::support::workspace::{Workspace, change};
use crate::support::{Case, Entry, TestEnvironment, cases};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        web: files_of_every_kind_become_leads_and_a_repetition_creates_nothing,
            sample_leads_are_loaded_once,
            undoing_the_import_of_samples_deletes_them,
            rejected_rows_are_offered_as_a_file_to_correct,
            htmx_gets_only_the_progress_until_the_import_is_done;
        // A server may close the connection of a file that is too large, before the answer is read.
        app: bad_files_are_refused_with_a_reason;
        embedded: many_rejected_rows_are_split_into_several_files,
            only_its_owner_and_administrators_see_an_import
    ]
}

const CONTACTS: &[u8] = include_bytes!("../fixtures/leads/contacts.csv");
const SEMICOLONS: &[u8] = include_bytes!("../fixtures/leads/contacts-semicolon-windows-1252.csv");
const TABS: &[u8] = include_bytes!("../fixtures/leads/contacts-tab-bom.csv");
pub const MISTAKES: &[u8] = include_bytes!("../fixtures/leads/contacts-with-mistakes.csv");

/// The same workspace with a stopped clock, so that a step on a loaded machine does not end before its last row.
pub fn timeless(workspace: Workspace) -> Workspace {
    let now = Timestamp::now();
    let app = App { clock: Clock::from_fn(move || now), ..workspace.app };
    let (router, routes) = build_router(app.clone());
    Workspace { app, router, routes, entry: Entry::Router }
}

/// Lets an import from the shell continue after each step.
pub fn continued(_: FileStep<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The counts on a page: rows created, skipped and rejected.
pub type RowCounts = [u64; 3];

/// Uploads a file with the form and returns the address of its import.
pub async fn send(agent: &Client, file: &[u8]) -> String {
    let answer = agent.post("/leads/imports").upload(&[], ("file", "file.csv", file)).send().await;
    answer.expect(303).header("location").to_owned()
}

/// The selected options of the page's selects, as its form would send them.
pub fn chosen(page: &str) -> Vec<(String, String)> {
    let selects = page.split("<select").skip(1).map(|select| select.split("</select>").next().unwrap());
    let attribute = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let value = |select: &str| {
        let option = select.split("<option").find(|option| option.contains(" selected"));
        attribute(option.expect("one is chosen"), "value")
    };
    selects.map(|select| (attribute(select, "name"), value(select))).collect()
}

/// Starts an import with the proposed mapping.
pub async fn start(agent: &Client, import: &str) {
    let preview = agent.get(import).send().await.expect(200);
    let form = chosen(preview.text());
    agent.post(import).form(&form).send().await.expect(303);
}

pub fn row_counts(page: &str) -> RowCounts {
    ["Created", "Skipped (existing email)", "Rejected"].map(|title| {
        let (_, rest) = page.split_once(&format!("<dt>{title}</dt><dd>")).expect("the page counts");
        rest.split('<').next().unwrap().parse().unwrap()
    })
}

/// Presses "Continue" until the report appears.
pub async fn finish(agent: &Client, import: &str) -> Response {
    for _ in 0..200 {
        let page = agent.get(import).send().await.expect(200);
        if page.text().contains("Done.") {
            return page;
        }
        agent.post(&format!("{import}/step")).send().await.expect(303);
    }
    panic!("{import} does not end");
}

async fn import(agent: &Client, file: &[u8]) -> RowCounts {
    let import = send(agent, file).await;
    start(agent, &import).await;
    row_counts(finish(agent, &import).await.text())
}

/// All leads of the API's list.
pub async fn leads(agent: &Client) -> Vec<Value> {
    let (mut leads, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: Value =
            agent.get(&format!("/api/leads?limit=100&cursor={cursor}")).send().await.expect(200).json();
        leads.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return leads,
        }
    }
}

/// A file with this many different people.
pub fn people(count: usize) -> Vec<u8> {
    let row = |n| format!("Person{n},Number{n},person{n}@example.com,TX,{}\r\n", n % 101);
    let rows: String = (0..count).map(row).collect();
    format!("First name,Last name,Email,State,Score\r\n{rows}").into_bytes()
}

async fn files_of_every_kind_become_leads_and_a_repetition_creates_nothing(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    assert_eq!(import(&agent, SEMICOLONS).await, [12, 0, 0]);
    assert_eq!(import(&agent, TABS).await, [12, 0, 0]);
    assert_eq!(import(&agent, CONTACTS).await, [12, 24, 0]);
    for (file, rows) in [(CONTACTS, 36), (TABS, 12), (SEMICOLONS, 12)] {
        assert_eq!(import(&agent, file).await, [0, rows, 0]);
    }
    let leads = leads(&agent).await;
    assert_eq!(leads.len(), 36);
    let carmen = leads.iter().find(|lead| lead["email"] == "carmen.villasenor@example.net").unwrap();
    assert_eq!((&carmen["name"], &carmen["state"]), (&"Carmen Villaseñor".into(), &"NM".into()));
    assert_eq!((&carmen["leadScore"], &carmen["version"]), (&45.into(), &1.into()));
    let lucia = leads.iter().find(|lead| lead["email"] == "lucia.ferran@example.net").unwrap();
    assert_eq!((&lucia["status"], &lucia["state"]), (&"CONVERTED".into(), &"FL".into()));
    let soren = leads.iter().find(|lead| lead["email"] == "soren.ostergaard@example.com").unwrap();
    assert_eq!(soren["name"], "Søren Østergaard");
}

async fn rejected_rows_are_offered_as_a_file_to_correct(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let import = send(&agent, MISTAKES).await;
    start(&agent, &import).await;
    let report = finish(&agent, &import).await;
    assert_eq!(row_counts(report.text()), [4, 1, 5]);
    for shown in ["isn&#39;t closed", "has 13 cells", "Email is empty"] {
        assert!(report.text().contains(shown), "{shown}: {}", report.text());
    }
    let file = agent.get(&format!("{import}/rejected.csv")).send().await.expect(200);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"file-rejected.csv\"");
    let text = file.text().to_owned();
    assert_eq!(text.matches("\r\n").count(), 6, "{text}");
    assert!(text.contains("\r\n4,") && text.contains("'=HYPERLINK"), "numbered and escaped: {text}");

    let corrected = text.replace("zelda.quackenbush.", "zelda.quackenbush@");
    assert_eq!(import_text(&agent, &corrected).await, [1, 0, 4]);
    assert_eq!(import_text(&agent, &corrected).await, [0, 1, 4]);
    assert_eq!(leads(&agent).await.len(), 5);
}

async fn import_text(agent: &Client, text: &str) -> RowCounts {
    import(agent, text.as_bytes()).await
}

async fn many_rejected_rows_are_split_into_several_files(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let long = "x".repeat(20_000);
    let rows: String = (0..150).map(|n| format!("{long}{n},bad\n")).collect();
    let import = send(&agent, format!("name,email\n{rows}").as_bytes()).await;
    start(&agent, &import).await;
    let report = finish(&agent, &import).await;
    assert_eq!(row_counts(report.text()), [0, 0, 150]);
    assert!(report.text().contains("The download has 50 more."));
    let mut numbers = Vec::new();
    let links = report.text().split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let files: Vec<&str> = links.filter(|link| link.contains("rejected.csv")).collect();
    assert_eq!(files.len(), 3);
    for file in files {
        let text = agent.get(file).send().await.expect(200).text().to_owned();
        assert!(text.len() < 4_000_000, "{file} has {} bytes", text.len());
        let rows = text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse::<u64>().unwrap());
        numbers.extend(rows);
    }
    assert_eq!(numbers, (2..152).collect::<Vec<u64>>());
}

/// Announces a file. Returns the address of its import and the size of a part.
pub async fn announce(agent: &Client, name: &str, size: usize) -> (String, usize) {
    let query = serde_urlencoded::to_string([("name", name), ("size", &size.to_string())]).unwrap();
    let request = agent.post(&format!("/leads/imports?{query}")).header("accept", "application/json");
    let answer = request.send().await.expect(201);
    let announced: Value = answer.json();
    let place = format!("/leads/imports/{}", announced["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), place);
    (place, announced["partSize"].as_u64().unwrap() as usize)
}

/// Sends a part of a file.
pub async fn put(agent: &Client, place: &str, number: usize, part: &[u8]) -> Response {
    let request = agent.put(&format!("{place}/parts/{number}")).header("accept", "application/json");
    request.body("application/octet-stream", part.to_vec()).send().await
}

async fn bad_files_are_refused_with_a_reason(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let big = vec![b'x'; 5 * 1024 * 1024];
    let cases: [(&[u8], &str); 6] = [
        (b"", "The file is empty"),
        (b"name,email\n", "no rows below it"),
        (b"PK\x03\x04 workbook", "workbook"),
        (b"\xff\xfen\0a\0m\0e\0", "UTF-16"),
        (b"name,email\nA\0nn,a@example.com\n", "plain text: byte"),
        (&big, "Without JavaScript, a file can have at most 4 MB"),
    ];
    for (file, words) in cases {
        let answer = agent.post("/leads/imports").upload(&[], ("file", "a.csv", file)).send().await;
        let answer = answer.expect(422);
        assert!(answer.text().contains(words), "{words}: {}", answer.text());
        assert!(answer.text().contains("data-upload"), "the form is shown again");
    }
    let nothing = agent.post("/leads/imports").upload(&[("other", "x")], ("file", "", b"")).send().await;
    assert!(nothing.expect(422).text().contains("Choose a CSV file"));
    agent.post("/leads/imports").form(&[("file", "x")]).send().await.expect(415);

    let (place, _) = announce(&agent, "a.xlsx", 9).await;
    let problem: Value = put(&agent, &place, 0, b"PK\x03\x04 book").await.expect(422).json();
    assert!(problem["detail"].as_str().unwrap().contains("workbook"), "{problem}");
    let announce = async |query: &str| {
        let request = agent.post(&format!("/leads/imports?{query}")).header("accept", "application/json");
        request.send().await
    };
    announce("name=a.csv&size=30000000").await.expect(413);
    announce("name=a.csv&size=0").await.expect(422);
    announce("name=a.csv").await.expect(400);
    announce("name=a.csv&size=-1").await.expect(400);
    agent.get("/leads/imports/nonsense").send().await.expect(404);
    agent.get("/leads/imports/019f0000-0000-7000-8000-000000000000").send().await.expect(404);
}

async fn only_its_owner_and_administrators_see_an_import(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let (ann, bob) = (workspace.agent().await, workspace.agent().await);
    let import = send(&ann, MISTAKES).await;
    bob.get(&import).send().await.expect(404);
    bob.post(&import).form(&[("column.0", "email")]).send().await.expect(404);
    bob.post(&format!("{import}/step")).send().await.expect(404);
    bob.get(&format!("{import}/rejected.csv")).send().await.expect(404);
    put(&bob, &import, 0, MISTAKES).await.expect(404);
    workspace.program(Role::Administrator).await.get(&import).send().await.expect(200);
    workspace.program(Role::Participant).await.get(&import).send().await.expect(403);
}

async fn sample_leads_are_loaded_once(environment: TestEnvironment) {
    let agent = timeless(Workspace::open(&environment).await).agent().await;
    let load = async || {
        let import = agent.post("/leads/sample").send().await.expect(303).header("location").to_owned();
        row_counts(agent.get(&import).send().await.expect(200).text())
    };
    // Two clicks at once, and one later: each sample exists once.
    let (first, second) = futures_util::future::join(load(), load()).await;
    let sums: Vec<u64> = first.iter().zip(&second).map(|(first, second)| first + second).collect();
    assert_eq!(sums, [200, 200, 0], "created, skipped, rejected: {first:?} {second:?}");
    assert_eq!(load().await, [0, 200, 0]);
    let samples = leads(&agent).await;
    assert_eq!(samples.len(), 200);
    assert!(samples.iter().all(|lead| lead["source"] == "Sample" && lead["state"].is_string()));
}

async fn undoing_the_import_of_samples_deletes_them(environment: TestEnvironment) {
    let agent = timeless(Workspace::open(&environment).await).agent().await;
    let import = agent.post("/leads/sample").send().await.expect(303).header("location").to_owned();
    let changed = leads(&agent).await.remove(0);
    change(&agent, &changed, 1, json!({ "company": "Ours" })).await.expect(200);
    agent.post(&format!("{import}/undo")).send().await.expect(303);
    for _ in 0..2 {
        agent.post(&format!("{import}/step")).send().await.expect(303);
    }
    let page = agent.get(&import).send().await.expect(200);
    assert!(page.text().contains("Import undone."), "{}", page.text());
    let left = leads(&agent).await;
    assert_eq!(left.len(), 1, "a lead that was changed since stays");
    assert_eq!(left[0]["id"], changed["id"]);
}

async fn htmx_gets_only_the_progress_until_the_import_is_done(environment: TestEnvironment) {
    let agent = timeless(Workspace::open(&environment).await).agent().await;
    let import = send(&agent, &people(250)).await;
    start(&agent, &import).await;
    let step = async || {
        let request = agent.post(&format!("{import}/step")).header("hx-request", "true");
        request.send().await.expect(200).text().to_owned()
    };
    let page = agent.get(&import).send().await.expect(200);
    assert!(page.text().contains("<html") && page.text().contains("0 of 250 rows"), "{}", page.text());
    let half = step().await;
    assert!(half.trim_start().starts_with("<div id=\"import-progress\""), "{half}");
    assert!(half.contains("200 of 250 rows") && half.contains("hx-trigger=\"load, submit\""), "{half}");
    let whole = step().await;
    assert!(whole.contains("Done.") && !whole.contains("hx-post"), "{whole}");
    assert_eq!(row_counts(&whole), [250, 0, 0]);
}
