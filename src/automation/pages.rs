//! The page of commands.
//!
//! What always holds: a form that is sent twice runs once, for it carries a key; what was typed is kept where a line is
//! wrong or failed; the page works without JavaScript.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::store::{self, Run, RunId};
use super::views::{CommandsPage, MistakeView, RunView};
use super::{grammar, script};
use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::OnceOnly;
use crate::error::AppError;
use crate::orders::domain::By;
use crate::web::access::{Access, Routes};
use crate::web::extract::{FormData, InQuery};
use crate::web::pages::Shell;
use crate::web::request::WantsFragment;
use crate::web::respond::{html, see_other};

/// The address of the page.
const PATH: &str = "/automation";

/// The routes of the page.
pub fn routes(app: &App) -> Routes {
    Routes::new(app).get(PATH, Access::Agent, show).post(PATH, Access::Agent, run)
}

/// What the page is asked for.
#[derive(Debug, Default, Deserialize)]
struct ShowQuery {
    /// The run whose commands stand in the form again.
    again: Option<String>,
    /// Whether the form has just run some.
    ran: Option<String>,
}

async fn show(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    WantsFragment(fragment): WantsFragment,
    InQuery(query): InQuery<ShowQuery>,
) -> Result<Response, AppError> {
    let runs = store::recent(&app, who.id).await?;
    let again = runs.iter().find(|run| query.again.as_ref().is_some_and(|id| *id == run.id.to_string()));
    let text = again.map(|run| run.text.clone()).unwrap_or_default();
    let page = CommandsPage { just_run: query.ran.is_some(), ..page(&app, shell, text, runs) };
    draw(StatusCode::OK, &page, fragment)
}

fn page(app: &App, shell: Shell, text: String, runs: Vec<Run>) -> CommandsPage {
    let key = app.entropy.uuid().to_string();
    let runs = runs.into_iter().map(RunView::from).collect();
    CommandsPage { shell, text, key, mistakes: Vec::new(), runs, just_run: false }
}

fn draw(status: StatusCode, page: &CommandsPage, fragment: bool) -> Result<Response, AppError> {
    if fragment { html(status, &page.as_workspace()) } else { html(status, page) }
}

/// The form.
#[derive(Debug, Deserialize)]
struct CommandsForm {
    commands: String,
    #[serde(default)]
    key: String,
}

async fn run(
    State(app): State<App>,
    shell: Shell,
    who: SignedIn,
    WantsFragment(fragment): WantsFragment,
    FormData(form): FormData<CommandsForm>,
) -> Result<Response, AppError> {
    let lines = match grammar::read(&form.commands) {
        Ok(lines) => lines,
        Err(errors) => {
            let mistakes = MistakeView::all(&form.commands, &errors);
            let runs = store::recent(&app, who.id).await?;
            let page = CommandsPage { mistakes, ..page(&app, shell, form.commands, runs) };
            return draw(StatusCode::UNPROCESSABLE_ENTITY, &page, fragment);
        }
    };
    let now = app.clock.now();
    let mut id = RunId::new(now, &app.entropy.bytes());
    let once = once(&form, &who, now);
    if let Some(once) = &once {
        // The same form sent twice is one run.
        id = script::claim(&app, once, &id.to_string()).await?.parse().unwrap_or(id);
    }
    let until = script::deadline(&app);
    let results = script::run(&app, &lines, &By::from(who.actor()), once.as_ref(), Some(until)).await;
    let failed = results.iter().any(|result| !result.is_ok());
    let run = Run { id, at: now, text: form.commands, results };
    store::keep(&app, who.id, &run).await?;
    if !fragment {
        let again = if failed { format!("&again={id}") } else { String::new() };
        return Ok(see_other(&shell, &format!("{PATH}?ran=1{again}"), false));
    }
    let text = if failed { run.text } else { String::new() };
    let page = page(&app, shell, text, store::recent(&app, who.id).await?);
    draw(StatusCode::OK, &CommandsPage { just_run: true, ..page }, true)
}

/// The form as a request that happens once. A page that a browser brought back has an old key, so what was typed is
/// part of it.
fn once(form: &CommandsForm, who: &SignedIn, now: jiff::Timestamp) -> Option<OnceOnly> {
    let form_key: uuid::Uuid = form.key.parse().ok()?;
    let asked: [&[u8]; 2] = [PATH.as_bytes(), form.commands.as_bytes()];
    let typed = crate::values::fingerprint(&asked);
    let key = format!("{form_key}-{typed}").parse().ok()?;
    Some(OnceOnly::new(&who.id.to_string(), key, &asked, now))
}
