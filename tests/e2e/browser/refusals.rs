//! What a person sees when a change is refused, still running, or lost: the typed values always stay.

use serde_json::json;

use super::{Office, Place, WRITE, console_is_quiet, field, focus_is_somewhere};
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: a_broken_rule_is_shown_beside_its_field_and_the_typed_values_stay,
            typed_values_survive_a_lost_network_and_can_be_saved_later,
            a_button_is_disabled_while_its_request_runs,
            a_form_submitted_twice_is_sent_once
    ]
}

async fn a_broken_rule_is_shown_beside_its_field_and_the_typed_values_stay(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    for (place, name) in [(Place::Page, "Grace Hopper"), (Place::Row, "Mary Jackson")] {
        let lead = office.lead(name, 79).await;
        office.edit(&ada, &lead, place).await;
        ada.fill(At::Css(&field(&lead, "name")), "Typed by Ada").await;
        ada.choose(At::Css(&field(&lead, "status")), "Converted").await;
        ada.click(At::Named("Save")).await;

        let wrong = "[aria-invalid=true]";
        ada.wait_for(wrong).await;
        let script = "const wrong = document.querySelector(arguments[0]);
             return [document.activeElement === wrong, wrong.name,
               document.getElementById(wrong.getAttribute('aria-describedby')).textContent]";
        let marked = ada.run(script, vec![wrong.into()]).await;
        assert_eq!(marked[0], true, "the focus is on the field: {marked}");
        assert_eq!(marked[1], "status", "{marked}");
        assert!(marked[2].as_str().unwrap().contains("80"), "the error names the rule: {marked}");
        assert_eq!(ada.value(At::Css(&field(&lead, "name"))).await, "Typed by Ada");
        assert_eq!(ada.value(At::Css(&field(&lead, "status"))).await, "CONVERTED");
        assert_eq!(office.now(&lead).await["version"], 1);

        ada.fill(At::Css(&field(&lead, "leadScore")), "80").await;
        ada.click(At::Named("Save")).await;
        ada.wait_for_text(&place.lead(&lead), "Converted").await;
        ada.wait_for_text(&place.lead(&lead), "Typed by Ada").await;
        assert_eq!(office.now(&lead).await["status"], "CONVERTED");
    }
    console_is_quiet(&ada).await;
}

async fn typed_values_survive_a_lost_network_and_can_be_saved_later(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    for (place, name) in [(Place::Page, "Grace Hopper"), (Place::Row, "Mary Jackson")] {
        let lead = office.lead(name, 50).await;
        office.edit(&ada, &lead, place).await;
        ada.fill(At::Css(&field(&lead, "leadScore")), "66").await;
        ada.offline(true).await;
        ada.click(At::Named("Save")).await;
        ada.wait_for_text("#toast-alert", "No connection. What you typed is still here").await;
        assert_eq!(ada.value(At::Css(&field(&lead, "leadScore"))).await, "66");
        focus_is_somewhere(&ada).await;
        ada.offline(false).await;
        ada.click(At::Named("Save")).await;
        ada.wait_for_text(&place.lead(&lead), "66").await;
        assert_eq!(office.now(&lead).await["leadScore"], 66);
    }
}

async fn a_button_is_disabled_while_its_request_runs(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    for (place, name) in [(Place::Page, "Grace Hopper"), (Place::Row, "Mary Jackson")] {
        let lead = office.lead(name, 50).await;
        office.edit(&ada, &lead, place).await;
        ada.fill(At::Css(&field(&lead, "leadScore")), "67").await;
        let gate = office.environment.wire().hold(1, WRITE);
        ada.click(At::Named("Save")).await;
        gate.arrived(1).await;
        assert_eq!(save_is_disabled(&ada).await, json!([true]));
        gate.open();
        ada.wait_for_text(&place.lead(&lead), "67").await;

        // After a refusal the button can be pressed again.
        office.edit(&ada, &lead, place).await;
        ada.choose(At::Css(&field(&lead, "status")), "Converted").await;
        ada.click(At::Named("Save")).await;
        ada.wait_for("[aria-invalid=true]").await;
        assert_eq!(save_is_disabled(&ada).await, json!([false]));
    }
}

/// For each save button, whether it is disabled.
async fn save_is_disabled(person: &Browser) -> serde_json::Value {
    let script = "return Array.from(document.querySelectorAll('main [type=submit]'))
        .filter(button => button.textContent === 'Save').map(button => button.disabled)";
    person.run(script, Vec::new()).await
}

async fn a_form_submitted_twice_is_sent_once(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/leads/new")).await;
    ada.fill(At::Named("Name"), "Grace Hopper").await;
    ada.fill(At::Named("Email"), "grace@example.com").await;
    ada.fill(At::Named("Lead score (0 to 100)"), "50").await;
    office.environment.wire().reset();
    // Each click is followed by two more at once. Without a real click, the browser may leave the form out of its
    // history.
    let press = "const button = document.querySelector('main [type=submit]');
        button.addEventListener('click', () => setTimeout(() => {
            button.click(); button.form.requestSubmit();
            sessionStorage.setItem('disabled', button.disabled);
        }), { once: true })";
    ada.run(press, Vec::new()).await;
    ada.click(At::Named("Create lead")).await;
    ada.wait_for_text("#lead h1", "Grace Hopper").await;
    assert_eq!(office.environment.wire().count(WRITE), 1);
    assert_eq!(ada.run("return sessionStorage.getItem('disabled')", Vec::new()).await, "true");
    // Back at the form it can be sent again. The page appears a moment before the address changes.
    ada.wait_to_leave("/leads/new").await;
    ada.run("history.back()", Vec::new()).await;
    ada.wait_for("input[name=email]").await;
    // The browser may or may not restore the typed values.
    ada.fill(At::Named("Name"), "Grace Hopper").await;
    ada.fill(At::Named("Email"), "grace@example.com").await;
    ada.fill(At::Named("Lead score (0 to 100)"), "50").await;
    ada.click(At::Named("Create lead")).await;
    ada.wait_for_text(".error", "email").await;
    console_is_quiet(&ada).await;
}
