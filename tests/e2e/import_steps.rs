//! Imports in parts and in steps, from pages and from the shell: each row is counted once, even when steps are
//! interrupted or repeated.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use holdfast::app::App;
use holdfast::base::clock::Clock;
use holdfast::base::identity::{Actor, Role};
use holdfast::imports::domain::{Import, PART_BYTES, Phase, Start};
use holdfast::imports::outcome::Counts;
use holdfast::imports::run::{FileOptions, rejected_file};
use holdfast::shared::audit_log::AuditActor;
use holdfast::store::RetryPolicy;
use jiff::Timestamp;

use crate::imports::{
    MISTAKES, announce, continued, finish, leads, people, put, row_counts, send, start, timeless,
};
use crate::support::http::Client;
use crate::support::workspace::{TEST_RETRIES, Workspace};
use crate::support::{Case, Fault, TestEnvironment, cases, wait};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        host: parts_are_accepted_once_in_order_and_complete;
        web: a_long_file_is_sent_in_parts_and_imported_in_steps;
        store: an_interrupted_and_repeated_step_counts_every_row_once,
            two_tabs_that_import_at_once_count_every_row_once;
        app: an_interrupted_and_repeated_import_from_the_shell_happens_once;
        embedded: a_step_on_a_slow_store_ends_early_and_loses_no_row
    ]
}

const WRITE: &str = "TransactWriteItems";
/// Waits for every answer on a loaded machine, but stops soon when calls keep being refused.
const FEW_RETRIES: RetryPolicy =
    RetryPolicy { request: Duration::from_secs(6), reserve: Duration::from_secs(1), ..TEST_RETRIES };

/// Announces a file and sends it in parts, as the page's script does.
async fn send_in_parts(agent: &Client, name: &str, file: &[u8]) -> String {
    let (place, size) = announce(agent, name, file.len()).await;
    for (number, part) in file.chunks(size).enumerate() {
        put(agent, &place, number, part).await.expect(204);
    }
    place
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
