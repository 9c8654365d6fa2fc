//! A session that ends while a person types: the second step of signing in again, in the dialog and without JavaScript.

use std::collections::BTreeSet;

use fantoccini::key::Key;
use holdfast::accounts::change::Operator;
use holdfast::base::identity::Role;
use jiff::Timestamp;
use serde_json::json;

use super::pages::assert_accessible;
use super::sign_in_dialog::{DIALOG, PASSWORD, PASSWORD_FIELD, SIGN_IN, agent, end_session};
use super::{Office, Place, console_is_quiet, field, focus_is_on};
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases};
use crate::two_factor::{code_at, field as hidden, recovery_codes, shown_secret};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: the_dialog_asks_for_a_code_and_then_sends_the_change,
            the_dialog_shows_new_recovery_codes_and_then_sends_the_change,
            another_person_who_sets_up_codes_in_the_dialog_sends_nothing,
            a_form_is_carried_past_new_recovery_codes_without_javascript
    ]
}

const CODE_FIELD: At<'static> = At::Css("#sign-in-again[open] [name=code]");
const CODES: &str = "#sign-in-again[open] #recovery-codes";

/// Requires a second factor of agents.
async fn require(office: &Office) {
    let agents = BTreeSet::from([Role::Agent]);
    let accounts = office.workspace.app.accounts();
    accounts.require_two_factor(None, agents, false, Operator::Command).await.expect("it is required");
}

/// Sets up a second factor at another browser. Returns the recovery codes.
async fn set_up(office: &Office, email: &str) -> Vec<String> {
    let there = office.workspace.visitor().same_origin();
    there.post("/sign-in").form(&[("email", email), ("password", PASSWORD)]).send().await.expect(303);
    let page = there.get("/account/two-factor").send().await.expect(200);
    let code = code_at(&shown_secret(&page), Timestamp::now().as_second());
    let form =
        [("enrollment", hidden(&page, "enrollment")), ("code", code), ("current", PASSWORD.to_owned())];
    recovery_codes(&there.post("/account/two-factor").form(&form).send().await.expect(200))
}

/// Types a new name of a lead and sends it after the session has ended.
async fn save_without_session(office: &Office, ada: &Browser, lead: &serde_json::Value) {
    office.edit(ada, lead, Place::Page).await;
    ada.fill(At::Css(&field(lead, "name")), "Typed by Ada").await;
    end_session(ada).await;
    ada.click(At::Named("Save")).await;
}

/// Adds the shown secret to an app and types its code.
async fn enroll(ada: &Browser, secret: At<'_>, code: At<'_>, button: At<'_>) {
    let secret = ada.text(secret).await;
    ada.fill(code, &code_at(&secret, Timestamp::now().as_second())).await;
    ada.click(button).await;
}

async fn enroll_in_dialog(ada: &Browser) {
    ada.fill(PASSWORD_FIELD, PASSWORD).await;
    ada.click(SIGN_IN).await;
    ada.wait_for_text(DIALOG, "Your role requires two-factor authentication.").await;
    enroll(ada, At::Css("#sign-in-again[open] .hint code"), CODE_FIELD, SIGN_IN).await;
    ada.wait_for(CODES).await;
}

async fn the_dialog_asks_for_a_code_and_then_sends_the_change(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let (ada, email) = agent(&office, "Ada", Look::desktop()).await;
    let codes = set_up(&office, &email).await;
    save_without_session(&office, &ada, &lead).await;
    ada.fill(PASSWORD_FIELD, PASSWORD).await;
    ada.click(SIGN_IN).await;
    ada.wait_for_text(DIALOG, "Code from your authenticator app").await;
    focus_is_on(&ada, "Code from your authenticator app").await;
    assert_accessible(&ada, "sign-in-dialog-code").await;
    ada.press(&format!("000000{}", char::from(Key::Enter))).await;
    ada.wait_for_text(DIALOG, "Incorrect code.").await;
    assert_eq!(office.now(&lead).await["version"], 1);
    ada.fill(CODE_FIELD, &codes[0]).await;
    ada.click(SIGN_IN).await;
    ada.wait_until_gone(DIALOG).await;
    ada.wait_for_text("#lead h1", "Typed by Ada").await;
    let now = office.now(&lead).await;
    assert_eq!((&now["name"], &now["version"]), (&json!("Typed by Ada"), &json!(2)));
}

async fn the_dialog_shows_new_recovery_codes_and_then_sends_the_change(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let (ada, _) = agent(&office, "Ada", Look::phone()).await;
    let (bea, _) = agent(&office, "Bea", Look::phone()).await;
    require(&office).await;
    for (name, person, continues) in [("Ada", ada, true), ("Bea", bea, false)] {
        let lead = office.lead(&format!("Grace {name}"), 50).await;
        save_without_session(&office, &person, &lead).await;
        enroll_in_dialog(&person).await;
        // Only the codes are in the dialog, not a page, and nothing is sent before they are saved.
        focus_is_on(&person, "I've saved them").await;
        assert_accessible(&person, "sign-in-dialog-recovery-codes").await;
        assert_eq!(person.count(&format!("{CODES} li")).await, 10);
        assert_eq!(person.count("#sign-in-again h1").await, 0);
        assert_eq!(office.now(&lead).await["version"], 1);
        match continues {
            true => person.click(At::Named("I've saved them")).await,
            false => {
                person.press(&Key::Escape).await;
                person.wait_until_gone(DIALOG).await;
                person.wait_for_text("#toast-status", "You're signed in. Nothing was sent").await;
                assert_eq!(office.now(&lead).await["version"], 1);
                person.click(At::Named("Save")).await;
            }
        }
        person.wait_until_gone(DIALOG).await;
        person.wait_for_text("#lead h1", "Typed by Ada").await;
        assert_eq!(office.now(&lead).await["version"], 2);
        console_is_quiet(&person).await;
    }
}

async fn another_person_who_sets_up_codes_in_the_dialog_sends_nothing(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let (ada, _) = agent(&office, "Ada", Look::desktop()).await;
    require(&office).await;
    let (bob, carl) = (
        super::sign_in_dialog::account(&office, "Bob").await,
        super::sign_in_dialog::account(&office, "Carl").await,
    );
    save_without_session(&office, &ada, &lead).await;
    ada.fill(At::Css("#sign-in-again[open] [name=email]"), &bob).await;
    enroll_in_dialog(&ada).await;
    ada.click(At::Named("I've saved them")).await;
    ada.wait_for_text(DIALOG, "You're signed in as Bob, not Ada. Nothing was sent.").await;
    focus_is_on(&ada, "Reload the page").await;
    ada.click(At::Named("Not now")).await;
    ada.wait_for_text(".menu summary", "Bob").await;
    // The same if the dialog is closed while it shows the codes.
    end_session(&ada).await;
    ada.click(At::Named("Save")).await;
    ada.fill(At::Css("#sign-in-again[open] [name=email]"), &carl).await;
    enroll_in_dialog(&ada).await;
    ada.click(At::Named("Not now")).await;
    ada.wait_for_text("#toast-status", "You're signed in as Carl, not Bob. Nothing was sent.").await;
    ada.wait_for_text(".menu summary", "Carl").await;
    assert_eq!(office.now(&lead).await["version"], 1);
    console_is_quiet(&ada).await;
}

async fn a_form_is_carried_past_new_recovery_codes_without_javascript(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let (ada, email) = agent(&office, "Ada", Look::desktop().without_javascript()).await;
    require(&office).await;
    save_without_session(&office, &ada, &lead).await;
    ada.wait_for_text("main", "Your change isn't saved yet").await;
    ada.fill(At::Named("Email"), &email).await;
    ada.fill(At::Named("Password"), PASSWORD).await;
    ada.click(At::Named("Sign in")).await;
    ada.wait_for_text("main", "Your role requires two-factor authentication.").await;
    enroll(&ada, At::Css(".hint code"), At::Named("Code"), At::Named("Sign in")).await;
    ada.wait_for("#recovery-codes").await;
    assert_eq!(office.now(&lead).await["version"], 1);
    ada.click(At::Named("Save it now")).await;
    ada.wait_for_text("#lead h1", "Typed by Ada").await;
    assert_eq!(office.now(&lead).await["version"], 2);
}
