//! Without JavaScript every form works: a button sends it, and a redirect shows the result.

use serde_json::json;

use super::imports::{fixture, upload};
use super::{Office, PROGRAM, changes, console_is_quiet};
use crate::support::browser::{At, Look};
use crate::support::{Case, TestEnvironment, cases};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: leads_are_found_edited_and_deleted_without_javascript,
            a_conflict_is_resolved_without_javascript,
            a_file_is_imported_without_javascript,
            a_message_appears_once_with_javascript
    ]
}

async fn leads_are_found_edited_and_deleted_without_javascript(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    office.lead("Mary Jackson", 50).await;
    let ada = office.agent("Ada", Look::desktop().without_javascript()).await;
    ada.goto(&office.url("/leads")).await;
    ada.click(At::Named("New lead")).await;
    ada.fill(At::Named("Name"), "Grace Hopper").await;
    ada.fill(At::Named("Email"), "mary.jackson@example.com").await;
    ada.fill(At::Named("Lead score (0 to 100)"), "79").await;
    ada.click(At::Named("Create lead")).await;
    ada.wait_for_text(".error", "email").await;
    assert_eq!(ada.value(At::Named("Name")).await, "Grace Hopper");
    ada.fill(At::Named("Email"), "grace@example.com").await;
    ada.click(At::Named("Create lead")).await;
    ada.wait_for_text("#lead h1", "Grace Hopper").await;

    ada.goto(&office.url("/leads")).await;
    ada.fill(At::Named("Search leads"), "hop").await;
    ada.click(At::Named("Search")).await;
    ada.wait_for_text("#lead-rows .tail", "1 lead").await;
    assert!(ada.url().await.contains("q=hop"));
    ada.click(At::Named("Edit Grace Hopper")).await;
    ada.choose(At::Named("Status"), "Converted").await;
    ada.click(At::Named("Save")).await;
    ada.wait_for_text(".error", "80").await;
    assert_eq!(ada.value(At::Named("Status")).await, "CONVERTED");
    ada.choose(At::Named("Status"), "Qualified").await;
    ada.click(At::Named("Save")).await;
    ada.wait_for_text("#lead-history", "Changed by Ada").await;
    ada.wait_for_text("#toast-status", "Saved.").await;

    ada.click(At::Css(".more-actions details:last-child summary")).await;
    ada.click(At::Named("Delete lead")).await;
    ada.wait_for_text("#lead-rows .tail", "1 lead").await;
    ada.wait_for_text("#lead-rows", "Mary Jackson").await;

    // The message is a part of the page above its content, with the button that undoes the deletion.
    ada.wait_for_text("#toast-status", "Lead deleted.").await;
    let above = "const bottom = document.querySelector('.toast').getBoundingClientRect().bottom; \
                 return bottom > 0 && bottom <= document.querySelector('main h1').getBoundingClientRect().top";
    assert_eq!(ada.run(above, Vec::new()).await, true);
    ada.click(At::Css("#toast-status button")).await;
    ada.wait_for_text("#lead h1", "Grace Hopper").await;
    ada.reload().await;
    ada.wait_for_text("#lead h1", "Grace Hopper").await;
    assert_eq!(ada.count(".toast").await, 0);
}

async fn a_message_appears_once_with_javascript(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.page(&lead)).await;
    ada.click(At::Css(".more-actions details:last-child summary")).await;
    ada.click(At::Named("Delete lead")).await;
    ada.wait_for_text("#toast-status", "Lead deleted.").await;
    assert_eq!(ada.count(".toast").await, 1);
    assert_eq!(ada.run("return document.cookie", Vec::new()).await, "", "no script reads the cookie");
    ada.click(At::Named("Undo")).await;
    ada.wait_for_text("#lead h1", "Grace Hopper").await;
    // The page that a person goes back to does not report the deletion again.
    ada.run("history.back()", Vec::new()).await;
    ada.wait_to_leave(super::id(&lead)).await;
    ada.wait_for("#lead-rows").await;
    assert_eq!(ada.count(".toast").await, 0);
    console_is_quiet(&ada).await;
}

async fn a_conflict_is_resolved_without_javascript(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop().without_javascript()).await;
    office.edit(&ada, &lead, super::Place::Page).await;
    office.change(&lead, json!({ "leadScore": 72 })).await;
    ada.fill(At::Named("Name"), "Grace B. Hopper").await;
    ada.fill(At::Named("Lead score (0 to 100)"), "33").await;
    ada.click(At::Named("Save")).await;
    ada.wait_for_text(".conflict", &format!("{PROGRAM} changed lead score 50 → 72")).await;
    ada.click(At::Named("Lead score: theirs, 72")).await;
    ada.click(At::Named("Save these choices")).await;
    ada.wait_for_text("#lead h1", "Grace B. Hopper").await;
    ada.wait_for_text("#lead .facts", "72").await;
    let by = |who: &str, field: &str| (who.to_owned(), vec![field.to_owned()]);
    assert_eq!(changes(&office, &lead).await[..2], [by("Ada", "name"), by(PROGRAM, "leadScore")]);

    // A lead that another person deleted can be created again with the typed values.
    ada.click(At::Named("Edit")).await;
    ada.fill(At::Named("Lead score (0 to 100)"), "64").await;
    let address = format!("/api/leads/{}?version=3", super::id(&lead));
    office.program.delete(&address).send().await.expect(204);
    ada.click(At::Named("Save")).await;
    ada.wait_for_text(".conflict", &format!("This lead was deleted by {PROGRAM}")).await;
    ada.click(At::Named("Create it again")).await;
    ada.wait_for_text("#lead .facts", "64").await;
}

async fn a_file_is_imported_without_javascript(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop().without_javascript()).await;
    upload(&office, &ada, &fixture("contacts.csv")).await;
    ada.choose(At::Named("state"), "Ignore").await;
    ada.click(At::Named("Import 36 rows")).await;
    ada.wait_for("#import-progress").await;
    while ada.count("#import-progress [role=status]").await == 0 {
        ada.click(At::Named("Continue")).await;
        ada.wait_for("#import-progress .counts").await;
    }
    ada.wait_for_text("#import-progress", "36 rows read").await;
    ada.click(At::Named("View leads")).await;
    ada.wait_for_text("#lead-rows", "Josie Littlefield").await;
}
