//! Imports in a browser: a file is previewed, mapped by hand, counted during the import, and reported.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Office, WRITE, console_is_quiet, focus_is_somewhere};
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases, process, wait};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: a_file_is_previewed_mapped_by_hand_and_imported_once,
            rejected_rows_are_listed_and_offered_for_correction,
            an_import_of_five_hundred_rows_shows_its_progress
    ]
}

/// The limit for all steps of an import.
const WORK: Duration = Duration::from_secs(90);

/// The path of a fixture.
pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/leads").join(name)
}

/// Uploads a file and waits for its preview.
pub(super) async fn upload(office: &Office, person: &Browser, file: &Path) {
    person.goto(&office.url("/leads/imports/new")).await;
    person.upload("#file", file).await;
    person.click(At::Named("Upload")).await;
    person.wait_for("table.preview").await;
}

/// Waits for the report: created, skipped, rejected.
async fn report(person: &Browser) -> Value {
    let done = wait::within(WORK, async || match person.count("#import-progress [role=status]").await {
        0 => Err(person.text(At::Css("#import-progress")).await),
        _ => Ok(()),
    });
    done.await.unwrap_or_else(|status| panic!("the import is not done after {WORK:?}: {status}"));
    let script = "return Array.from(document.querySelectorAll('.counts dd'), dd => Number(dd.textContent))";
    person.run(script, Vec::new()).await
}

async fn a_file_is_previewed_mapped_by_hand_and_imported_once(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/leads")).await;
    ada.click(At::Named("Import a CSV")).await;
    ada.wait_for("#file").await;
    upload(&office, &ada, &fixture("contacts.csv")).await;
    assert_eq!(ada.value(At::Named("first_name")).await, "first-name");
    assert_eq!(ada.value(At::Named("state")).await, "state");
    ada.wait_for_text("table.preview", "Thibodeaux, Landry & Co").await;
    ada.wait_for_text("main", "Nothing has been imported yet").await;

    // A wrong mapping: without a name the import does not start.
    ada.choose(At::Named("first_name"), "Ignore").await;
    ada.choose(At::Named("last_name"), "Ignore").await;
    ada.choose(At::Named("email"), "Ignore").await;
    ada.click(At::Named("Import 36 rows")).await;
    ada.wait_for("[role=alert].bad").await;
    assert_eq!(ada.value(At::Named("first_name")).await, "ignore");
    ada.choose(At::Named("company_name"), "Full name").await;
    ada.choose(At::Named("email"), "Email").await;
    ada.choose(At::Named("state"), "Ignore").await;
    ada.click(At::Named("Import 36 rows")).await;
    assert_eq!(report(&ada).await, json!([36, 0, 0]));
    focus_is_somewhere(&ada).await;
    let found = office.program.get("/api/leads?q=landry").send().await.expect(200).json::<Value>();
    assert_eq!(found["items"][0]["name"], "Thibodeaux, Landry & Co");
    assert_eq!(found["items"][0]["state"], Value::Null);

    upload(&office, &ada, &fixture("contacts.csv")).await;
    ada.click(At::Named("Import 36 rows")).await;
    assert_eq!(report(&ada).await, json!([0, 36, 0]));
    ada.click(At::Named("View leads")).await;
    ada.wait_for_text("#lead-rows", "Littlefield Lobster").await;
    console_is_quiet(&ada).await;
}

async fn rejected_rows_are_listed_and_offered_for_correction(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    upload(&office, &ada, &fixture("contacts-with-mistakes.csv")).await;
    ada.click(At::Css("main form [type=submit]")).await;
    let counts = report(&ada).await;
    let rejected = counts[2].as_u64().unwrap();
    assert!(counts[0].as_u64() > Some(0) && rejected > 3, "{counts}");
    assert_eq!(ada.count("#import-progress .compare tbody tr").await as u64, rejected);
    ada.wait_for_text("#import-progress .compare", "zelda").await;
    let link = ada.find(At::Named("Download rejected rows")).await;
    let address = link.prop("href").await.unwrap().unwrap();
    let download = "return fetch(arguments[0]).then(answer => answer.text())";
    let file = ada.run(download, vec![address.into()]).await;
    let file = file.as_str().unwrap();
    assert!(file.contains("zelda.quackenbush.example.org"), "{file}");
    console_is_quiet(&ada).await;
}

async fn an_import_of_five_hundred_rows_shows_its_progress(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    let file = process::target().join(format!("five-hundred-{}.csv", std::process::id()));
    let row = |n| format!("Person{n},Number{n},person{n}@example.com,Texas,{}\r\n", n % 101);
    let rows: String = (0..500).map(row).collect();
    std::fs::write(&file, format!("First name,Last name,Email Address,State/Province,Score\r\n{rows}"))
        .unwrap();
    upload(&office, &ada, &file).await;

    let start = office.environment.wire().hold(1, WRITE);
    ada.click(At::Named("Import 500 rows")).await;
    start.arrived(1).await;
    let first_step = office.environment.wire().hold(1, WRITE);
    start.open();
    first_step.arrived(1).await;
    ada.wait_for_text("#import-progress", "0 of ").await;
    let listen = "window.seen = []; document.addEventListener('htmx:afterSwap', () =>
        window.seen.push(Number(document.querySelector('#import-progress progress')?.value)))";
    ada.run(listen, Vec::new()).await;
    first_step.open();
    assert_eq!(report(&ada).await, json!([500, 0, 0]));
    let seen = ada.run("return window.seen", Vec::new()).await;
    let seen: Vec<f64> = seen.as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert!(seen.len() > 1 && seen.is_sorted() && seen[0] > 0.0, "the bar never shrinks: {seen:?}");

    upload(&office, &ada, &file).await;
    std::fs::remove_file(&file).unwrap();
    ada.click(At::Named("Import 500 rows")).await;
    assert_eq!(report(&ada).await, json!([0, 500, 0]));
    console_is_quiet(&ada).await;
}
