//! Two people edit one lead: the loser sees the other person's changes, keeps the typed values, and continues with
//! one click.

use serde_json::{Value, json};

use super::{Office, PROGRAM, Place, changes, console_is_quiet, field, focus_is_somewhere};
use crate::support::browser::{At, Browser, Look};
use crate::support::workspace::address;
use crate::support::{Case, TestEnvironment, cases};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: the_loser_applies_her_edit_with_one_click_on_a_lead_page,
            the_loser_applies_her_edit_with_one_click_in_a_row,
            a_choice_resolves_a_field_that_both_changed_on_a_lead_page,
            a_choice_resolves_a_field_that_both_changed_in_a_row,
            a_lead_deleted_during_an_edit_is_reported_and_the_typed_values_stay,
            going_back_shows_current_data_and_keeps_edits
    ]
}

/// Ada and Bob have the form of one lead open, and Bob saves first.
async fn bob_saves_first(office: &Office, lead: &Value, place: Place) -> Browser {
    let ada = office.agent("Ada", Look::desktop()).await;
    let bob = office.agent("Bob", Look::desktop()).await;
    office.edit(&ada, lead, place).await;
    office.edit(&bob, lead, place).await;
    bob.fill(At::Css(&field(lead, "leadScore")), "72").await;
    bob.click(At::Named("Save")).await;
    bob.wait_for_text("#toast-status", "Saved.").await;
    bob.wait_for_text(&place.lead(lead), "72").await;
    ada
}

async fn the_loser_applies_her_edit_with_one_click_on_a_lead_page(environment: TestEnvironment) {
    edits_that_do_not_overlap(environment, Place::Page).await;
}

async fn the_loser_applies_her_edit_with_one_click_in_a_row(environment: TestEnvironment) {
    edits_that_do_not_overlap(environment, Place::Row).await;
}

async fn edits_that_do_not_overlap(environment: TestEnvironment, place: Place) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = bob_saves_first(&office, &lead, place).await;
    ada.fill(At::Css(&field(&lead, "name")), "Grace B. Hopper").await;
    ada.click(At::Named("Save")).await;

    ada.wait_for_text(".conflict [role=alert]", "Bob changed lead score 50 → 72 at ").await;
    ada.wait_for_text(".conflict [role=alert]", "while you were editing").await;
    ada.wait_for_text(".conflict tr.kept", "Grace B. Hopper").await;
    ada.wait_for_text(".conflict tr.theirs", "72").await;
    focus_is_somewhere(&ada).await;
    let now = office.now(&lead).await;
    assert_eq!((&now["name"], &now["version"]), (&json!("Grace Hopper"), &json!(2)));

    ada.click(At::Named("Keep my changes")).await;
    ada.wait_until_gone(".conflict").await;
    ada.wait_for_text(&place.lead(&lead), "Grace B. Hopper").await;
    ada.wait_for_text(&place.lead(&lead), "72").await;
    focus_is_somewhere(&ada).await;
    let now = office.now(&lead).await;
    assert_eq!((&now["name"], &now["leadScore"]), (&json!("Grace B. Hopper"), &json!(72)));
    let by = |who: &str, field: &str| (who.to_owned(), vec![field.to_owned()]);
    assert_eq!(changes(&office, &lead).await[..2], [by("Ada", "name"), by("Bob", "leadScore")]);
    if matches!(place, Place::Page) {
        ada.wait_for_text("#lead-history", "Changed by Ada").await;
        ada.wait_for_text("#lead-history", "Changed by Bob").await;
    }
    console_is_quiet(&ada).await;
}

async fn a_choice_resolves_a_field_that_both_changed_on_a_lead_page(environment: TestEnvironment) {
    edits_that_overlap(environment, Place::Page).await;
}

async fn a_choice_resolves_a_field_that_both_changed_in_a_row(environment: TestEnvironment) {
    edits_that_overlap(environment, Place::Row).await;
}

async fn edits_that_overlap(environment: TestEnvironment, place: Place) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = bob_saves_first(&office, &lead, place).await;
    ada.fill(At::Css(&field(&lead, "leadScore")), "33").await;
    ada.choose(At::Css(&field(&lead, "status")), "Qualified").await;
    ada.click(At::Named("Save")).await;

    ada.wait_for_text(".conflict tr.overlap", "Lead score").await;
    ada.wait_for_text(".conflict tr.kept", "Qualified").await;
    // No choice is preselected, and the form is not sent without one.
    ada.click(At::Named("Save these choices")).await;
    let ready = "return document.querySelector('.conflict form').checkValidity()";
    assert_eq!(ada.run(ready, Vec::new()).await, false);
    assert_eq!(office.now(&lead).await["version"], 2);

    // A second conflict, in another field: the choice made so far comes back as an edit of hers.
    office.change(&lead, json!({ "state": "TX" })).await;
    ada.click(At::Named("Lead score: mine, 33")).await;
    ada.click(At::Named("Save these choices")).await;
    ada.wait_for_text(".conflict [role=alert]", &format!("{PROGRAM} changed state NY → TX")).await;
    ada.wait_for_text(".conflict tr.theirs", "TX").await;
    ada.click(At::Named("Keep my changes")).await;
    ada.wait_until_gone(".conflict").await;
    ada.wait_for_text(&place.lead(&lead), "33").await;
    focus_is_somewhere(&ada).await;
    let now = office.now(&lead).await;
    assert_eq!((&now["leadScore"], &now["status"]), (&json!(33), &json!("QUALIFIED")));
    assert_eq!((&now["state"], &now["version"]), (&json!("TX"), &json!(4)));
    console_is_quiet(&ada).await;
}

async fn a_lead_deleted_during_an_edit_is_reported_and_the_typed_values_stay(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    for (place, name) in [(Place::Page, "Grace Hopper"), (Place::Row, "Mary Jackson")] {
        let lead = office.lead(name, 50).await;
        office.edit(&ada, &lead, place).await;
        ada.fill(At::Css(&field(&lead, "leadScore")), "64").await;
        let address = format!("{}?version=1", address(&lead));
        office.program.delete(&address).send().await.expect(204);
        ada.click(At::Named("Save")).await;
        ada.wait_for_text(".conflict [role=alert]", &format!("This lead was deleted by {PROGRAM} at ")).await;
        ada.wait_for_text(".conflict .compare", "64").await;
        focus_is_somewhere(&ada).await;

        ada.click(At::Named("Create it again")).await;
        ada.wait_for_text("#lead h1", name).await;
        ada.wait_for_text("#lead .facts", "64").await;
    }
    console_is_quiet(&ada).await;
}

/// The event of a page that the browser restores from its cache.
const SHOWN_AGAIN: &str = "window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))";

async fn going_back_shows_current_data_and_keeps_edits(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.page(&lead)).await;
    office.change(&lead, json!({ "leadScore": 61 })).await;
    ada.run(SHOWN_AGAIN, Vec::new()).await;
    ada.wait_for_text("#lead .facts", "61").await;
    assert_eq!(ada.count("#content").await, 1, "the page is not nested");

    // An untouched form is replaced; a form with an edit stays, however often the page is shown.
    office.edit(&ada, &lead, Place::Page).await;
    ada.run(SHOWN_AGAIN, Vec::new()).await;
    ada.wait_until_gone(&field(&lead, "name")).await;
    office.edit(&ada, &lead, Place::Page).await;
    ada.fill(At::Css(&field(&lead, "name")), "Grace B. Hopper").await;
    office.change(&lead, json!({ "leadScore": 62 })).await;
    let calls = office.environment.wire().total();
    ada.run(SHOWN_AGAIN, Vec::new()).await;
    assert_eq!(ada.value(At::Css(&field(&lead, "name"))).await, "Grace B. Hopper");
    assert_eq!(office.environment.wire().total(), calls, "nothing is requested");
    // A refused form counts as an edit as well.
    ada.fill(At::Css(&field(&lead, "leadScore")), "63").await;
    ada.click(At::Named("Save")).await;
    ada.wait_for(".conflict").await;
    ada.run(SHOWN_AGAIN, Vec::new()).await;
    ada.wait_for_text(".conflict .compare", "63").await;
    console_is_quiet(&ada).await;
}
