//! The harness itself: faults behave as documented, the record of calls is correct, and waiting ends.
//!
//! The cases use the plain SDK and small pages, so nothing here depends on the application.

mod clients;
mod wire;

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::process::Process;
use crate::support::{Case, TestEnvironment, browser, cases, property, wait};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        dynamodb: each_case_has_its_own_table;
        embedded: every_file_of_cases_is_listed,
            a_failing_property_names_its_smallest_value,
            waiting_has_a_time_limit,
            a_process_output_is_recorded_and_it_gets_signals;
        browser: two_people_have_separate_browsers;
    ];
    cases.extend(clients::all());
    cases.extend(wire::all());
    cases
}

async fn each_case_has_its_own_table(environment: TestEnvironment) {
    wire::make_table(&environment).await;
    let other = TestEnvironment::on(environment.engine().kind(), "harness::other").await.unwrap();
    assert_ne!(environment.table(), other.table());
    let client = other.sdk_client();
    let description = client.describe_table().table_name(other.table()).send().await;
    assert!(description.is_err(), "the other environment's table was never created");

    wire::make_table(&other).await;
    let name = other.table().to_owned();
    other.close().await;
    let gone = environment.sdk_client().describe_table().table_name(name).send().await;
    assert!(gone.is_err(), "a closed environment's table is deleted");
}

async fn every_file_of_cases_is_listed(_: TestEnvironment) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    names.remove("main");
    let listed: BTreeSet<_> = crate::MODULES.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(names, listed, "the modules that main.rs lists are not the files of the folder");
}

async fn a_failing_property_names_its_smallest_value(_: TestEnvironment) {
    property::holds_for_all(64, 0_u32..1000, async |value| assert!(value < 1000)).await;

    let failing = property::counterexample(64, 0_u32..1000, async |value| assert!(value < 17));
    let message = failing.await.unwrap();
    assert!(message.ends_with("smallest value 17"), "{message}");
}

async fn waiting_has_a_time_limit(_: TestEnvironment) {
    let limit = std::time::Duration::from_millis(50);
    let mut checks = 0;
    let outcome = wait::within(limit, || {
        checks += 1;
        async { Err::<(), _>("not yet") }
    });
    assert_eq!(outcome.await, Err("not yet"));
    assert!(checks > 1, "it checked only once");

    let mut checks = 0;
    wait::until("the third check", || {
        checks += 1;
        let third = checks == 3;
        async move { third }
    })
    .await;
}

async fn a_process_output_is_recorded_and_it_gets_signals(_: TestEnvironment) {
    let mut command = std::process::Command::new("sh");
    command
        .env("WORD", "listening")
        .args(["-c", "trap 'echo bye; exit 7' TERM; echo $WORD; while :; do sleep 0.05; done"]);
    let process = Process::start("harness-process", &command).unwrap();
    wait::until("the process prints a line", async || process.last_line() == "listening").await;
    assert_eq!(process.ended(), None);
    process.signal("TERM");
    wait::until("the process ends", async || process.ended().is_some()).await;
    assert_eq!(process.ended().unwrap().code(), Some(7));
    assert_eq!(process.output(), "listening\nbye\n");
}

async fn two_people_have_separate_browsers(environment: TestEnvironment) {
    let server = clients::server().await;
    let ada = environment.browser(browser::Look::desktop()).await;
    let bob = environment.browser(browser::Look::phone()).await;
    ada.goto(&server.url("/visit")).await;
    bob.goto(&server.url("/visit")).await;
    ada.goto(&server.url("/visit")).await;
    ada.wait_for_text("output", "visits: 2").await;
    bob.wait_for_text("output", "visits: 1").await;
}
