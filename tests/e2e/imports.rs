//! Imports: files become leads through a form, in parts and from the shell, exactly once, even when steps are
//! interrupted or repeated.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use holdfast::app::{App, build_router};
use holdfast::base::clock::Clock;
use holdfast::base::identity::Actor;
use holdfast::base::identity::Role;
use holdfast::imports::domain::Phase;
use holdfast::imports::domain::{Import, PART_BYTES, Start};
use holdfast::imports::outcome::Counts;
use holdfast::imports::run::{FileOptions, FileStep, rejected_file};
use holdfast::shared::audit_log::AuditActor;
use holdfast::store::RetryPolicy;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::http::{Client, Response};
use crate::support::workspace::{PATIENCE, Workspace, change};
use crate::support::{Case, Entry, Fault, TestEnvironment, cases, wait};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: parts_are_accepted_once_in_order_and_complete;
        web: files_of_every_kind_become_leads_and_a_repetition_creates_nothing,
            a_long_file_is_sent_in_parts_and_imported_in_steps,
            sample_leads_are_loaded_once,
            sample_leads_are_taken_back_by_undoing_their_import,
            rejected_rows_are_offered_as_a_file_to_correct,
            htmx_gets_only_the_progress_until_the_import_is_done;
        store: an_interrupted_and_repeated_step_counts_every_row_once,
            two_tabs_that_import_at_once_count_every_row_once;
        // A server may close the connection of a file that is too large, before the answer is read.
        app: bad_files_are_refused_with_a_reason,
            an_interrupted_and_repeated_import_from_the_shell_happens_once;
        embedded: many_rejected_rows_are_split_into_several_files,
            only_its_owner_and_administrators_see_an_import,
            a_step_on_a_slow_store_ends_early_and_loses_no_row
    ]
}

const WRITE: &str = "TransactWriteItems";
/// Waits for every answer on a loaded machine, but stops soon when calls keep being refused.
const FEW_RETRIES: RetryPolicy =
    RetryPolicy { request: Duration::from_secs(6), reserve: Duration::from_secs(1), ..PATIENCE };
const CONTACTS: &[u8] = include_bytes!("../fixtures/leads/contacts.csv");
const SEMICOLONS: &[u8] = include_bytes!("../fixtures/leads/contacts-semicolon-windows-1252.csv");
const TABS: &[u8] = include_bytes!("../fixtures/leads/contacts-tab-bom.csv");
const MISTAKES: &[u8] = include_bytes!("../fixtures/leads/contacts-with-mistakes.csv");

/// The same workspace with a stopped clock, so that a step on a loaded machine does not end before its last row.
fn timeless(workspace: Workspace) -> Workspace {
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

async fn an_interrupted_and_repeated_step_counts_every_row_once(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let token = workspace.token(Role::Agent, "Ann").await;
    let agent = workspace.bearer(&token);
    let hasty = timeless(workspace.another(&environment, environment.wire(), FEW_RETRIES)).bearer(&token);
    let mut file = people(120);
    // The first row with an address wins, within one step and after an interruption.
    file.extend(b"Late,Copy,PERSON7@example.com,TX,1\r\nNobody,At All,,TX,1\r\n");
    let import = send(&agent, &file).await;
    start(&agent, &import).await;
    environment.wire().reset();
    let step = async { hasty.post(&format!("{import}/step")).send().await.expect(503) };
    let cut = async {
        let wire = environment.wire();
        wait::until("some leads are created", async || wire.count(WRITE) >= 20).await;
        wire.always(WRITE, Fault::Throttled);
    };
    tokio::join!(step, cut);
    environment.wire().reset();
    let made = leads(&agent).await.len();
    assert!((10..120).contains(&made), "cut off in the middle: {made}");
    assert_eq!(row_counts(agent.get(&import).send().await.expect(200).text()), [0, 0, 0]);

    assert_eq!(row_counts(finish(&agent, &import).await.text()), [120, 1, 1]);
    assert_eq!(leads(&agent).await.len(), 120);

    // A lost reply to the write that completes a step does not repeat the step.
    let import = send(&agent, &people(130)).await;
    start(&agent, &import).await;
    environment.wire().reset();
    environment.wire().times(2, "BatchGetItem", Fault::ReplyLost);
    environment.wire().times(5, WRITE, Fault::StatusAfterCommit(500));
    assert_eq!(row_counts(finish(&agent, &import).await.text()), [10, 120, 0]);
    assert_eq!(leads(&agent).await.len(), 130);
}

async fn two_tabs_that_import_at_once_count_every_row_once(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let import = send(&agent, &people(230)).await;
    start(&agent, &import).await;
    let tab = async || {
        for _ in 0..4 {
            agent.post(&format!("{import}/step")).send().await.expect(303);
        }
    };
    tokio::join!(tab(), tab());
    assert_eq!(row_counts(finish(&agent, &import).await.text()), [230, 0, 0]);
    assert_eq!(leads(&agent).await.len(), 230);
}

/// Announces a file and sends it in parts, as the page's script does.
async fn send_in_parts(agent: &Client, name: &str, file: &[u8]) -> String {
    let (place, size) = announce(agent, name, file.len()).await;
    for (number, part) in file.chunks(size).enumerate() {
        put(agent, &place, number, part).await.expect(204);
    }
    place
}

async fn announce(agent: &Client, name: &str, size: usize) -> (String, usize) {
    let query = serde_urlencoded::to_string([("name", name), ("size", &size.to_string())]).unwrap();
    let request = agent.post(&format!("/leads/imports?{query}")).header("accept", "application/json");
    let answer = request.send().await.expect(201);
    let announced: Value = answer.json();
    let place = format!("/leads/imports/{}", announced["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), place);
    (place, announced["partSize"].as_u64().unwrap() as usize)
}

async fn put(agent: &Client, place: &str, number: usize, part: &[u8]) -> Response {
    let request = agent.put(&format!("{place}/parts/{number}")).header("accept", "application/json");
    request.body("application/octet-stream", part.to_vec()).send().await
}

async fn a_long_file_is_sent_in_parts_and_imported_in_steps(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    // Wide rows, so that 600 of them make three parts. The last row repeats the first row's address.
    let note = "x".repeat(1_300);
    let row = |n: usize| format!("Person {n},person{}@example.com,\"{note}, é\"\n", n % 599);
    let file: String = (0..600).map(row).collect();
    let file = format!("Name,Email,Note\n{file}");
    assert_eq!(file.len().div_ceil(PART_BYTES as usize), 3);
    let import = send_in_parts(&agent, "wide.csv", file.as_bytes()).await;
    let preview = agent.get(&import).send().await.expect(200);
    assert!(preview.text().contains("Import about 600 rows"), "{}", preview.text());
    start(&agent, &import).await;
    assert_eq!(row_counts(finish(&agent, &import).await.text()), [599, 1, 0]);
    assert_eq!(leads(&agent).await.len(), 599);
}

async fn parts_are_accepted_once_in_order_and_complete(environment: TestEnvironment) {
    let agent = Workspace::open(&environment).await.agent().await;
    let file = people(12_000);
    let (place, size) = announce(&agent, "../people.csv", file.len()).await;
    let parts: Vec<&[u8]> = file.chunks(size).collect();
    assert_eq!(parts.len(), 2);
    put(&agent, &place, 1, parts[1]).await.expect(422);
    put(&agent, &place, 0, parts[1]).await.expect(422);
    put(&agent, &place, 0, parts[0]).await.expect(204);
    let page = agent.get(&place).send().await.expect(200);
    assert!(page.text().contains("The upload of people.csv stopped after 1 of 2 parts"));
    agent.post(&place).form(&[("column.0", "email")]).send().await.expect(422);
    environment.wire().reset();
    put(&agent, &place, 0, parts[0]).await.expect(204);
    assert_eq!(environment.wire().count(WRITE), 0, "an uploaded part is not written again");
    put(&agent, &place, 1, &parts[1][1..]).await.expect(422);
    let (one, other) = tokio::join!(put(&agent, &place, 1, parts[1]), put(&agent, &place, 1, parts[1]));
    one.expect(204);
    other.expect(204);
    put(&agent, &place, 2, b"").await.expect(422);
    put(&agent, &place, 2, &vec![b'x'; size + 1]).await.expect(413);
    assert!(agent.get(&place).send().await.expect(200).text().contains("Import about 12,000 rows"));
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

/// An import of this file that is ready for its first step, without pages.
async fn running(workspace: &Workspace, file: &[u8]) -> Import {
    let who = workspace.account(Role::Agent, "Ann").await;
    let import = workspace.app.imports().receive(&who, "a.csv", file).await.expect("the file is taken");
    let slugs = ["first-name", "last-name", "email", "state", "lead-score"].map(str::to_owned);
    workspace
        .app
        .imports()
        .start(&import, &Start { slugs: slugs.to_vec(), ..Start::default() }, &AuditActor::from(&who))
        .await
        .expect("the mapping fits")
}

async fn a_step_on_a_slow_store_ends_early_and_loses_no_row(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await;
    let mut import = running(&workspace, &people(200)).await;
    // A clock on which every row takes a while: it advances with each reading.
    let (now, ticks) = (Timestamp::now(), Arc::new(AtomicI64::new(0)));
    let slow = Clock::from_fn(move || {
        let tick = ticks.fetch_add(1, Ordering::Relaxed);
        now.saturating_add(jiff::SignedDuration::from_millis(100 * tick)).unwrap()
    });
    let app = App { clock: slow, ..workspace.app.clone() };
    let by = Actor::new("Ann");
    let mut steps = Vec::new();
    while import.phase != Phase::Done {
        import = app.imports().step(&import, &by).await.expect("the step is done");
        steps.push(import.counts.total());
    }
    assert_eq!(steps, [80, 160, 200]);
    assert_eq!(import.counts, Counts { created: 200, ..Counts::default() });
}

async fn an_interrupted_and_repeated_import_from_the_shell_happens_once(environment: TestEnvironment) {
    let workspace = timeless(Workspace::open(&environment).await);
    let (file, by) = (people(220), Actor::new("Shell"));
    let hasty = timeless(workspace.another(&environment, environment.wire(), FEW_RETRIES));
    environment.wire().reset();
    let first = async { hasty.app.imports().run_file(&by, &file, &FileOptions::default(), continued).await };
    let cut = async {
        let wire = environment.wire();
        wait::until("some leads are created", async || wire.count(WRITE) >= 20).await;
        wire.always(WRITE, Fault::Throttled);
    };
    let (first, ()) = tokio::join!(first, cut);
    assert!(first.is_err(), "cut off");
    environment.wire().reset();

    let seen = std::cell::RefCell::new(Vec::new());
    let report = workspace
        .app
        .imports()
        .run_file(&by, &file, &FileOptions::default(), |step| {
            seen.borrow_mut().push(step.progress);
            ControlFlow::Continue(())
        })
        .await;
    let report = report.expect("the file is imported");
    assert!(report.counts.skipped >= 20, "the rows of the first run exist already: {:?}", report.counts);
    assert_eq!(report.counts.created + report.counts.skipped, 220);
    let rows: Vec<u64> = seen.borrow().iter().map(|progress| progress.counts.total()).collect();
    assert_eq!(rows, [200, 220]);
    let last = seen.borrow().last().copied().unwrap();
    assert_eq!((last.done, last.size), (file.len() as u64, file.len() as u64));

    let mut rejected = Vec::new();
    let again = workspace
        .app
        .imports()
        .run_file(&by, MISTAKES, &FileOptions::default(), |step| {
            rejected.push(rejected_file(step.head, step.rejections).unwrap());
            ControlFlow::Continue(())
        })
        .await
        .expect("the file is imported");
    let counts = again.counts;
    assert_eq!((counts.created, counts.skipped, counts.rejected, counts.warned), (4, 1, 5, 1));
    assert_eq!(rejected.iter().map(|csv| csv.lines().count()).sum::<usize>(), 6);
    let refused = workspace
        .app
        .imports()
        .run_file(&by, b"email,b\na@example.com,2\n", &FileOptions::default(), continued)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("No column is matched"), "{refused}");
    assert_eq!(leads(&workspace.agent().await).await.len(), 224);
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

async fn sample_leads_are_taken_back_by_undoing_their_import(environment: TestEnvironment) {
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
