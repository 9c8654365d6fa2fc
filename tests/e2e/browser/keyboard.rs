//! Keyboard use: the keyboard alone is sufficient, and the focus is always visible.

use fantoccini::key::Key;

use super::{Office, console_is_quiet, focus_is_on, focus_is_somewhere};
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases, wait};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: a_lead_is_edited_with_the_keyboard_alone,
            keys_reach_the_search_and_close_the_menu
    ]
}

/// Presses Tab until this element has the focus, and checks at every step that the focus is visible.
async fn tab_to(person: &Browser, name: &str) {
    const OUTLINED: &str = "const focused = document.activeElement;
        return focused !== document.body && getComputedStyle(focused).outlineStyle !== 'none'";
    for _ in 0..60 {
        person.press(&Key::Tab).await;
        let focused = person.focused().await;
        assert_eq!(person.run(OUTLINED, Vec::new()).await, true, "the focus on {focused} is not visible");
        if focused == name {
            return;
        }
    }
    panic!("{name} is not reached by Tab");
}

async fn a_lead_is_edited_with_the_keyboard_alone(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.wait_for("#lead-rows").await;

    ada.press(&Key::Tab).await;
    focus_is_on(&ada, "Skip to content").await;
    ada.press(&Key::Enter).await;
    wait::until("the content has the focus", async || {
        ada.run("return document.activeElement.id", Vec::new()).await == "content"
    })
    .await;
    tab_to(&ada, "Edit Grace Hopper").await;
    ada.press(&Key::Enter).await;
    focus_is_on(&ada, "Name").await;
    ada.press(&(Key::Control + "a")).await;
    ada.press("Grace B. Hopper").await;
    ada.press(&Key::Enter).await;
    focus_is_on(&ada, "Edit Grace B. Hopper").await;
    assert_eq!(office.now(&lead).await["name"], "Grace B. Hopper");

    ada.press(&Key::Enter).await;
    focus_is_on(&ada, "Name").await;
    ada.press("Nobody").await;
    ada.press(&Key::Escape).await;
    focus_is_on(&ada, "Edit Grace B. Hopper").await;
    assert_eq!(office.now(&lead).await["version"], 2);

    // The same on the lead's page.
    ada.press(&(Key::Shift + &Key::Tab)).await;
    focus_is_on(&ada, "Grace B. Hopper").await;
    ada.press(&Key::Enter).await;
    ada.wait_for("#lead h1").await;
    tab_to(&ada, "Edit").await;
    ada.press(&Key::Enter).await;
    focus_is_on(&ada, "Name").await;
    ada.press("!").await;
    ada.press(&Key::Escape).await;
    focus_is_on(&ada, "Edit").await;
    ada.press(&Key::Enter).await;
    focus_is_on(&ada, "Name").await;
    ada.press(&(Key::Control + "a")).await;
    ada.press("Grace").await;
    ada.press(&Key::Enter).await;
    ada.wait_for_text("#lead h1", "Grace").await;
    focus_is_on(&ada, "Edit").await;
    assert_eq!(office.now(&lead).await["name"], "Grace");
    console_is_quiet(&ada).await;
}

async fn keys_reach_the_search_and_close_the_menu(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.wait_for("#lead-rows").await;
    ada.press("/").await;
    focus_is_on(&ada, "Search leads").await;
    ada.press("hop").await;
    assert_eq!(ada.value(At::Named("Search leads")).await, "hop");
    ada.wait_for_text("#lead-rows", "Clear search and filters").await;
    focus_is_somewhere(&ada).await;

    ada.run("document.querySelector('.brand').focus()", Vec::new()).await;
    tab_to(&ada, "Ada").await;
    ada.press(&Key::Enter).await;
    ada.find(At::Named("Sign out")).await;
    ada.press(&Key::Tab).await;
    ada.press(&Key::Escape).await;
    wait::until("the menu is closed", async || ada.count("[data-menu][open]").await == 0).await;
    focus_is_on(&ada, "Ada").await;
}
