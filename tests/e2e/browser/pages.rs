//! Every page in both themes and at both widths (all four combinations in the long form): axe-core finds no
//! violation, nothing is wider than the window, and the console is quiet.

use holdfast::accounts::change::Operator;
use holdfast::accounts::link_path;
use holdfast::accounts::sign_up::SignUp;
use holdfast::base::clock::Clock;
use holdfast::base::identity::Role;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::imports::{fixture, upload};
use super::{Office, Place, WRITE, console_is_quiet, field};
use crate::accounts::{OTHER, PASSWORD, with_password};
use crate::sign_up::by_invitation;
use crate::support::browser::{At, Browser, Look};
use crate::support::case::Form;
use crate::support::http::Server;
use crate::support::workspace::{self, Workspace};
use crate::support::{Case, TestEnvironment, cases};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: the_account_pages_are_accessible,
            the_link_and_password_pages_are_accessible,
            the_sign_up_pages_are_accessible,
            the_lead_pages_are_accessible,
            the_conflict_pages_are_accessible,
            the_import_pages_are_accessible,
            the_command_page_is_accessible,
            the_rule_pages_are_accessible
    ]
}

/// Checks the open page in all looks. If `HOLDFAST_TESTS_SCREENSHOTS` is set, it saves a picture of each in
/// `screenshots/` under the target folder.
pub(super) async fn assert_accessible(person: &Browser, name: &str) {
    let pictures = std::env::var_os("HOLDFAST_TESTS_SCREENSHOTS").is_some();
    for (width, look) in [("phone", Look::phone()), ("desktop", Look::desktop())] {
        for (theme, look) in [("dark", look.dark()), ("light", look)] {
            // The short form covers each width and each theme once.
            if Form::requested() == Form::Short && !pictures && (theme == "dark") != (width == "phone") {
                continue;
            }
            person.look(look).await;
            let too_wide =
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            let by = person.run(too_wide, Vec::new()).await;
            assert!(by.as_i64() <= Some(0), "{name} is too wide for a {width} by {by} pixels");
            let found = person.axe_violations().await;
            assert!(found.is_empty(), "axe-core on {name}, {width}, {theme}:\n  {}", found.join("\n  "));
            if pictures {
                person.screenshot(&format!("{name}-{width}-{theme}")).await;
            }
        }
    }
    console_is_quiet(person).await;
}

async fn the_account_pages_are_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.environment.browser(Look::desktop()).await;
    ada.goto(&office.url("/leads")).await;
    ada.wait_for("#sign-in-password").await;
    assert_accessible(&ada, "sign-in").await;
    ada.fill(At::Named("Email"), "nobody@example.com").await;
    ada.fill(At::Named("Password"), "a wrong password").await;
    ada.click(At::Css("main [type=submit]")).await;
    ada.wait_for("#sign-in-error").await;
    assert_accessible(&ada, "sign-in-wrong").await;

    office.workspace.sign_in(&ada, &office.server, Role::Administrator, "Ada Lovelace").await;
    ada.wait_for_text("main", "No leads yet").await;
    assert_accessible(&ada, "no-leads").await;
    ada.click(At::Named("Getting started")).await;
    ada.wait_for_text("h1", "Welcome to Holdfast").await;
    assert_accessible(&ada, "welcome").await;
    ada.goto(&office.url("/account")).await;
    ada.fill(At::Named("New password"), "a sentence is easy to remember").await;
    ada.fill(At::Named("Confirm new password"), "a sentence is easy to forget").await;
    ada.click(At::Named("Set password")).await;
    ada.wait_for("[aria-invalid=true]").await;
    assert_accessible(&ada, "account-wrong").await;
    ada.fill(At::Named("Token name"), "Nightly export").await;
    ada.click(At::Named("Create token")).await;
    ada.wait_for("#new-token").await;
    ada.click(At::Css(".menu summary")).await;
    assert_accessible(&ada, "account").await;
    ada.goto(&office.url("/nowhere")).await;
    ada.wait_for_text("main", "404").await;
    assert_accessible(&ada, "error-404").await;
}

async fn the_link_and_password_pages_are_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    with_password(&office.workspace, "ann@holdfast.test").await;
    let ann = office.environment.browser(Look::desktop()).await;
    ann.goto(&office.url(&link_path("hf_used"))).await;
    assert_accessible(&ann, "link-used").await;
    ann.click(At::Named("Sign in with your password")).await;
    ann.fill(At::Named("Email"), "ann@holdfast.test").await;
    ann.fill(At::Named("Password"), PASSWORD).await;
    ann.click(At::Named("Sign in")).await;
    ann.wait_for(".menu").await;
    ann.goto(&office.url("/account")).await;
    ann.fill(At::Css("#current"), "not the right one").await;
    ann.fill(At::Named("New password"), OTHER).await;
    ann.fill(At::Named("Confirm new password"), OTHER).await;
    ann.click(At::Named("Change password")).await;
    ann.wait_for("#current-error").await;
    assert_accessible(&ann, "password-wrong").await;

    let pat = office.workspace.account(Role::Participant, "Pat").await;
    let link = office.workspace.app.accounts().sign_in_link(pat.id, Operator::Command).await.unwrap();
    let pat = office.environment.browser(Look::desktop()).await;
    pat.goto(&office.url(&link_path(&link))).await;
    assert_accessible(&pat, "link").await;
    pat.click(At::Named("Sign in")).await;
    pat.wait_for_text("h1", "Welcome, Pat").await;
    assert_accessible(&pat, "welcome-participant").await;
}

async fn the_sign_up_pages_are_accessible(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await.with_sign_up(by_invitation());
    let taken = workspace.account(Role::Participant, "Grace Hopper").await;
    let server = Server::of(workspace.router.clone()).await;
    let pat = environment.browser(Look::desktop()).await;
    pat.goto(&server.url("/sign-up")).await;
    pat.wait_for("#code").await;
    assert_accessible(&pat, "sign-up").await;
    pat.run("document.querySelector('main form').noValidate = true", Vec::new()).await;
    pat.click(At::Css("main [type=submit]")).await;
    pat.wait_for("#password-error").await;
    assert_accessible(&pat, "sign-up-wrong").await;
    pat.fill(At::Named("Invitation code"), "k7-Wm2!xQ").await;
    pat.fill(At::Named("Name"), "Pat Doe").await;
    pat.fill(At::Named("Email"), taken.email.as_str()).await;
    pat.fill(At::Named("Password"), "a sentence is easy to remember").await;
    pat.click(At::Css("main [type=submit]")).await;
    // The address has an account, which the page does not say.
    pat.wait_for_text(".notice", "Now sign in").await;
    assert_accessible(&pat, "sign-up-done").await;
    let off = Server::of(workspace.with_sign_up(SignUp::Off).router).await;
    pat.goto(&off.url("/sign-up")).await;
    assert_accessible(&pat, "sign-up-off").await;
}

async fn the_lead_pages_are_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.person(Role::Administrator, "Ada Lovelace", Look::desktop()).await;
    ada.goto(&office.url("/leads")).await;
    ada.click(At::Named("Load sample leads")).await;
    ada.click(At::Named("View leads")).await;
    ada.wait_for("#lead-rows tr").await;
    assert_accessible(&ada, "list").await;
    ada.fill(At::Named("Search leads"), "nobody at all").await;
    ada.wait_for_text("#lead-rows", "No matching leads").await;
    assert_accessible(&ada, "no-match").await;

    ada.goto(&office.url("/leads/new")).await;
    assert_accessible(&ada, "new").await;
    let novalidate = "document.querySelector('main form').noValidate = true";
    ada.run(novalidate, Vec::new()).await;
    ada.click(At::Named("Create lead")).await;
    ada.wait_for("[aria-invalid=true]").await;
    assert_accessible(&ada, "new-wrong").await;

    let lead = office.lead("Grace Hopper", 79).await;
    office.edit(&ada, &lead, Place::Row).await;
    ada.choose(At::Css(&field(&lead, "status")), "Converted").await;
    ada.click(At::Named("Save")).await;
    ada.wait_for("[aria-invalid=true]").await;
    assert_accessible(&ada, "row-wrong").await;
    office.edit(&ada, &lead, Place::Page).await;
    assert_accessible(&ada, "edit").await;
    office.change(&lead, json!({ "leadScore": 85, "state": "TX" })).await;
    office.change(&lead, json!({ "status": "CONVERTED" })).await;
    ada.goto(&office.page(&lead)).await;
    ada.click(At::Css(".more-actions details:first-child summary")).await;
    assert_accessible(&ada, "lead").await;
}

async fn the_conflict_pages_are_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada Lovelace", Look::desktop()).await;
    ada.goto(&office.url("/leads")).await;
    ada.click(At::Named("Load sample leads")).await;
    ada.click(At::Named("View leads")).await;
    ada.wait_for("#lead-rows tr").await;
    let ann =
        office.workspace.session(Role::Agent, "Ann Baker").await.always("origin", "http://holdfast.test");
    // One conflict in which the edits do not overlap, and one in which they do.
    for (place, name, typed) in [
        (Place::Row, "Grace Hopper", ("name", "Grace Murray Hopper")),
        (Place::Page, "Mary Jackson", ("leadScore", "64")),
    ] {
        let lead = office.lead(name, 50).await;
        office.edit(&ada, &lead, place).await;
        ada.fill(At::Css(&field(&lead, typed.0)), typed.1).await;
        ada.choose(At::Css(&field(&lead, "status")), "Qualified").await;
        workspace::change(&ann, &lead, 1, json!({ "leadScore": 72, "state": "TX" })).await.expect(200);
        ada.click(At::Named("Save")).await;
        ada.wait_for(".conflict").await;
        assert_accessible(&ada, &format!("conflict-{place:?}").to_lowercase()).await;
    }
    let lead = office.lead("Edward Hopper", 50).await;
    office.edit(&ada, &lead, Place::Row).await;
    let path = format!("/api/leads/{}?version=1", super::id(&lead));
    office.program.delete(&path).send().await.expect(204);
    ada.fill(At::Css(&field(&lead, "leadScore")), "64").await;
    ada.click(At::Named("Save")).await;
    ada.wait_for(".conflict").await;
    assert_accessible(&ada, "deleted").await;
}

async fn the_import_pages_are_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada Lovelace", Look::desktop()).await;
    ada.goto(&office.url("/leads/imports/new")).await;
    assert_accessible(&ada, "import").await;
    upload(&office, &ada, &fixture("contacts-with-mistakes.csv")).await;
    assert_accessible(&ada, "import-preview").await;

    let start = office.environment.wire().hold(1, WRITE);
    // The click returns only after the next page is loaded, so the write is released concurrently.
    let (step, ()) = futures_util::join!(
        async {
            start.arrived(1).await;
            let step = office.environment.wire().hold(1, WRITE);
            start.open();
            step
        },
        ada.click(At::Css("main form [type=submit]"))
    );
    step.arrived(1).await;
    ada.wait_for("#import-progress").await;
    // A step takes seconds at most, so this one has failed. The page stays as it is.
    show_running_import(&ada).await;
    step.open();
    ada.wait_for_text("#import-progress", "Done.").await;
    assert_accessible(&ada, "import-report").await;
}

async fn the_command_page_is_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    office.lead("Grace Hopper", 79).await;
    let ada = office.agent("Ada Lovelace", Look::desktop()).await;
    ada.goto(&office.url("/automation")).await;
    assert_accessible(&ada, "commands").await;
    ada.fill(At::Named("Commands, one per line"), "get_leads staat=NY\nget_orders limit=0").await;
    ada.click(At::Named("Run")).await;
    ada.wait_for(".mistakes").await;
    assert_accessible(&ada, "commands-wrong").await;
    let create = "create_order customer_name=Acme customer_email=buy@acme.example requested_states=TX";
    ada.fill(At::Named("Commands, one per line"), &format!("get_leads state=NY\n{create}\nhelp get_leads"))
        .await;
    ada.click(At::Named("Run")).await;
    ada.wait_for_text(".runs", "1 of 3 commands failed").await;
    assert_accessible(&ada, "commands-run").await;
}

async fn the_rule_pages_are_accessible(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.person(Role::Administrator, "Ada Lovelace", Look::desktop()).await;
    ada.goto(&office.url("/automation/rules")).await;
    assert_accessible(&ada, "rules-none").await;
    ada.goto(&office.url("/automation/rules/new")).await;
    assert_accessible(&ada, "rule-new").await;
    ada.look(Look::desktop()).await;
    let program = office.workspace.program(Role::Administrator).await;
    let nowhere = "fulfill_order order_id=019f0000-0000-7000-8000-000000000000";
    for (name, on, command) in [
        ("Deliver at once", "order.created", "fulfill_order order_id={orderId}"),
        ("Deliver what is not there", "every 1m", nowhere),
    ] {
        let rule = json!({ "name": name, "on": on, "command": command });
        program.post("/api/automation/rules").json(&rule).send().await.expect(201);
    }
    // A run that fails three times is kept for a person.
    for minutes in [2, 10, 30] {
        let now = move || Timestamp::now() + SignedDuration::from_mins(minutes);
        let workspace = office.workspace.clone().with_clock(Clock::from_fn(now));
        workspace.app.projections().sweep().await.expect("the sweep is done");
    }
    ada.goto(&office.url("/automation/rules")).await;
    ada.wait_for_text("main", "Needs attention").await;
    assert_accessible(&ada, "rules").await;
    ada.look(Look::desktop()).await;
    ada.click(At::Css("form[action$='/retry'] button")).await;
    ada.wait_for_text("main", "Order not found").await;
    assert_accessible(&ada, "rules-run-again").await;
}

/// The page of a running import, shown once: the held step runs into its deadline.
async fn show_running_import(person: &Browser) {
    person.axe().await;
    person.look(Look::phone().dark()).await;
    person.axe().await;
}
