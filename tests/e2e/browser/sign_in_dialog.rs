//! A session that ends while a person types: a dialog signs in again, and the change is made once.

use fantoccini::key::Key;
use holdfast::base::identity::Role;
use serde_json::{Value, json};

use super::pages::assert_accessible;
use super::{Office, Place, console_is_quiet, field, focus_is_on, focus_is_somewhere};
use crate::orders::stock;
use crate::support::browser::{At, Browser, Look};
use crate::support::workspace::address;
use crate::support::{Case, TestEnvironment, cases};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: an_edit_is_saved_once_after_signing_in_again,
            a_note_is_written_once_after_signing_in_again,
            an_order_is_created_once_after_signing_in_again,
            a_canceled_dialog_keeps_what_was_typed,
            a_wrong_password_is_shown_in_the_dialog,
            another_person_who_signs_in_sends_nothing,
            an_upload_continues_after_signing_in_again,
            a_form_is_carried_to_the_sign_in_page_without_javascript
    ]
}

pub(super) const PASSWORD: &str = "a sentence is easy to remember";
pub(super) const DIALOG: &str = "#sign-in-again[open]";
pub(super) const PASSWORD_FIELD: At<'static> = At::Css("#sign-in-again[open] [name=password]");
const EMAIL_FIELD: At<'static> = At::Css("#sign-in-again[open] [name=email]");
pub(super) const SIGN_IN: At<'static> = At::Css("#sign-in-again[open] [type=submit]");

/// A new agent with a password: the email address.
pub(super) async fn account(office: &Office, name: &str) -> String {
    let email = format!("{}@holdfast.test", name.to_lowercase());
    let (name, address) = (name.parse().expect("a name"), email.parse().expect("an address"));
    let password = Some(PASSWORD.parse().expect("a password"));
    let added = office.workspace.app.accounts().add(name, address, Role::Agent, password).await;
    added.expect("the account is added");
    email
}

/// A new agent with a password, who has signed in with it at a separate browser.
pub(super) async fn agent(office: &Office, name: &str, look: Look) -> (Browser, String) {
    let email = account(office, name).await;
    let browser = office.environment.browser(look).await;
    browser.goto(&office.url("/sign-in")).await;
    browser.fill(At::Named("Email"), &email).await;
    browser.fill(At::Named("Password"), PASSWORD).await;
    browser.click(At::Named("Sign in")).await;
    browser.wait_for_text(".menu summary", name).await;
    (browser, email)
}

/// Ends the session of a browser.
pub(super) async fn end_session(browser: &Browser) {
    browser.devtools("Network.clearBrowserCookies", json!({})).await;
}

async fn sign_in(browser: &Browser) {
    browser.fill(PASSWORD_FIELD, PASSWORD).await;
    browser.click(SIGN_IN).await;
    browser.wait_until_gone(DIALOG).await;
}

async fn an_edit_is_saved_once_after_signing_in_again(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let (ada, email) = agent(&office, "Ada", Look::desktop()).await;
    for (place, name) in [(Place::Page, "Grace Hopper"), (Place::Row, "Mary Jackson")] {
        let lead = office.lead(name, 50).await;
        office.edit(&ada, &lead, place).await;
        ada.fill(At::Css(&field(&lead, "name")), "Typed by Ada").await;
        end_session(&ada).await;
        ada.click(At::Named("Save")).await;
        ada.wait_for(DIALOG).await;
        // The dialog knows who the page belongs to, and the focus is on the password.
        focus_is_on(&ada, "Password").await;
        assert_eq!(ada.value(EMAIL_FIELD).await, email);
        if matches!(place, Place::Page) {
            assert_accessible(&ada, "sign-in-dialog").await;
        }
        assert_eq!(office.now(&lead).await["version"], 1);
        ada.press(PASSWORD).await;
        ada.press(&Key::Enter).await;
        ada.wait_until_gone(DIALOG).await;
        ada.wait_for_text(&place.lead(&lead), "Typed by Ada").await;
        focus_is_somewhere(&ada).await;
        let now = office.now(&lead).await;
        assert_eq!((&now["name"], &now["version"]), (&json!("Typed by Ada"), &json!(2)));
    }
    console_is_quiet(&ada).await;
}

async fn a_note_is_written_once_after_signing_in_again(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let (ada, _) = agent(&office, "Ada", Look::phone()).await;
    ada.goto(&office.page(&lead)).await;
    ada.fill(At::Css("textarea[form=new-note]"), "Called, no answer.").await;
    end_session(&ada).await;
    ada.click(At::Css("button[form=new-note]")).await;
    ada.wait_for(DIALOG).await;
    sign_in(&ada).await;
    ada.wait_for_text("#lead-history", "Called, no answer.").await;
    let path = format!("{}/notes", address(&lead));
    let notes: Value = office.program.get(&path).send().await.expect(200).json();
    assert_eq!(notes["items"].as_array().unwrap().len(), 1, "{notes}");
    console_is_quiet(&ada).await;
}

async fn an_order_is_created_once_after_signing_in_again(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    stock(&office.workspace, "NY", 4).await;
    let (ada, _) = agent(&office, "Ada", Look::desktop()).await;
    ada.goto(&office.url("/orders/new")).await;
    ada.fill(At::Named("Customer"), "Acme Roofing").await;
    ada.fill(At::Named("Customer email"), "buy@acme.example").await;
    ada.fill(At::Named("Leads per state"), "2").await;
    ada.click(At::Css("input[value=NY]")).await;
    ada.wait_for_text("#order-preview", "2 leads from 1 state").await;
    end_session(&ada).await;
    // Pressed twice at once.
    let press = "const button = document.querySelector('#order-preview [type=submit]');
        button.addEventListener('click', () => setTimeout(() => { button.click(); button.form.requestSubmit(); }),
            { once: true })";
    ada.run(press, Vec::new()).await;
    ada.click(At::Named("Create order")).await;
    ada.wait_for(DIALOG).await;
    sign_in(&ada).await;
    ada.wait_for_text("h1", "Acme Roofing").await;
    let orders: Value = office.program.get("/api/orders").send().await.expect(200).json();
    assert_eq!(orders["items"].as_array().unwrap().len(), 1, "{orders}");
    assert_eq!(orders["items"][0]["createdBy"], "Ada");
    console_is_quiet(&ada).await;
}

async fn a_canceled_dialog_keeps_what_was_typed(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    // On a phone too, no message lies over the button that is pressed again.
    let (ada, _) = agent(&office, "Ada", Look::phone().dark()).await;
    office.edit(&ada, &lead, Place::Page).await;
    ada.fill(At::Css(&field(&lead, "name")), "Typed by Ada").await;
    end_session(&ada).await;
    for by_key in [true, false] {
        ada.click(At::Named("Save")).await;
        ada.wait_for(DIALOG).await;
        ada.find(PASSWORD_FIELD).await;
        match by_key {
            true => ada.press(&Key::Escape).await,
            false => ada.click(At::Named("Not now")).await,
        }
        ada.wait_until_gone(DIALOG).await;
        ada.wait_for_text("#toast-status", "what you typed is still here").await;
        focus_is_on(&ada, "Save").await;
        assert_eq!(ada.value(At::Css(&field(&lead, "name"))).await, "Typed by Ada");
        assert_eq!(ada.count("#sign-in-again input").await, 0, "the password is not kept");
    }
    // The same for a form that is sent as a page.
    office.workspace.sign_in(&ada, &office.server, Role::Agent, "Bea").await;
    ada.goto(&office.url("/leads/new")).await;
    ada.fill(At::Named("Name"), "Mary Jackson").await;
    ada.fill(At::Named("Email"), "mary@example.com").await;
    end_session(&ada).await;
    ada.click(At::Named("Create lead")).await;
    ada.wait_for(DIALOG).await;
    ada.find(PASSWORD_FIELD).await;
    ada.press(&Key::Escape).await;
    ada.wait_until_gone(DIALOG).await;
    focus_is_on(&ada, "Create lead").await;
    assert_eq!(ada.value(At::Named("Name")).await, "Mary Jackson");
    assert_eq!(office.now(&lead).await["version"], 1);
    console_is_quiet(&ada).await;
}

async fn a_wrong_password_is_shown_in_the_dialog(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let (ada, _) = agent(&office, "Ada", Look::desktop()).await;
    office.edit(&ada, &lead, Place::Page).await;
    ada.fill(At::Css(&field(&lead, "name")), "Typed by Ada").await;
    end_session(&ada).await;
    ada.click(At::Named("Save")).await;
    ada.fill(PASSWORD_FIELD, "not the right one").await;
    ada.click(SIGN_IN).await;
    ada.wait_for_text(DIALOG, "Incorrect email or password.").await;
    focus_is_on(&ada, "Password").await;
    assert_accessible(&ada, "sign-in-dialog-wrong").await;
    // Without a connection the dialog stays, with what is typed in it.
    ada.offline(true).await;
    ada.fill(PASSWORD_FIELD, PASSWORD).await;
    ada.click(SIGN_IN).await;
    ada.wait_for_text(DIALOG, "No connection").await;
    ada.offline(false).await;
    ada.click(SIGN_IN).await;
    ada.wait_until_gone(DIALOG).await;
    ada.wait_for_text("#lead h1", "Typed by Ada").await;
    assert_eq!(office.now(&lead).await["version"], 2);
}

async fn another_person_who_signs_in_sends_nothing(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let (ada, _) = agent(&office, "Ada", Look::desktop()).await;
    let bob = account(&office, "Bob").await;
    office.edit(&ada, &lead, Place::Page).await;
    ada.fill(At::Css(&field(&lead, "name")), "Typed by Ada").await;
    end_session(&ada).await;
    ada.click(At::Named("Save")).await;
    ada.fill(EMAIL_FIELD, &bob).await;
    ada.fill(PASSWORD_FIELD, PASSWORD).await;
    ada.click(SIGN_IN).await;
    ada.wait_for_text(DIALOG, "You're signed in as Bob, not Ada. Nothing was sent.").await;
    focus_is_on(&ada, "Reload the page").await;
    assert_accessible(&ada, "sign-in-dialog-other").await;
    ada.click(At::Named("Not now")).await;
    ada.wait_for_text(".menu summary", "Bob").await;
    assert_eq!(ada.value(At::Css(&field(&lead, "name"))).await, "Typed by Ada");
    assert_eq!(office.now(&lead).await["version"], 1);

    // The same for a form that is sent as a page, if another person signed in with another tab.
    ada.goto(&office.url("/leads/new")).await;
    ada.fill(At::Named("Name"), "Mary Jackson").await;
    ada.fill(At::Named("Email"), "mary@example.com").await;
    let carl = account(&office, "Carl").await;
    let other_tab = "const body = new URLSearchParams({ email: arguments[0], password: arguments[1] });
        return fetch('/sign-in', { method: 'POST', body }).then(() => true)";
    ada.run(other_tab, vec![carl.into(), PASSWORD.into()]).await;
    ada.click(At::Named("Create lead")).await;
    ada.wait_for_text(DIALOG, "You're signed in as Carl, not Bob. Nothing was sent.").await;
    ada.click(At::Named("Reload the page")).await;
    ada.wait_for_text(".menu summary", "Carl").await;
    let leads: Value = office.program.get("/api/leads").send().await.expect(200).json();
    assert_eq!(leads["items"].as_array().unwrap().len(), 1, "{leads}");
    console_is_quiet(&ada).await;
}

async fn an_upload_continues_after_signing_in_again(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let (ada, _) = agent(&office, "Ada", Look::desktop()).await;
    ada.goto(&office.url("/leads/imports/new")).await;
    ada.upload("#file", &super::imports::fixture("contacts.csv")).await;
    end_session(&ada).await;
    ada.click(At::Named("Upload")).await;
    ada.find(PASSWORD_FIELD).await;
    ada.press(&Key::Escape).await;
    ada.wait_until_gone(DIALOG).await;
    ada.click(At::Named("Upload")).await;
    ada.wait_for(DIALOG).await;
    sign_in(&ada).await;
    ada.wait_for("table.preview").await;
    console_is_quiet(&ada).await;
}

async fn a_form_is_carried_to_the_sign_in_page_without_javascript(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let (ada, email) = agent(&office, "Ada", Look::desktop().without_javascript()).await;
    office.edit(&ada, &lead, Place::Page).await;
    ada.fill(At::Css(&field(&lead, "name")), "Zoë \"Z\" O'Brien & Co").await;
    end_session(&ada).await;
    ada.click(At::Named("Save")).await;
    ada.wait_for_text("main", "Your change isn't saved yet").await;
    ada.fill(At::Named("Email"), &email).await;
    ada.fill(At::Named("Password"), PASSWORD).await;
    ada.click(At::Named("Sign in")).await;
    ada.wait_for_text("main", "You're signed in as Ada").await;
    assert_eq!(office.now(&lead).await["version"], 1);
    ada.click(At::Named("Save it now")).await;
    ada.wait_for_text("#lead h1", "Zoë \"Z\" O'Brien & Co").await;
    let now = office.now(&lead).await;
    assert_eq!((&now["name"], &now["version"]), (&json!("Zoë \"Z\" O'Brien & Co"), &json!(2)));
}
