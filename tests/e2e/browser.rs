//! People at real browsers: how pages behave and look.
//!
//! The workspace answers over a real socket. The wire to its store can be held, so that cases can check a page
//! while a request runs.

mod commands;
mod dashboard;
mod drafts;
mod edits;
mod flows;
mod gallery;
mod imports;
mod inventory;
mod keyboard;
mod layout;
mod orders;
mod pages;
mod pictures;
mod plain;
mod raffles;
mod refusals;
mod search;
mod sign_in_codes;
mod sign_in_dialog;
mod swaps;
mod texts;
mod themes;

use holdfast::base::identity::Role;
use serde_json::{Value, json};

use crate::support::browser::{At, Browser, Look};
use crate::support::http::{Client, Server};
use crate::support::workspace::{self, Workspace};
use crate::support::{Case, TestEnvironment, wait};

/// The cases of this module's parts.
pub fn all() -> Vec<Case> {
    [
        commands::all(),
        dashboard::all(),
        drafts::all(),
        edits::all(),
        flows::all(),
        imports::all(),
        inventory::all(),
        keyboard::all(),
        layout::all(),
        orders::all(),
        pages::all(),
        pictures::all(),
        plain::all(),
        raffles::all(),
        refusals::all(),
        search::all(),
        sign_in_codes::all(),
        sign_in_dialog::all(),
        swaps::all(),
        texts::all(),
        themes::all(),
    ]
    .concat()
}

/// The name on pages of the program that changes leads for [`Office::change`].
const PROGRAM: &str = "Test agent (test)";

/// The operation of every change.
const WRITE: &str = "TransactWriteItems";

/// The workspace behind a socket, and a program that uses it.
struct Office {
    environment: TestEnvironment,
    workspace: Workspace,
    server: Server,
    /// An agent's program, whose changes are by [`PROGRAM`].
    program: Client,
}

impl Office {
    async fn open(environment: TestEnvironment) -> Self {
        let workspace = Workspace::open(&environment).await;
        let server = Server::of(workspace.router.clone()).await;
        let program = workspace.agent().await;
        Self { environment, workspace, server, program }
    }

    /// A new agent at a separate browser, signed in.
    async fn agent(&self, name: &str, look: Look) -> Browser {
        self.person(Role::Agent, name, look).await
    }

    async fn person(&self, role: Role, name: &str, look: Look) -> Browser {
        let browser = self.environment.browser(look).await;
        self.workspace.sign_in(&browser, &self.server, role, name).await;
        browser.goto(&self.url("/leads")).await;
        browser
    }

    fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// Creates a lead with this name and score, in New York.
    async fn lead(&self, name: &str, score: u8) -> Value {
        let email = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
        let lead = json!({ "name": name, "email": email, "state": "NY", "leadScore": score });
        workspace::create(&self.program, &lead).await
    }

    /// The lead as it is now.
    async fn now(&self, lead: &Value) -> Value {
        workspace::read(&self.program, lead).await
    }

    /// Changes the current version of the lead with the program.
    async fn change(&self, lead: &Value, body: Value) {
        let version = self.now(lead).await["version"].as_u64().unwrap();
        workspace::change(&self.program, lead, version, body).await.expect(200);
    }

    /// The address of the lead's page.
    fn page(&self, lead: &Value) -> String {
        self.url(&format!("/leads/{}", id(lead)))
    }

    /// Opens the lead's form, in the row of the list or on its page.
    async fn edit(&self, person: &Browser, lead: &Value, place: Place) {
        match place {
            Place::Row => {
                person.goto(&self.url("/leads")).await;
                person.click(At::Named(&format!("Edit {}", text(lead, "name")))).await;
            }
            Place::Page => {
                person.goto(&self.page(lead)).await;
                person.click(At::Named("Edit")).await;
            }
        }
        person.wait_for(&field(lead, "name")).await;
    }
}

/// The place where a lead is edited.
#[derive(Clone, Copy, Debug)]
enum Place {
    Row,
    Page,
}

impl Place {
    /// The element that shows the lead.
    fn lead(self, lead: &Value) -> String {
        match self {
            Self::Row => format!("#lead-{}", id(lead)),
            Self::Page => "#lead".to_owned(),
        }
    }
}

fn text<'a>(lead: &'a Value, field: &str) -> &'a str {
    lead[field].as_str().unwrap_or_else(|| panic!("{lead} has no text {field}"))
}

fn id(lead: &Value) -> &str {
    text(lead, "id")
}

/// The selector of a field of the lead's form.
fn field(lead: &Value, name: &str) -> String {
    format!("[form=edit-{}][name={name}]:not([type=hidden])", id(lead))
}

/// The history, newest first: the author of each change and the fields that it changed.
async fn changes(office: &Office, lead: &Value) -> Vec<(String, Vec<String>)> {
    let mut entries = workspace::history(&office.program, lead).await;
    entries.reverse();
    let names = |entry: &Value| {
        let changes = entry["changes"].as_array().expect("an entry has changes");
        changes.iter().map(|change| text(change, "field").to_owned()).collect()
    };
    entries.iter().map(|entry| (text(entry, "by").to_owned(), names(entry))).collect()
}

/// Waits until an element of the page has the focus, which keyboard and screen reader users need.
async fn focus_is_somewhere(browser: &Browser) {
    wait::until("something has the focus", async || {
        let script = "return document.hasFocus() && document.activeElement !== document.body";
        browser.run(script, Vec::new()).await == true
    })
    .await;
}

/// Waits until the focused element has this accessible name.
async fn focus_is_on(browser: &Browser, name: &str) {
    wait::until(&format!("the focus is on {name}"), async || browser.focused().await == name).await;
}

/// Panics if the console has other entries than answers of 400 to 499, which a browser always lists, and canceled
/// searches, which htmx lists.
async fn console_is_quiet(browser: &Browser) {
    const EXPECTED: [&str; 3] =
        ["the server responded with a status of 4", "\"htmx:sendAbort,", "\"htmx:afterRequest,"];
    let mut lines = browser.console().await;
    lines.retain(|line| !EXPECTED.iter().any(|expected| line.contains(expected)));
    assert!(lines.is_empty(), "on the console: {lines:#?}");
}
