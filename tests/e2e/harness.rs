//! The harness itself: that faults fail as they say, that the record is true, that waiting ends.
//!
//! The steps are calls of the raw SDK and small pages, so nothing here depends on the product.

mod clients;
mod wire;

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::process::Process;
use crate::support::{Case, TestEnvironment, browser, cases, property, wait};

/// The cases of this module and its parts.
pub fn all() -> Vec<Case> {
    let mut cases = cases![
        dynamodb: a_case_has_a_table_of_its_own;
        embedded: every_file_of_cases_is_told,
            a_property_that_fails_names_its_smallest_value,
            waiting_for_what_never_comes_ends,
            a_process_is_heard_and_takes_signals;
        browser: two_people_have_a_browser_each;
    ];
    cases.extend(clients::all());
    cases.extend(wire::all());
    cases
}

async fn a_case_has_a_table_of_its_own(environment: TestEnvironment) {
    wire::make_table(&environment).await;
    let neighbour = TestEnvironment::on(environment.engine().kind(), "harness::neighbour").await.unwrap();
    assert_ne!(environment.table(), neighbour.table());
    let client = neighbour.sdk_client();
    let description = client.describe_table().table_name(neighbour.table()).send().await;
    assert!(description.is_err(), "the neighbour's table was never made");

    wire::make_table(&neighbour).await;
    let name = neighbour.table().to_owned();
    neighbour.close().await;
    let gone = environment.sdk_client().describe_table().table_name(name).send().await;
    assert!(gone.is_err(), "a closed world's table is deleted");
}

async fn every_file_of_cases_is_told(_: TestEnvironment) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    names.remove("main");
    let told: BTreeSet<_> = crate::MODULES.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(names, told, "main.rs lists other modules than there are files");
}

async fn a_property_that_fails_names_its_smallest_value(_: TestEnvironment) {
    property::holds_for_all(64, 0_u32..1000, async |value| assert!(value < 1000)).await;

    let failing = property::counterexample(64, 0_u32..1000, async |value| assert!(value < 17));
    let message = failing.await.unwrap();
    assert!(message.ends_with("smallest value 17"), "{message}");
}

async fn waiting_for_what_never_comes_ends(_: TestEnvironment) {
    let limit = std::time::Duration::from_millis(50);
    let mut looks = 0;
    let outcome = wait::within(limit, || {
        looks += 1;
        async { Err::<(), _>("not yet") }
    });
    assert_eq!(outcome.await, Err("not yet"));
    assert!(looks > 1, "it looked only once");

    let mut looks = 0;
    wait::until("the third look", || {
        looks += 1;
        let third = looks == 3;
        async move { third }
    })
    .await;
}

async fn a_process_is_heard_and_takes_signals(_: TestEnvironment) {
    let mut command = std::process::Command::new("sh");
    command
        .env("WORD", "listening")
        .args(["-c", "trap 'echo bye; exit 7' TERM; echo $WORD; while :; do sleep 0.05; done"]);
    let process = Process::start("harness-process", &command).unwrap();
    wait::until("the process speaks", async || process.last_words() == "listening").await;
    assert_eq!(process.ended(), None);
    process.signal("TERM");
    wait::until("the process ends", async || process.ended().is_some()).await;
    assert_eq!(process.ended().unwrap().code(), Some(7));
    assert_eq!(process.output(), "listening\nbye\n");
}

async fn two_people_have_a_browser_each(environment: TestEnvironment) {
    let server = clients::server().await;
    let ada = environment.browser(browser::Look::desktop()).await;
    let bob = environment.browser(browser::Look::phone()).await;
    ada.goto(&server.url("/visit")).await;
    bob.goto(&server.url("/visit")).await;
    ada.goto(&server.url("/visit")).await;
    ada.wait_for_text("output", "visits: 2").await;
    bob.wait_for_text("output", "visits: 1").await;
}
