//! Drafts: what was typed and not sent comes back, to the same person only, and overwrites no other change.

use fantoccini::key::Key;
use holdfast::accounts::link_path;
use holdfast::base::identity::Role;
use serde_json::{Value, json};

use super::pages::assert_accessible;
use super::sign_in_dialog::{PASSWORD, account, agent, end_session};
use super::{Office, PROGRAM, Place, console_is_quiet, field, focus_is_on, focus_is_somewhere, id};
use crate::orders::stock;
use crate::sign_up::by_invitation;
use crate::support::browser::{At, Browser, Look};
use crate::support::http::Server;
use crate::support::workspace::Workspace;
use crate::support::{Case, Fault, TestEnvironment, cases, wait};

pub(super) fn all() -> Vec<Case> {
    cases![
        browser: a_row_in_edit_survives_a_reload_a_filter_and_a_link,
            a_row_that_is_closed_canceled_or_discarded_has_no_draft,
            a_form_survives_a_reload_a_link_and_a_refusal,
            a_note_and_the_choices_of_an_order_survive_a_reload,
            a_draft_keeps_no_password_and_nothing_that_was_answered,
            typed_input_survives_the_end_of_a_session_for_the_same_person_only,
            a_draft_never_overwrites_a_change_of_another_person,
            signing_out_ends_the_drafts_of_all_tabs,
            a_form_that_may_have_been_accepted_keeps_its_key,
            edits_that_were_saved_or_discarded_do_not_come_back,
            a_note_typed_on_its_page_continues_in_the_timeline,
            visitors_are_asked_before_their_input_is_lost,
            a_browser_without_storage_asks_before_input_is_lost
    ]
}

const RESTORED: &str = "Your unsaved changes were restored.";

/// The drafts that the browser keeps, as text.
async fn kept(browser: &Browser) -> String {
    let script =
        "return Object.entries(sessionStorage).filter(([key]) => key.startsWith('holdfast-draft:')).join()";
    browser.run(script, Vec::new()).await.as_str().expect("a text").to_owned()
}

async fn nothing_is_kept(browser: &Browser) {
    wait::until("no draft is kept", async || kept(browser).await.is_empty()).await;
}

/// Continues the edit that the page offers, and checks that the typed name is in the form.
async fn continue_editing(browser: &Browser, typed: &At<'_>) {
    browser.wait_for_text("#drafts", "You have unsaved changes to Grace Hopper.").await;
    browser.click(At::Named("Continue editing: Grace Hopper")).await;
    browser.wait_for_text(".draft", RESTORED).await;
    assert_eq!(browser.value(*typed).await, "Typed by Ada");
    assert_eq!(browser.count("#drafts").await, 0);
    focus_is_somewhere(browser).await;
}

async fn a_row_in_edit_survives_a_reload_a_filter_and_a_link(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    let name = field(&lead, "name");
    let name = At::Css(&name);
    office.edit(&ada, &lead, Place::Row).await;
    ada.fill(name, "Typed by Ada").await;
    ada.reload().await;
    ada.wait_for("#drafts").await;
    assert_accessible(&ada, "draft-offered").await;
    continue_editing(&ada, &name).await;
    assert_accessible(&ada, "draft-restored").await;

    // A filter that hides the row, and one that shows it again.
    ada.choose(At::Named("Status"), "Qualified").await;
    ada.wait_until_gone(&format!("#lead-{}", id(&lead))).await;
    ada.wait_for("#drafts").await;
    ada.choose(At::Named("Status"), "Any status").await;
    ada.wait_for(&format!("#lead-{}", id(&lead))).await;
    continue_editing(&ada, &name).await;

    // A link to another page, and back.
    ada.click(At::Named("Trash")).await;
    ada.wait_for_text("h1", "Trash").await;
    assert_eq!(ada.count("#drafts").await, 0, "another page offers nothing");
    ada.click(At::Named("Leads")).await;
    continue_editing(&ada, &name).await;

    console_is_quiet(&ada).await;

    // A row that the list does not show is edited on its page.
    ada.goto(&office.url("/leads?status=QUALIFIED")).await;
    continue_editing(&ada, &name).await;
    assert!(ada.url().await.contains("/edit"), "on the lead's page");
    ada.click(At::Named("Save")).await;
    ada.wait_for_text("#lead", "Typed by Ada").await;
    nothing_is_kept(&ada).await;
    assert_eq!(office.now(&lead).await["name"], "Typed by Ada");
}

async fn a_row_that_is_closed_canceled_or_discarded_has_no_draft(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    let name = field(&lead, "name");
    let name = At::Css(&name);
    // Escape closes the row. It can be opened again as it was.
    office.edit(&ada, &lead, Place::Row).await;
    ada.fill(name, "Closed by mistake").await;
    ada.press(&Key::Escape).await;
    ada.wait_until_gone("tr.editing").await;
    nothing_is_kept(&ada).await;
    ada.click(At::Named("Undo")).await;
    ada.wait_for_text(".draft", RESTORED).await;
    assert_eq!(ada.value(name).await, "Closed by mistake");

    // Cancel and Discard end a draft.
    for ends_it in [At::Named("Cancel"), At::Named("Discard: Grace Hopper")] {
        office.edit(&ada, &lead, Place::Row).await;
        ada.fill(name, "Not wanted").await;
        assert!(kept(&ada).await.contains("Not wanted"));
        if matches!(ends_it, At::Named(name) if name.starts_with("Discard")) {
            ada.reload().await;
        }
        ada.click(ends_it).await;
        nothing_is_kept(&ada).await;
        ada.wait_until_gone("#drafts").await;
        focus_is_somewhere(&ada).await;
    }
}

async fn a_form_survives_a_reload_a_link_and_a_refusal(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let (ada, _) = agent(&office, "Ada", Look::phone()).await;
    ada.goto(&office.url("/leads/new")).await;
    ada.fill(At::Named("Name"), "Mary Jackson").await;
    ada.choose(At::Named("State"), "Texas").await;
    ada.click(At::Css("details.custom summary")).await;
    ada.fill(At::Css("[name='new.1.text']"), "Tall").await;
    ada.reload().await;
    let is_restored = async |line: &str| {
        ada.wait_for_text(".draft", RESTORED).await;
        assert_eq!(ada.value(At::Named("Name")).await, "Mary Jackson", "{line}");
        assert_eq!(ada.value(At::Named("State")).await, "TX", "{line}");
        assert_eq!(ada.value(At::Css("[name='new.1.text']")).await, "Tall", "{line}");
    };
    is_restored("after a reload").await;
    ada.click(At::Css(".crumb a")).await;
    ada.wait_to_leave("/leads/new").await;
    ada.goto(&office.url("/leads/new")).await;
    is_restored("after a link").await;
    assert_accessible(&ada, "draft-restored-form").await;

    // The page of a refusal has what was typed. The draft lasts until the form is accepted.
    ada.fill(At::Named("Email"), "mary@example.com").await;
    ada.choose(At::Named("Status"), "Converted").await;
    ada.click(At::Named("Create lead")).await;
    ada.wait_for("[aria-invalid=true]").await;
    assert_eq!(ada.count(".draft").await, 0);
    ada.goto(&office.url("/leads/new")).await;
    is_restored("after a refusal").await;
    ada.click(At::Css(".draft button")).await;
    assert_eq!(ada.value(At::Named("Name")).await, "", "discarded");
    focus_is_on(&ada, "Name").await;
    nothing_is_kept(&ada).await;
    ada.reload().await;
    assert_eq!(ada.value(At::Named("Name")).await, "");
    assert_eq!(ada.count(".draft").await, 0);
    ada.fill(At::Named("Name"), "Mary Jackson").await;
    ada.fill(At::Named("Email"), "mary@example.com").await;
    ada.fill(At::Named("Lead score (0 to 100)"), "50").await;
    assert!(!kept(&ada).await.is_empty());
    ada.click(At::Named("Create lead")).await;
    ada.wait_for_text("#lead h1", "Mary Jackson").await;
    nothing_is_kept(&ada).await;
    console_is_quiet(&ada).await;
}

async fn a_note_and_the_choices_of_an_order_survive_a_reload(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Mary Jackson", 50).await;
    let (ada, _) = agent(&office, "Ada", Look::desktop()).await;
    ada.goto(&office.page(&lead)).await;
    // The field of a note is outside its form.
    ada.fill(At::Named("New note"), "Called, no answer.").await;
    ada.reload().await;
    ada.wait_for_text(".draft", RESTORED).await;
    assert_eq!(ada.value(At::Named("New note")).await, "Called, no answer.");
    ada.click(At::Named("Add note")).await;
    ada.wait_for_text(".timeline", "Called, no answer.").await;
    nothing_is_kept(&ada).await;

    // Choices come back, and the preview that depends on them.
    stock(&office.workspace, "NY", 2).await;
    ada.goto(&office.url("/orders/new")).await;
    ada.click(At::Css("input[value=NY]")).await;
    ada.reload().await;
    ada.wait_for_text(".draft", RESTORED).await;
    ada.wait_for("#order-preview table").await;
    ada.click(At::Css("#order-preview a.secondary")).await;
    nothing_is_kept(&ada).await;
    console_is_quiet(&ada).await;
}

async fn a_draft_keeps_no_password_and_nothing_that_was_answered(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let (ada, _) = agent(&office, "Ada", Look::phone()).await;
    ada.goto(&office.url("/account")).await;
    ada.fill(At::Css("#name"), "Ada Two").await;
    ada.fill(At::Css("#profile-current"), "a secret of Ada").await;
    ada.fill(At::Css("#new"), "another secret").await;
    ada.fill(At::Css("#token-name"), "For a script").await;
    let drafts = kept(&ada).await;
    assert!(drafts.contains("Ada Two") && drafts.contains("For a script"), "{drafts}");
    assert!(!drafts.contains("secret"), "{drafts}");
    ada.reload().await;
    ada.wait_for_text(".draft", RESTORED).await;
    assert_eq!(ada.value(At::Css("#profile-current")).await, "");
    ada.click(At::Named("Create token")).await;
    ada.wait_for("#new-token").await;
    assert_eq!(ada.value(At::Css("#token-name")).await, "");
    assert_eq!(ada.value(At::Css("#name")).await, "Ada Two");
    let drafts = kept(&ada).await;
    assert!(drafts.contains("Ada Two") && !drafts.contains("For a script"), "{drafts}");
    console_is_quiet(&ada).await;
}

async fn sign_in(browser: &Browser, email: &str) {
    browser.fill(At::Named("Email"), email).await;
    browser.fill(At::Named("Password"), PASSWORD).await;
    browser.click(At::Named("Sign in")).await;
}

async fn typed_input_survives_the_end_of_a_session_for_the_same_person_only(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let (ada, email) = agent(&office, "Ada", Look::desktop()).await;
    ada.goto(&office.url("/leads/new")).await;
    ada.fill(At::Named("Name"), "Mary Jackson").await;
    let name = field(&lead, "name");
    let name = At::Css(&name);
    office.edit(&ada, &lead, Place::Row).await;
    ada.fill(name, "Typed by Ada").await;
    end_session(&ada).await;
    ada.reload().await;
    sign_in(&ada, &email).await;
    continue_editing(&ada, &name).await;
    // The dialog sends the edit after signing in again.
    end_session(&ada).await;
    ada.click(At::Named("Save")).await;
    ada.fill(At::Css("#sign-in-again[open] [name=password]"), PASSWORD).await;
    ada.click(At::Css("#sign-in-again[open] [type=submit]")).await;
    ada.wait_for_text("#lead-rows", "Typed by Ada").await;
    wait::until("the edit has no draft", async || !kept(&ada).await.contains("Typed by Ada")).await;
    ada.goto(&office.url("/leads/new")).await;
    ada.wait_for_text(".draft", RESTORED).await;
    assert_eq!(ada.value(At::Named("Name")).await, "Mary Jackson");

    // Another person at this browser sees nothing of it.
    let bob = account(&office, "Bob").await;
    end_session(&ada).await;
    ada.reload().await;
    sign_in(&ada, &bob).await;
    ada.wait_for_text(".menu summary", "Bob").await;
    assert_eq!(ada.value(At::Named("Name")).await, "");
    assert_eq!(kept(&ada).await, "");
    ada.fill(At::Named("Name"), "Typed by Bob").await;
    assert!(kept(&ada).await.contains("Typed by Bob"));
    ada.click(At::Css(".menu summary")).await;
    ada.click(At::Named("Sign out")).await;
    ada.find(At::Named("Password")).await;
    assert_eq!(kept(&ada).await, "", "signing out ends all drafts");
    console_is_quiet(&ada).await;
}

async fn a_draft_never_overwrites_a_change_of_another_person(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    let name = field(&lead, "name");
    let name = At::Css(&name);
    office.edit(&ada, &lead, Place::Page).await;
    ada.fill(name, "Typed by Ada").await;
    office.change(&lead, json!({ "state": "TX" })).await;
    ada.reload().await;
    continue_editing(&ada, &name).await;
    ada.wait_for_text(".draft", "The other fields show the current values.").await;
    assert_eq!(ada.value(At::Css(&field(&lead, "state"))).await, "TX");
    ada.click(At::Named("Save")).await;
    ada.wait_for_text("#lead h1", "Typed by Ada").await;
    let now = office.now(&lead).await;
    assert_eq!((&now["name"], &now["state"]), (&json!("Typed by Ada"), &json!("TX")));

    // The same field: a choice decides, and the draft lasts until then.
    office.edit(&ada, &lead, Place::Page).await;
    ada.fill(At::Css(&field(&lead, "leadScore")), "33").await;
    office.change(&lead, json!({ "leadScore": 72 })).await;
    for _ in 0..2 {
        ada.reload().await;
        ada.click(At::Named("Continue editing: Typed by Ada")).await;
        ada.wait_for_text(".draft", "This has changed since then. Save to compare.").await;
        assert_eq!(ada.value(At::Css(&field(&lead, "leadScore"))).await, "33");
        ada.click(At::Named("Save")).await;
        let says = format!("{PROGRAM} changed lead score 50 → 72");
        ada.wait_for_text(".conflict [role=alert]", &says).await;
        assert_eq!(office.now(&lead).await["leadScore"], 72);
    }
    ada.click(At::Named("Lead score: mine, 33")).await;
    ada.click(At::Named("Save these choices")).await;
    ada.wait_until_gone(".conflict").await;
    ada.wait_for_text("#lead .facts", "33").await;
    nothing_is_kept(&ada).await;

    // A form with a version and nothing to compare.
    ada.goto(&office.url("/orders/caps")).await;
    ada.fill(At::Css("#cap-NY-value"), "12").await;
    let set = json!({ "state": "NY", "cap": 20, "version": 1 });
    office.program.put("/api/leads/caps").json(&set).send().await.expect(200);
    ada.reload().await;
    ada.wait_for_text("#cap-NY .draft", "This has changed since then.").await;
    assert_eq!(ada.value(At::Css("#cap-NY-value")).await, "12");
    ada.click(At::Named("Save the cap for New York")).await;
    ada.wait_for_text("#cap-NY .error", "20").await;
    assert_eq!(ada.value(At::Css("#cap-NY-value")).await, "12");
    console_is_quiet(&ada).await;
}

async fn signing_out_ends_the_drafts_of_all_tabs(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.url("/leads/new")).await;
    ada.fill(At::Named("Name"), "Mary Jackson").await;
    let first = ada.open_tab().await;
    ada.goto(&office.url("/leads")).await;
    ada.click(At::Css(".menu summary")).await;
    ada.click(At::Named("Sign out")).await;
    ada.find(At::Named("Password")).await;
    ada.switch_to_tab(first).await;
    nothing_is_kept(&ada).await;
}

async fn a_form_that_may_have_been_accepted_keeps_its_key(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.person(Role::Administrator, "Ada", Look::desktop()).await;
    ada.goto(&office.url("/raffles/new")).await;
    let key = async || ada.run("return document.querySelector('form [name=key]').value", Vec::new()).await;
    ada.fill(At::Named("Title"), "Spring raffle").await;
    ada.fill(At::Named("Prize"), "A weekend in Vermont").await;
    let first = key().await;
    office.environment.wire().next("TransactWriteItems", Fault::Refused("AccessDeniedException"));
    ada.click(At::Named("Open raffle")).await;
    ada.wait_for_text("main", "Reference:").await;
    ada.click(At::Named("Go back")).await;
    ada.wait_for_text(".draft", RESTORED).await;
    assert_eq!(ada.value(At::Named("Title")).await, "Spring raffle");
    assert_eq!(key().await, first, "the form cannot be accepted twice");
    ada.click(At::Named("Open raffle")).await;
    ada.wait_for_text("h1", "Spring raffle").await;
    nothing_is_kept(&ada).await;
}

/// The conflict of a form on a page of its own ends the draft of that form.
async fn edits_that_were_saved_or_discarded_do_not_come_back(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    for (name, theirs, ends_it) in [
        ("Grace Hopper", json!({ "leadScore": 72 }), "Keep my changes"),
        ("Mary Jackson", json!({ "name": "Typed by Bob" }), "Save these choices"),
        ("Annie Easley", json!({ "leadScore": 72 }), "Discard my changes"),
    ] {
        let lead = office.lead(name, 50).await;
        ada.goto(&format!("{}/edit", office.page(&lead))).await;
        ada.fill(At::Css(&field(&lead, "name")), "Typed by Ada").await;
        assert!(kept(&ada).await.contains("Typed by Ada"));
        office.change(&lead, theirs).await;
        ada.click(At::Named("Save")).await;
        ada.wait_for(".conflict").await;
        if ends_it == "Save these choices" {
            ada.click(At::Named("Name: mine, Typed by Ada")).await;
        }
        ada.click(At::Named(ends_it)).await;
        ada.wait_for("#lead-name").await;
        assert_eq!(kept(&ada).await, "", "{ends_it}");
        ada.goto(&office.page(&lead)).await;
        assert_eq!(ada.count("#drafts").await, 0, "{ends_it}");
    }
    console_is_quiet(&ada).await;
}

async fn a_note_typed_on_its_page_continues_in_the_timeline(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    ada.goto(&office.page(&lead)).await;
    ada.fill(At::Named("New note"), "Called, no answer.").await;
    ada.click(At::Named("Add note")).await;
    ada.wait_for_text(".timeline", "Called, no answer.").await;
    let notes: Value =
        office.program.get(&format!("/api/leads/{}/notes", id(&lead))).send().await.expect(200).json();
    let note = format!("{}/notes/{}", office.page(&lead), id(&notes["items"][0]));
    ada.goto(&note).await;
    ada.fill(At::Css("#note-edit"), "Called, call again.").await;
    ada.goto(&office.page(&lead)).await;
    ada.click(At::Named("Continue editing: your note")).await;
    ada.wait_for_text(".draft", RESTORED).await;
    assert_eq!(ada.value(At::Css("#note-edit")).await, "Called, call again.");
    // And back: what was typed in the timeline is in the form on the page of the note.
    ada.fill(At::Css("#note-edit"), "Called, call in May.").await;
    ada.goto(&note).await;
    ada.wait_for_text(".draft", RESTORED).await;
    assert_eq!(ada.value(At::Css("#note-edit")).await, "Called, call in May.");
    ada.click(At::Named("Save note")).await;
    ada.wait_for_text(".timeline", "Called, call in May.").await;
    nothing_is_kept(&ada).await;
    console_is_quiet(&ada).await;
}

/// Whether leaving the page asks.
async fn leaving_asks(browser: &Browser) -> bool {
    let asks = "return !window.dispatchEvent(new Event('beforeunload', { cancelable: true }))";
    browser.run(asks, Vec::new()).await == true
}

/// A draft belongs to an account, which a visitor does not have yet.
async fn visitors_are_asked_before_their_input_is_lost(environment: TestEnvironment) {
    let workspace = Workspace::open(&environment).await.with_sign_up(by_invitation());
    let link = workspace.app.accounts().first_administrator_link().await.unwrap().unwrap();
    let server = Server::of(workspace.router.clone()).await;
    let pat = environment.browser(Look::desktop()).await;
    for path in ["/sign-up".to_owned(), link_path(&link)] {
        pat.goto(&server.url(&path)).await;
        assert!(!leaving_asks(&pat).await, "{path}: nothing is typed");
        pat.fill(At::Named("Password"), PASSWORD).await;
        assert!(!leaving_asks(&pat).await, "{path}: a password is no text");
        pat.fill(At::Named("Name"), "Pat Doe").await;
        assert!(leaving_asks(&pat).await, "{path}: the name would be lost");
        pat.fill(At::Named("Name"), "").await;
        assert!(!leaving_asks(&pat).await, "{path}: the name is empty again");
    }
    // What was refused is typed too.
    pat.goto(&server.url("/sign-up")).await;
    pat.fill(At::Named("Invitation code"), "a wrong code").await;
    pat.fill(At::Named("Name"), "Pat Doe").await;
    pat.fill(At::Named("Email"), "pat@example.com").await;
    pat.fill(At::Named("Password"), PASSWORD).await;
    pat.click(At::Css("main [type=submit]")).await;
    pat.wait_for("#code-error").await;
    assert!(leaving_asks(&pat).await, "the page of a refusal has the name");
    let stored = "return JSON.stringify([sessionStorage, localStorage])";
    let stored = pat.run(stored, Vec::new()).await.to_string();
    assert!(!["Pat Doe", "pat@", PASSWORD].iter().any(|typed| stored.contains(typed)), "{stored}");
    console_is_quiet(&pat).await;
}

async fn a_browser_without_storage_asks_before_input_is_lost(environment: TestEnvironment) {
    let office = Office::open(environment).await;
    let lead = office.lead("Grace Hopper", 50).await;
    let ada = office.agent("Ada", Look::desktop()).await;
    let blocked =
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new Error('blocked'); } })";
    ada.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": blocked })).await;
    let name = field(&lead, "name");
    let name = At::Css(&name);
    office.edit(&ada, &lead, Place::Row).await;
    ada.choose(At::Named("Status"), "Prospect").await;
    ada.wait_until_gone(&field(&lead, "name")).await;
    ada.click(At::Named("Edit Grace Hopper")).await;
    ada.fill(name, "Typed by Ada").await;
    ada.choose(At::Named("Status"), "Qualified").await;
    ada.wait_for_text("#discard", "Discard your changes to Grace Hopper?").await;
    focus_is_on(&ada, "Keep editing").await;
    assert_accessible(&ada, "discard-dialog").await;
    ada.press(&Key::Escape).await;
    ada.wait_until_gone("#discard").await;
    assert_eq!(ada.value(name).await, "Typed by Ada");
    assert_eq!(ada.value(At::Named("Status")).await, "PROSPECT", "the filter is that of the list");
    assert!(leaving_asks(&ada).await);
    ada.choose(At::Named("Status"), "Qualified").await;
    ada.click(At::Named("Discard")).await;
    ada.wait_until_gone(&format!("#lead-{}", id(&lead))).await;
    assert!(!leaving_asks(&ada).await);

    office.edit(&ada, &lead, Place::Page).await;
    ada.fill(name, "Typed by Ada").await;
    ada.click(At::Named("Save")).await;
    ada.wait_for_text("#lead h1", "Typed by Ada").await;
    assert!(!leaving_asks(&ada).await);
    console_is_quiet(&ada).await;
}
