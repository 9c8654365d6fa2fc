//! The raffle page in a browser: it shows other people's purchases, buys once even if an answer is lost, shows the
//! draw on every open page, and lets anyone check it.

mod proofs;
mod unanswered;

use fantoccini::key::Key;
use holdfast::base::identity::Role;
use holdfast::raffles::domain::RaffleId;
use serde_json::{Value, json};

use super::pages::assert_accessible;
use super::{Office, console_is_quiet, focus_is_on, focus_is_somewhere};
use crate::raffle_pages::{drawn, open, sold, tickets};
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases, wait};

pub(super) fn all() -> Vec<Case> {
    let mut cases = cases![
        browser: tickets_are_bought_with_the_keyboard,
            the_button_keeps_its_place_and_the_focus_after_a_purchase,
            a_purchase_appears_on_other_open_pages,
            polling_does_not_disturb_a_person_using_the_page,
            a_draw_appears_on_every_open_page,
            a_hidden_page_does_not_poll,
            raffles_work_without_javascript,
            a_resold_ticket_is_not_canceled_by_mistake,
            sold_tickets_are_exported_as_one_file,
            the_form_of_a_new_raffle_is_accessible,
            the_raffle_pages_are_accessible
    ];
    cases.extend(proofs::all());
    cases.extend(unanswered::all());
    cases
}

/// A person on a raffle's page.
async fn at_raffle(office: &Office, id: RaffleId, name: &str, look: Look) -> Browser {
    let person = office.environment.browser(look).await;
    office.workspace.sign_in(&person, &office.server, Role::Participant, name).await;
    person.goto(&office.url(&format!("/raffles/{id}"))).await;
    person.wait_for("#raffle-live").await;
    person
}

async fn key(person: &Browser) -> Value {
    person.run("return document.querySelector('#buy-key').value", Vec::new()).await
}

/// Waits until the button is enabled again.
async fn button_works(person: &Browser) {
    wait::until("the button works", async || {
        person.run("return !document.querySelector('#buy-button').disabled", Vec::new()).await == true
    })
    .await;
}

/// The number of times the page has polled.
async fn polls(person: &Browser) -> u64 {
    let count =
        "return performance.getEntriesByType('resource').filter(e => e.name.includes('/live?')).length";
    person.run(count, Vec::new()).await.as_u64().expect("a number")
}

async fn tickets_are_bought_with_the_keyboard(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 100, 3).await;
    let pat = at_raffle(&office, id, "Pat", Look::desktop()).await;
    // From the skip link: breadcrumb, quantity, button.
    pat.run("document.querySelector('.crumb a').focus()", Vec::new()).await;
    pat.press(&Key::Tab).await;
    focus_is_on(&pat, "Tickets").await;
    pat.press(&Key::Up).await;
    pat.press(&Key::Enter).await;
    pat.wait_for_text("#raffle-notice", "You bought tickets ").await;
    pat.wait_for_text(".remaining", "98 of 100 left").await;
    focus_is_somewhere(&pat).await;
    // One more ticket can be bought, and the focus stays where it was.
    button_works(&pat).await;
    assert_eq!(pat.text(At::Css("#buy-button")).await, "Buy 1 ticket");
    pat.run("document.querySelector('#buy-button').focus()", Vec::new()).await;
    pat.press(" ").await;
    pat.wait_for_text("#buy-reason", "Limit reached: 3 of 3.").await;
    let disabled = "return document.querySelector('#buy-button').disabled";
    assert_eq!(pat.run(disabled, Vec::new()).await, true);
    focus_is_somewhere(&pat).await;
    // Returning a ticket asks for confirmation, also by keyboard.
    pat.run("document.querySelector('.ticket summary').focus()", Vec::new()).await;
    pat.press(&Key::Enter).await;
    pat.press(&Key::Tab).await;
    pat.press(&Key::Enter).await;
    pat.wait_for_text("#raffle-notice", "is back in the pool.").await;
    pat.wait_for_text(".remaining", "98 of 100 left").await;
    assert_eq!(tickets(&office.workspace, id).await.len(), 2);
    console_is_quiet(&pat).await;
}

async fn the_button_keeps_its_place_and_the_focus_after_a_purchase(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 100, 3).await;
    let pat = at_raffle(&office, id, "Pat", Look::phone()).await;
    let place = "const box = document.querySelector('#buy-button').getBoundingClientRect();
        return [box.left, box.top, box.width, box.height]";
    let before = pat.run(place, Vec::new()).await;
    for (bought, focused) in [
        ("You bought ticket ", "buy-button"),
        ("You bought ticket ", "buy-button"),
        ("You bought ticket ", "raffle-notice"),
    ] {
        let notice = pat.run("return document.querySelector('#raffle-notice').textContent", Vec::new()).await;
        pat.run("document.querySelector('#buy-button').focus()", Vec::new()).await;
        pat.press(&Key::Enter).await;
        pat.wait_for_text("#raffle-notice", bought).await;
        wait::until("the result is shown", async || {
            pat.run("return document.querySelector('#raffle-notice').textContent", Vec::new()).await != notice
        })
        .await;
        wait::until(&format!("the focus is on {focused}"), async || {
            pat.run("return document.activeElement.id", Vec::new()).await == focused
        })
        .await;
        assert_eq!(pat.run(place, Vec::new()).await, before, "the button has moved");
    }
    // The result stays when another purchase arrives.
    sold(&office.workspace, id, "Mia", 1).await;
    pat.wait_for_text(".remaining", "96 of 100 left").await;
    pat.wait_for_text("#raffle-notice", "You bought ticket ").await;
    assert_eq!(pat.run("return document.activeElement.id", Vec::new()).await, "raffle-notice");
    assert_eq!(pat.run(place, Vec::new()).await, before);
    console_is_quiet(&pat).await;
}

async fn a_purchase_appears_on_other_open_pages(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 3, 2).await;
    let pat = at_raffle(&office, id, "Pat", Look::desktop()).await;
    let sam = at_raffle(&office, id, "Sam", Look::phone()).await;
    pat.click(At::Named("Buy")).await;
    pat.wait_for_text("#raffle-notice", "You bought ticket ").await;
    sam.wait_for_text(".remaining", "2 of 3 left").await;
    assert_eq!(sam.run("return document.querySelector('#raffle-status').textContent", vec![]).await, "");
    sold(&office.workspace, id, "Mia", 2).await;
    for person in [&pat, &sam] {
        person.wait_for_text("#buy-reason", "Sold out.").await;
        person.wait_for_text("#raffle-status", "Sold out.").await;
    }
    pat.wait_for_text("#raffle-notice", "You bought ticket ").await;
    console_is_quiet(&pat).await;
    console_is_quiet(&sam).await;
}

async fn polling_does_not_disturb_a_person_using_the_page(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 10, 3).await;
    let pat = at_raffle(&office, id, "Pat", Look::desktop()).await;
    pat.click(At::Named("Buy")).await;
    pat.wait_for_text("#raffle-notice", "You bought ticket ").await;
    pat.fill(At::Css("#buy-quantity"), "2").await;
    pat.click(At::Css(".ticket summary")).await;
    let key = key(&pat).await;
    let before = pat.text(At::Css("#raffle-notice")).await;
    sold(&office.workspace, id, "Mia", 1).await;
    pat.wait_for_text(".remaining", "8 of 10 left").await;
    assert_eq!(pat.value(At::Css("#buy-quantity")).await, "2");
    assert_eq!(self::key(&pat).await, key);
    assert_eq!(pat.count(".ticket details[open]").await, 1, "an open element stays open");
    assert_eq!(pat.text(At::Css("#raffle-notice")).await, before);
    // While a pointer presses the button, the button must not be replaced.
    let press = "const button = document.querySelector('#buy-button');
        button.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, button: 0 }));
        window.pressed = button";
    pat.run(press, Vec::new()).await;
    sold(&office.workspace, id, "Zoe", 1).await;
    let asked = polls(&pat).await;
    let sam = at_raffle(&office, id, "Sam", Look::desktop()).await;
    wait::until("another page has polled twice", async || polls(&sam).await >= 2).await;
    assert_eq!(polls(&pat).await, asked);
    assert_eq!(pat.run("return window.pressed.isConnected", Vec::new()).await, true);
    let lift = "window.pressed.dispatchEvent(new PointerEvent('pointerup', { bubbles: true }))";
    pat.run(lift, Vec::new()).await;
    pat.wait_for_text(".remaining", "7 of 10 left").await;
    console_is_quiet(&pat).await;
}

async fn a_draw_appears_on_every_open_page(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 10, 2).await;
    let pat = at_raffle(&office, id, "Pat Doe", Look::desktop()).await;
    let sam = at_raffle(&office, id, "Sam", Look::phone()).await;
    pat.click(At::Named("Buy")).await;
    pat.wait_for_text("#raffle-notice", "You bought ticket ").await;
    let number = drawn(&office.workspace, id).await;
    let ticket = format!("Ticket\n{number}");
    pat.wait_for_text("#raffle-live", "You won!").await;
    pat.wait_for_text("#raffle-live", &ticket).await;
    pat.wait_for_text("#raffle-status", &format!("You won with ticket {number}.")).await;
    sam.wait_for_text("#raffle-live", &ticket).await;
    sam.wait_for_text("#raffle-status", &format!("Winner: ticket {number}.")).await;
    assert!(!sam.text(At::Css("main")).await.contains("Pat"), "the winner's name is private");
    assert_eq!(sam.count(".confetti").await, 0);
    // Test browsers prefer reduced motion, so there is no confetti.
    let falling = "const piece = document.querySelector('.confetti i');
        return [getComputedStyle(piece.parentElement).display !== 'none', piece.getAnimations().length > 0]";
    assert_eq!(pat.run(falling, Vec::new()).await, json!([false, false]));
    let moving = json!({ "features": [{ "name": "prefers-reduced-motion", "value": "no-preference" }] });
    pat.devtools("Emulation.setEmulatedMedia", moving).await;
    assert_eq!(pat.run(falling, Vec::new()).await, json!([true, true]));
    // The page has stopped polling.
    let asked = polls(&pat).await;
    let other = open(&office.workspace, "Winter", 10, 2).await;
    sam.goto(&office.url(&format!("/raffles/{other}"))).await;
    wait::until("another page has polled twice", async || polls(&sam).await >= 2).await;
    assert_eq!(polls(&pat).await, asked);
    console_is_quiet(&pat).await;
}

async fn a_hidden_page_does_not_poll(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 10, 2).await;
    let pat = at_raffle(&office, id, "Pat", Look::desktop()).await;
    wait::until("a visible page polls", async || polls(&pat).await >= 1).await;
    let hide = async |state: &str| {
        // Open another tab in front of it.
        let made = pat.devtools("Target.createTarget", json!({ "url": "about:blank" })).await;
        wait::until("the page is hidden", async || {
            pat.run("return document.visibilityState", Vec::new()).await == state
        })
        .await;
        made["targetId"].clone()
    };
    let entry = hide("hidden").await;
    let asked = polls(&pat).await;
    let sam = at_raffle(&office, id, "Sam", Look::desktop()).await;
    sold(&office.workspace, id, "Mia", 1).await;
    wait::until("another page has polled twice", async || polls(&sam).await >= 2).await;
    assert_eq!(polls(&pat).await, asked);
    pat.devtools("Target.closeTarget", json!({ "targetId": entry })).await;
    pat.devtools("Page.bringToFront", json!({})).await;
    pat.wait_for_text(".remaining", "9 of 10 left").await;
}

async fn raffles_work_without_javascript(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let root = office.environment.browser(Look::desktop().without_javascript()).await;
    office.workspace.sign_in(&root, &office.server, Role::Administrator, "Root").await;
    root.goto(&office.url("/raffles")).await;
    root.click(At::Named("Open your first raffle")).await;
    root.fill(At::Named("Title"), "Autumn").await;
    root.fill(At::Named("Prize"), "A bicycle").await;
    root.fill(At::Named("Limit per person"), "3").await;
    root.click(At::Named("Open raffle")).await;
    root.wait_for_text(".remaining", "100 of 100 left").await;
    root.fill(At::Named("Tickets"), "2").await;
    root.click(At::Named("Buy")).await;
    root.wait_for_text(".remaining", "98 of 100 left").await;
    root.click(At::Css(".ticket summary")).await;
    root.click(At::Css(".ticket button")).await;
    root.wait_for_text(".remaining", "99 of 100 left").await;
    root.click(At::Named("Refresh")).await;
    root.click(At::Named("Tickets, sales, and draw")).await;
    root.click(At::Css("#draw-confirm summary")).await;
    root.click(At::Named("Draw winner")).await;
    root.wait_for_text("#raffle-live", "You won!").await;
}

async fn a_resold_ticket_is_not_canceled_by_mistake(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 1, 1).await;
    let sam = sold(&office.workspace, id, "Sam First", 1).await;
    let root = office.environment.browser(Look::desktop()).await;
    office.workspace.sign_in(&root, &office.server, Role::Administrator, "Root").await;
    root.goto(&office.url(&format!("/raffles/{id}/tickets"))).await;
    office.workspace.app.raffles().cancel(id, 1.try_into().unwrap(), None, &sam, None).await.unwrap();
    sold(&office.workspace, id, "Mia Second", 1).await;
    root.click(At::Css("#cancel-1 summary")).await;
    root.click(At::Named("Return ticket 1")).await;
    root.wait_for_text("#ticket-1", "sold again to Mia Second").await;
    focus_is_on(&root, "Return this ticket").await;
    root.press(&Key::Enter).await;
    root.wait_for_text(".sold", "No tickets sold.").await;
    root.wait_for_text("#toast-status", "The ticket is back in the pool.").await;
    console_is_quiet(&root).await;
}

async fn sold_tickets_are_exported_as_one_file(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let id = open(&office.workspace, "Autumn", 10, 2).await;
    sold(&office.workspace, id, "Mia", 2).await;
    let root = office.environment.browser(Look::desktop()).await;
    office.workspace.sign_in(&root, &office.server, Role::Administrator, "Root").await;
    root.goto(&office.url(&format!("/raffles/{id}/tickets"))).await;
    // The files that the browser is asked to save.
    let keep = "HTMLAnchorElement.prototype.click = function () { window.kept = this.download; }";
    root.run(keep, Vec::new()).await;
    root.click(At::Named("Export CSV")).await;
    root.wait_for_text("[data-progress]", "Done.").await;
    assert_eq!(root.run("return window.kept", Vec::new()).await, "tickets.csv");
    console_is_quiet(&root).await;
}

async fn the_form_of_a_new_raffle_is_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let root = office.environment.browser(Look::desktop()).await;
    office.workspace.sign_in(&root, &office.server, Role::Administrator, "Root Admin").await;
    root.goto(&office.url("/raffles/new")).await;
    assert_accessible(&root, "raffle-new").await;
    root.look(Look::desktop()).await;
    root.fill(At::Named("Title"), "Autumn raffle").await;
    root.fill(At::Named("Prize"), "A red bicycle").await;
    let fold = "document.querySelector('main form').noValidate = true;
        document.querySelector('#limit').value = '51';
        document.querySelector('#closes').value = '2099-11-01T01:30'";
    root.run(fold, Vec::new()).await;
    root.click(At::Named("Open raffle")).await;
    root.wait_for("[aria-invalid=true]").await;
    assert_accessible(&root, "raffle-new-wrong").await;
}

async fn the_raffle_pages_are_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let root = office.environment.browser(Look::desktop()).await;
    office.workspace.sign_in(&root, &office.server, Role::Administrator, "Root Admin").await;
    root.goto(&office.url("/raffles")).await;
    assert_accessible(&root, "raffles-none").await;
    let id = open(&office.workspace, "Autumn raffle", 100, 5).await;
    for (name, count) in [("Mia Wong", 5), ("Zoe Quinn", 4), ("Lee Harper", 5)] {
        sold(&office.workspace, id, name, count).await;
    }
    let pat = at_raffle(&office, id, "Pat Doe", Look::desktop()).await;
    assert_accessible(&pat, "raffle").await;
    pat.look(Look::desktop()).await;
    pat.fill(At::Css("#buy-quantity"), "5").await;
    pat.click(At::Named("Buy")).await;
    pat.wait_for_text("#buy-reason", "Limit reached").await;
    pat.click(At::Css(".ticket summary")).await;
    assert_accessible(&pat, "raffle-limit").await;
    root.goto(&office.url(&format!("/raffles/{id}/tickets"))).await;
    root.look(Look::desktop()).await;
    root.click(At::Css("#draw-confirm summary")).await;
    assert_accessible(&root, "raffle-tickets").await;
    pat.goto(&office.url(&format!("/raffles/{id}/proof"))).await;
    assert_accessible(&pat, "raffle-commitment").await;
    let few = open(&office.workspace, "The last lantern of the year, with a very long title", 1, 1).await;
    pat.goto(&office.url(&format!("/raffles/{few}"))).await;
    sold(&office.workspace, few, "Mia Wong", 1).await;
    pat.wait_for_text("#buy-reason", "Sold out.").await;
    assert_accessible(&pat, "raffle-sold-out").await;
    drawn(&office.workspace, few).await;
    pat.wait_for_text("#raffle-live", "You had no tickets.").await;
    assert_accessible(&pat, "raffle-lost").await;
    let mine = open(&office.workspace, "Winter raffle", 10, 2).await;
    pat.goto(&office.url(&format!("/raffles/{mine}"))).await;
    pat.look(Look::desktop()).await;
    pat.click(At::Named("Buy")).await;
    pat.wait_for_text("#raffle-notice", "You bought").await;
    drawn(&office.workspace, mine).await;
    pat.wait_for_text("#raffle-live", "You won!").await;
    assert_accessible(&pat, "raffle-won").await;
    for (path, name) in [
        ("/".to_owned(), "raffles-start"),
        (format!("/raffles/{mine}/proof"), "raffle-proof"),
        (format!("/raffles/verify?raffle={mine}"), "raffle-verify"),
    ] {
        pat.goto(&office.url(&path)).await;
        if name == "raffle-verify" {
            pat.wait_for_text("#verdict", "The proof holds").await;
        }
        assert_accessible(&pat, name).await;
    }
    root.goto(&office.url(&format!("/raffles/{mine}/tickets"))).await;
    assert_accessible(&root, "raffle-tickets-drawn").await;
    root.goto(&office.url("/raffles")).await;
    assert_accessible(&root, "raffles").await;
}
