//! Search while typing: only rows change, the address follows, and a slow answer never replaces a newer one.

use fantoccini::key::Key;
use serde_json::json;

use super::{Office, console_is_quiet};
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases, wait};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: typing_searches_and_updates_the_address,
            a_slow_answer_never_replaces_a_newer_one,
            pasted_text_and_enter_start_a_search,
            a_long_list_is_paged_forward_and_back
    ]
}

const SEARCH: At<'static> = At::Named("Search leads");

/// Four people, two of them called Hopper.
async fn office_with_people(environment: TestEnvironment) -> Office {
    let office = Office::open(environment).await;
    for (name, score) in [("Grace Hopper", 50), ("Edward Hopper", 90), ("Mary Jackson", 70)] {
        office.lead(name, score).await;
    }
    let edward = json!({ "status": "QUALIFIED" });
    let found =
        office.program.get("/api/leads?q=edward").send().await.expect(200).json::<serde_json::Value>();
    office.change(&found["items"][0], edward).await;
    office
}

/// Waits until these leads are listed, in any order.
async fn lists(person: &Browser, names: &[&str]) {
    let script = "return Array.from(document.querySelectorAll('#lead-rows .name a'), a => a.textContent)";
    let mut wanted: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    wanted.sort();
    wait::until(&format!("{wanted:?} are listed"), async || {
        let listed = person.run(script, Vec::new()).await;
        let mut listed: Vec<String> = serde_json::from_value(listed).unwrap_or_default();
        listed.sort();
        listed == wanted
    })
    .await;
}

/// Waits until the address has this end.
async fn address_is(person: &Browser, end: &str) {
    let url = async || person.url().await;
    wait::until(&format!("the address ends with {end}"), async || url().await.ends_with(end)).await;
}

async fn typing_searches_and_updates_the_address(environment: TestEnvironment) {
    let office = office_with_people(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/leads")).await;
    ada.run("window.mark = 'the same page'", Vec::new()).await;
    ada.fill(SEARCH, "hop").await;
    lists(&ada, &["Grace Hopper", "Edward Hopper"]).await;
    address_is(&ada, "/leads?q=hop").await;
    ada.wait_for_text("#lead-rows .tail", "2 leads").await;
    assert_eq!(
        ada.run("return document.getElementById('lead-count').textContent", Vec::new()).await,
        "2 leads shown"
    );

    ada.choose(At::Named("Status"), "Qualified").await;
    lists(&ada, &["Edward Hopper"]).await;
    address_is(&ada, "/leads?q=hop&status=QUALIFIED").await;
    // All this was one page: only rows were replaced, and the field was never touched.
    let same = "return [window.mark, document.getElementById('q').value]";
    assert_eq!(ada.run(same, Vec::new()).await, json!(["the same page", "hop"]));

    ada.reload().await;
    lists(&ada, &["Edward Hopper"]).await;
    assert_eq!(ada.value(SEARCH).await, "hop");
    assert_eq!(ada.value(At::Named("Status")).await, "QUALIFIED");
    ada.click(At::Named("Edward Hopper")).await;
    ada.wait_for_text("#lead h1", "Edward Hopper").await;
    ada.run("history.back()", Vec::new()).await;
    lists(&ada, &["Edward Hopper"]).await;
    address_is(&ada, "/leads?q=hop&status=QUALIFIED").await;
    assert_eq!(ada.value(SEARCH).await, "hop");
    ada.run("history.forward()", Vec::new()).await;
    ada.wait_for_text("#lead h1", "Edward Hopper").await;
    ada.run("history.back()", Vec::new()).await;

    ada.fill(SEARCH, "nobody at all").await;
    ada.wait_for_text("#lead-rows", "No matching leads").await;
    ada.click(At::Named("Clear search and filters")).await;
    lists(&ada, &["Grace Hopper", "Edward Hopper", "Mary Jackson"]).await;
    address_is(&ada, "/leads").await;
    console_is_quiet(&ada).await;
}

async fn a_slow_answer_never_replaces_a_newer_one(environment: TestEnvironment) {
    let office = office_with_people(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/leads")).await;
    let listen = "window.ended = [];
        document.addEventListener('htmx:afterRequest', event => window.ended.push(event.detail.xhr.status))";
    ada.run(listen, Vec::new()).await;
    let gate = office.environment.wire().hold(1, "Query");
    ada.fill(SEARCH, "mary").await;
    gate.arrived(1).await;
    ada.fill(SEARCH, "grace").await;
    lists(&ada, &["Grace Hopper"]).await;
    // The newer request did not wait for the older one, which was canceled and has no status.
    let ended = ada.run("return window.ended", Vec::new()).await;
    assert_eq!((&ended[0], ended.as_array().unwrap().last()), (&json!(0), Some(&json!(200))));
    gate.open();
    // After the answer to a later request, the earlier one is answered too.
    let ask = "return fetch('/leads?q=mary').then(answer => answer.text()).then(text => text.length)";
    ada.run(ask, Vec::new()).await;
    lists(&ada, &["Grace Hopper"]).await;
    address_is(&ada, "/leads?q=grace").await;
}

async fn pasted_text_and_enter_start_a_search(environment: TestEnvironment) {
    let office = office_with_people(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/leads")).await;
    ada.run("window.mark = 'the same page'", Vec::new()).await;
    ada.fill(SEARCH, "hopper").await;
    ada.press(&Key::Enter).await;
    lists(&ada, &["Grace Hopper", "Edward Hopper"]).await;
    address_is(&ada, "/leads?q=hopper").await;

    ada.press(&(Key::Control + "a")).await;
    ada.press("mary").await;
    lists(&ada, &["Mary Jackson"]).await;
    ada.press(&(Key::Control + "a")).await;
    ada.press(&(Key::Control + "c")).await;
    ada.press("hopper").await;
    lists(&ada, &["Grace Hopper", "Edward Hopper"]).await;
    ada.press(&(Key::Control + "a")).await;
    // As with the mouse: no key is released afterward, so the paste event itself starts the search.
    let paste = json!({ "type": "rawKeyDown", "modifiers": 2, "key": "v", "code": "KeyV",
        "windowsVirtualKeyCode": 86, "commands": ["paste"] });
    ada.devtools("Input.dispatchKeyEvent", paste).await;
    lists(&ada, &["Mary Jackson"]).await;
    address_is(&ada, "/leads?q=mary").await;
    assert_eq!(ada.run("return window.mark", Vec::new()).await, "the same page");
    console_is_quiet(&ada).await;
}

async fn a_long_list_is_paged_forward_and_back(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/leads")).await;
    ada.click(At::Named("Load sample leads")).await;
    ada.click(At::Named("View leads")).await;
    ada.choose(At::Named("Order"), "Highest score first").await;
    address_is(&ada, "/leads?sort=score").await;
    ada.wait_for("#lead-rows tr:first-child meter[value='100']").await;
    let first = ada.text(At::Css("#lead-rows .name a")).await;

    ada.click(At::Named("Next page")).await;
    ada.click(At::Named("First page")).await;
    wait::until("the first page is back", async || ada.text(At::Css("#lead-rows .name a")).await == first)
        .await;
    ada.click(At::Named("Next page")).await;
    ada.wait_for("#lead-rows .pager a:first-child").await;
    super::focus_is_somewhere(&ada).await;
    wait::until("the address has a cursor", async || ada.url().await.contains("cursor=")).await;
    let second = ada.text(At::Css("#lead-rows .name a")).await;
    ada.reload().await;
    assert_eq!(ada.text(At::Css("#lead-rows .name a")).await, second);
    ada.run("history.back()", Vec::new()).await;
    wait::until("the first page is back", async || ada.text(At::Css("#lead-rows .name a")).await == first)
        .await;
    console_is_quiet(&ada).await;
}
