//! The page of commands: commands are typed, corrected, run, and run again.

use super::{Office, console_is_quiet};
use crate::support::browser::{At, Browser, Look};
use crate::support::{Case, TestEnvironment, cases};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: commands_are_typed_corrected_and_run,
            commands_are_run_without_javascript
    ]
}

const CREATE: &str =
    "create_order customer_name=\"Acme Roofing\" customer_email=buy@acme.example requested_states=NY";

async fn commands_are_typed_corrected_and_run(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/leads")).await;
    ada.click(At::Named("Automation")).await;
    ada.wait_for_text("#help", "Help").await;
    correct_and_run(&ada).await;
    // The form is empty after successful commands and keeps commands that failed.
    super::focus_is_somewhere(&ada).await;
    assert_eq!(ada.value(At::Named("Commands, one per line")).await, "");
    ada.fill(At::Named("Commands, one per line"), CREATE).await;
    ada.click(At::Named("Run")).await;
    ada.wait_for_text(".runs > li:first-child", "1 of 1 command failed").await;
    ada.wait_for_text(".runs > li:first-child .run-result", "No leads available in these states").await;
    assert_eq!(ada.value(At::Named("Commands, one per line")).await, CREATE);
    assert_eq!(ada.count(".runs > li").await, 2);
    console_is_quiet(&ada).await;
}

async fn commands_are_run_without_javascript(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop().without_javascript()).await;
    ada.goto(&office.url("/automation")).await;
    correct_and_run(&ada).await;
    // The same commands again, as they were typed.
    ada.click(At::Css(".runs > li:first-child .run-head a")).await;
    ada.wait_for("#commands-text").await;
    assert!(ada.value(At::Named("Commands, one per line")).await.starts_with("get_leads state=NY"));
    ada.click(At::Named("Run")).await;
    ada.wait_for_text(".runs > li:first-child", "1 of 2 commands failed").await;
    // A failed command stays in the form.
    assert!(ada.value(At::Named("Commands, one per line")).await.contains(CREATE));
}

/// Types commands with one mistake, corrects it, and runs them.
async fn correct_and_run(ada: &Browser) {
    let wrong = format!("get_leads staat=NY\n{CREATE}");
    ada.fill(At::Named("Commands, one per line"), &wrong).await;
    ada.click(At::Named("Run")).await;
    ada.wait_for_text(".mistakes", "1: get_leads staat=NY").await;
    ada.wait_for_text(".mistakes", "line 1, column 11, staat: get_leads doesn't have this parameter").await;
    let kept = ada.value(At::Named("Commands, one per line")).await;
    assert_eq!(kept.replace("\r\n", "\n"), wrong, "what was typed is kept");
    assert_eq!(ada.count(".runs > li").await, 0, "nothing was run");
    ada.fill(At::Named("Commands, one per line"), &wrong.replace("staat", "state")).await;
    ada.click(At::Named("Run")).await;
    ada.wait_for_text(".runs > li:first-child", "2 commands done").await;
    ada.wait_for_text(".runs pre", "grace.hopper@example.com").await;
    ada.wait_for_text(".runs ul > li:last-child", "OK create_order order=").await;
    assert_eq!(ada.count(".mistakes").await, 0);
}
