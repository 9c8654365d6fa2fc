//! Purchases without an answer, and buttons that are pressed twice: each purchase is made once.

use holdfast::base::identity::Role;

use super::{at_raffle, button_works, key, polls};
use crate::browser::{Office, WRITE, console_is_quiet, focus_is_somewhere};
use crate::raffle_pages::{open, sold, tickets};
use crate::support::browser::{At, Look};
use crate::support::line::Line;
use crate::support::{Case, TestEnvironment, cases, wait};

/// The cases of this module.
pub fn all() -> Vec<Case> {
    cases![
        browser: a_purchase_that_never_arrives_is_retried_and_made_once,
            a_purchase_whose_reply_is_lost_is_retried_and_made_once,
            a_purchase_that_times_out_is_retried_and_made_once,
            a_button_that_is_pressed_twice_buys_once
    ]
}

const UNANSWERED: &str = "We couldn't confirm your purchase. Try again; you won't get extra tickets.";

async fn a_purchase_that_never_arrives_is_retried_and_made_once(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 10, 2).await;
    let pat = at_raffle(&office, id, "Pat", Look::desktop()).await;
    let first = key(&pat).await;
    pat.offline(true).await;
    pat.click(At::Named("Buy")).await;
    pat.wait_for_text("#toast-alert", UNANSWERED).await;
    button_works(&pat).await;
    focus_is_somewhere(&pat).await;
    pat.wait_for_text("#raffle-lost", "Reconnecting…").await;
    assert_eq!(pat.count(".toast").await, 1, "only the failed purchase is a toast");
    assert_eq!(key(&pat).await, first);
    assert!(tickets(&office.workspace, id).await.is_empty());
    sold(&office.workspace, id, "Mia", 1).await;
    pat.offline(false).await;
    pat.wait_for_text(".remaining", "9 of 10 left").await;
    wait::until("the page is live again", async || {
        pat.run("return document.querySelector('#raffle-lost').textContent", Vec::new()).await == ""
    })
    .await;
    assert_eq!(key(&pat).await, first, "polling keeps the key of an unanswered purchase");
    pat.click(At::Named("Buy")).await;
    pat.wait_for_text("#raffle-notice", "You bought ticket ").await;
    pat.wait_until_gone(".toast").await;
    assert_eq!(tickets(&office.workspace, id).await.len(), 2);
}

async fn a_purchase_whose_reply_is_lost_is_retried_and_made_once(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 10, 2).await;
    let line = Line::to(&office.url("")).await;
    let pat = office.environment.browser(Look::desktop()).await;
    office.workspace.sign_in(&pat, &office.server, Role::Participant, "Pat").await;
    // Cookies belong to the host, not to the port.
    pat.goto(&line.url(&format!("/raffles/{id}"))).await;
    pat.wait_for("#raffle-live").await;
    let first = key(&pat).await;
    line.swallow_replies(true);
    pat.click(At::Named("Buy")).await;
    wait::until("the ticket is sold", async || tickets(&office.workspace, id).await.len() == 1).await;
    pat.wait_for_text("#toast-alert", UNANSWERED).await;
    button_works(&pat).await;
    assert_eq!(key(&pat).await, first);
    line.swallow_replies(false);
    // Polling shows the ticket; the retry shows that this purchase bought it.
    pat.wait_for_text(".remaining", "9 of 10 left").await;
    assert_eq!(key(&pat).await, first);
    pat.click(At::Named("Buy 1 ticket")).await;
    pat.wait_for_text("#raffle-notice", "You didn't get extra tickets").await;
    pat.wait_until_gone(".toast").await;
    assert_ne!(key(&pat).await, first);
    assert_eq!(tickets(&office.workspace, id).await.len(), 1);
}

async fn a_purchase_that_times_out_is_retried_and_made_once(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 10, 2).await;
    let pat = at_raffle(&office, id, "Pat", Look::desktop()).await;
    let first = key(&pat).await;
    // The application itself retries as well.
    let gate = office.environment.wire().hold(9, WRITE);
    pat.click(At::Named("Buy")).await;
    gate.arrived(1).await;
    pat.wait_for_text("#buy-button", "Buying…").await;
    let asked = polls(&pat).await;
    pat.wait_for_text("#toast-alert", UNANSWERED).await;
    assert_eq!(polls(&pat).await, asked, "the page does not poll while the purchase runs");
    button_works(&pat).await;
    assert_eq!(key(&pat).await, first);
    gate.open();
    pat.click(At::Css("#buy-button")).await;
    pat.wait_for_text("#raffle-notice", "You bought ticket ").await;
    assert_eq!(tickets(&office.workspace, id).await.len(), 1);
}

async fn a_button_that_is_pressed_twice_buys_once(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 10, 5).await;
    let pat = at_raffle(&office, id, "Pat", Look::desktop()).await;
    office.environment.wire().reset();
    let gate = office.environment.wire().hold(1, WRITE);
    let press = "const button = document.querySelector('#buy-button');
        button.click(); button.click(); button.form.requestSubmit(); return button.disabled";
    assert_eq!(pat.run(press, Vec::new()).await, true);
    gate.arrived(1).await;
    pat.wait_for_text("#buy-button", "Buying…").await;
    gate.open();
    pat.wait_for_text("#raffle-notice", "You bought ticket ").await;
    assert_eq!(office.environment.wire().count(WRITE), 1);
    assert_eq!(tickets(&office.workspace, id).await.len(), 1);
    console_is_quiet(&pat).await;
}
