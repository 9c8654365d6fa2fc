//! Ways through pages: where a form leads, where the focus is, and that nothing moves under a person's hand.

use holdfast::base::identity::Role;
use serde_json::{Value, json};

use super::{Office, console_is_quiet, field, focus_is_on, id};
use crate::orders::stock;
use crate::support::browser::{At, Browser, Look};
use crate::support::workspace::address;
use crate::support::{Case, TestEnvironment, cases, wait};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: a_form_on_a_page_of_its_own_leads_to_the_lead_and_going_back_shows_no_form,
            a_note_on_a_page_of_its_own_leads_to_its_lead,
            the_order_form_keeps_its_place_while_a_state_is_searched,
            buttons_are_aligned_and_apart_from_what_is_above_them
    ]
}

/// Waits until the browser shows this address and this title.
async fn is_at(person: &Browser, address: &str, title: &str) {
    wait::until(&format!("{address} is shown"), async || person.url().await == address).await;
    wait::until(&format!("the title is {title}"), async || {
        person.run("return document.title", Vec::new()).await == format!("{title} · Holdfast")
    })
    .await;
}

async fn goes_back_to_the_list(person: &Browser, office: &Office) {
    person.run("history.back()", Vec::new()).await;
    person.wait_for("#lead-rows").await;
    assert_eq!(person.url().await, office.url("/leads"));
}

async fn a_form_on_a_page_of_its_own_leads_to_the_lead_and_going_back_shows_no_form(
    environment: TestEnvironment,
) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    let name = field(&lead, "name");
    let edit = async || {
        ada.goto(&office.url("/leads")).await;
        ada.goto(&format!("{}/edit", office.page(&lead))).await;
        ada.wait_for(&name).await;
    };

    // A refused form stays on its page, and the next try leads to the lead.
    edit().await;
    ada.choose(At::Css(&field(&lead, "status")), "Converted").await;
    ada.click(At::Named("Save")).await;
    ada.wait_for("[aria-invalid=true]").await;
    is_at(&ada, &format!("{}/edit", office.page(&lead)), "Edit Grace Hopper").await;
    ada.choose(At::Css(&field(&lead, "status")), "Qualified").await;
    ada.fill(At::Css(&name), "Grace B. Hopper").await;
    ada.click(At::Named("Save")).await;
    ada.wait_for_text("#lead-history", "Changed by Ada").await;
    is_at(&ada, &office.page(&lead), "Grace B. Hopper").await;
    focus_is_on(&ada, "Edit").await;
    goes_back_to_the_list(&ada, &office).await;

    // The same after a conflict.
    edit().await;
    office.change(&lead, json!({ "leadScore": 72 })).await;
    ada.fill(At::Css(&name), "Grace M. Hopper").await;
    ada.click(At::Named("Save")).await;
    ada.click(At::Css(".conflict [type=submit]")).await;
    ada.wait_for_text("#lead-history", "72").await;
    is_at(&ada, &office.page(&lead), "Grace M. Hopper").await;
    goes_back_to_the_list(&ada, &office).await;

    // A canceled form, and one of a lead that was deleted in the meantime.
    edit().await;
    ada.click(At::Named("Cancel")).await;
    ada.wait_for("#lead-history").await;
    is_at(&ada, &office.page(&lead), "Grace M. Hopper").await;
    goes_back_to_the_list(&ada, &office).await;

    edit().await;
    let version = office.now(&lead).await["version"].clone();
    let path = format!("{}?version={version}", address(&lead));
    office.program.delete(&path).send().await.expect(204);
    ada.click(At::Named("Cancel")).await;
    ada.wait_for_text("#lead", "deleted this lead").await;
    is_at(&ada, &office.page(&lead), "Grace M. Hopper").await;
    console_is_quiet(&ada).await;
}

async fn a_note_on_a_page_of_its_own_leads_to_its_lead(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    let notes = format!("{}/notes", address(&lead));
    let ada_writes =
        "return fetch(arguments[0], { method: 'POST', headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ text: 'Called' }) }).then((answer) => answer.json())";
    let note = ada.run(ada_writes, vec![notes.into()]).await;
    ada.goto(&format!("{}/notes/{}", office.page(&lead), id(&note))).await;
    ada.fill(At::Named("Note"), " ").await;
    ada.click(At::Named("Save note")).await;
    ada.wait_for("#note-error").await;
    ada.fill(At::Named("Note"), "Called twice").await;
    ada.click(At::Named("Save note")).await;
    ada.wait_for_text("#lead-history", "Called twice").await;
    is_at(&ada, &office.page(&lead), "Grace Hopper").await;
    goes_back_to_the_list(&ada, &office).await;
    console_is_quiet(&ada).await;
}

/// The place of an element in the page: left, top, width and height.
async fn place(person: &Browser, css: &str) -> Vec<f64> {
    let script = "const box = document.querySelector(arguments[0]).getBoundingClientRect();
        return [box.left, box.top + scrollY, box.width, box.height]";
    let place = person.run(script, vec![css.into()]).await;
    place.as_array().expect("a place").iter().map(|number| number.as_f64().expect("a number")).collect()
}

async fn the_order_form_keeps_its_place_while_a_state_is_searched(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    stock(&office.workspace, "NY", 2).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    for look in [Look::desktop(), Look::phone()] {
        ada.look(look).await;
        ada.goto(&office.url("/orders/new")).await;
        let before = [place(&ada, ".states").await, place(&ada, "#order-preview").await];
        for (typed, shown) in [("zz", 0), ("tex", 1), ("new", 4)] {
            ada.fill(At::Named("Find a state"), typed).await;
            let visible = "return [...document.querySelectorAll('.choice')].filter(
                (choice) => choice.checkVisibility({ visibilityProperty: true })).length";
            wait::until("the states are filtered", async || ada.run(visible, Vec::new()).await == shown)
                .await;
            assert_eq!(
                [place(&ada, ".states").await, place(&ada, "#order-preview").await],
                before,
                "{typed}"
            );
            let none = if shown == 0 { "No states match." } else { "" };
            assert_eq!(
                ada.run("return document.querySelector('[data-no-match]').textContent", vec![]).await,
                none
            );
        }
    }
    // On a phone a line at the bottom of the window says what the order gets, and leads to the preview.
    ada.fill(At::Named("Find a state"), "").await;
    ada.click(At::Css("input[value=NY]")).await;
    ada.wait_for_text(".order-bar", "2 leads from 1 state").await;
    let in_sight = "const box = document.querySelector(arguments[0]).getBoundingClientRect();
        return box.top >= 0 && box.top < innerHeight - 100 || box.bottom === innerHeight";
    assert_eq!(ada.run(in_sight, vec![".order-bar".into()]).await, true);
    ada.run("scrollTo(0, 0)", Vec::new()).await;
    assert_eq!(ada.run(in_sight, vec!["#preview-heading".into()]).await, false, "the preview is below");
    ada.click(At::Named("See the preview")).await;
    wait::until("the preview is in sight", async || {
        ada.run(in_sight, vec!["#preview-heading".into()]).await == true
    })
    .await;
    let focused = "return document.activeElement.id";
    assert_eq!(ada.run(focused, Vec::new()).await, "order-preview");
    console_is_quiet(&ada).await;
}

async fn buttons_are_aligned_and_apart_from_what_is_above_them(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    stock(&office.workspace, "NY", 1).await;
    let root = office.person(Role::Administrator, "Root", Look::desktop()).await;
    let rule = json!({
        "name": "Serve hot leads", "on": "lead.qualified",
        "command": "create_order customer_name=Acme customer_email=buy@acme.example requested_states={state}",
    });
    let administrator = office.workspace.program(Role::Administrator).await;
    administrator.post("/api/automation/rules").json(&rule).send().await.expect(201);
    let buttons = "return [...document.querySelectorAll('.runs > li > .actions :is(a, button, summary)')]
        .filter((button) => button.checkVisibility()).map((button) => button.getBoundingClientRect())
        .map((box) => [box.top, box.height])";
    for look in [Look::desktop(), Look::phone()] {
        root.look(look).await;
        root.goto(&office.url("/automation/rules")).await;
        let places = root.run(buttons, Vec::new()).await;
        let places = places.as_array().expect("places");
        assert_eq!(places.len(), 3, "{places:?}");
        assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
    }

    let order =
        json!({ "customerName": "Acme", "customerEmail": "buy@acme.example", "requestedStates": ["NY"] });
    let order: Value = office.program.post("/api/orders").json(&order).send().await.expect(201).json();
    let path = format!("/orders/{}", id(&order));
    office.program.delete(&format!("/api{path}?version=1")).send().await.expect(204);
    root.goto(&office.url(&path)).await;
    let gap = "const box = (css) => document.querySelector(css).getBoundingClientRect();
        return box('.timeline + .actions').top - box('.timeline').bottom";
    let gap = root.run(gap, Vec::new()).await.as_f64().expect("a number");
    assert!((12.0..40.0).contains(&gap), "the button is {gap} below the history");
}
