//! The page of commands.
//!
//! Invariants: a form that is sent twice runs once, because it carries a key; if a line is invalid or fails, the
//! typed text is kept; the page works without JavaScript.

use crate::commands::Commands;
use crate::commands::grammar::{self, Line, LineError};
use crate::commands::help::GRAMMAR;
use crate::commands::script::LineResult;
use crate::commands::specs::SPECS;
use crate::commands::store::{Run, RunId};
use crate::shared::audit::Author;
use crate::shared::numbers::counted;
use crate::shared::pages::*;
use crate::web::query::address;

/// The address of the page.
const PATH: &str = "/automation";

/// Returns the routes of the page.
pub(super) fn routes() -> Routes<Commands> {
    Routes::default().get(PATH, Access::Agent, show).post(PATH, Access::Agent, run)
}

async fn show(
    State(commands): State<Commands>,
    RenderTarget { context, fragment }: RenderTarget,
    who: SignedIn,
    Query(query): Query<ShowQuery>,
) -> PageAnswer {
    let runs = commands.recent_runs(who.id).await?;
    let again = runs.iter().find(|run| query.again.as_ref().is_some_and(|id| *id == run.id.to_string()));
    let text = again.map(|run| run.text.clone()).unwrap_or_default();
    let page = CommandsPage { just_run: query.ran.is_some(), ..page(&commands, context, text, runs) };
    render(StatusCode::OK, &page, fragment)
}

fn page(commands: &Commands, context: PageContext, text: String, runs: Vec<Run>) -> CommandsPage {
    let key = commands.rng.uuid().to_string();
    let runs = runs.into_iter().map(RunView::from).collect();
    CommandsPage { context, text, key, mistakes: Vec::new(), runs, just_run: false }
}

fn render(status: StatusCode, page: &CommandsPage, fragment: bool) -> PageAnswer {
    if fragment { html(status, &page.as_workspace()) } else { html(status, page) }
}

async fn run(
    State(commands): State<Commands>,
    RenderTarget { context, fragment }: RenderTarget,
    submission: Submission,
) -> PageAnswer {
    let text = submission.form.text("commands");
    let lines = match grammar::read(&text) {
        Ok(lines) => lines,
        Err(errors) => {
            let mistakes = MistakeView::all(&text, &errors);
            let runs = commands.recent_runs(submission.who.id).await?;
            let page = CommandsPage { mistakes, ..page(&commands, context, text, runs) };
            return render(StatusCode::UNPROCESSABLE_ENTITY, &page, fragment);
        }
    };
    let run = run_lines(&commands, &submission, text, &lines).await?;
    let failed = run.results.iter().any(|result| !result.is_ok());
    if !fragment {
        let again = if failed { run.id.to_string() } else { String::new() };
        return Ok(see_other(&context, &address(PATH, [("ran", "1"), ("again", again.as_str())]), false));
    }
    let text = if failed { run.text } else { String::new() };
    let page = page(&commands, context, text, commands.recent_runs(submission.who.id).await?);
    render(StatusCode::OK, &CommandsPage { just_run: true, ..page }, true)
}

/// Runs the lines of a text, and saves the run. The same form sent twice is one run.
async fn run_lines(
    commands: &Commands,
    submission: &Submission,
    text: String,
    lines: &[Line],
) -> Result<Run, Problem> {
    let (who, at) = (&submission.who, commands.clock.now());
    let mut id = RunId::new(at, &commands.rng.bytes());
    let idempotency = submission.request_by_key();
    if let Some(idempotency) = &idempotency {
        id = commands.claim(idempotency, &id.to_string()).await?.parse().unwrap_or(id);
    }
    let until = commands.deadline();
    let results = commands.run(lines, &Author::from(who), idempotency.as_ref(), Some(until)).await;
    let run = Run { id, at, text, results };
    commands.keep_run(who.id, &run).await?;
    Ok(run)
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
struct ShowQuery {
    /// The run whose commands fill the form again.
    again: Option<String>,
    /// Whether the form has just run commands.
    ran: Option<String>,
}

/// A form for commands, with the help and the last results.
#[derive(Template)]
#[template(path = "automation/commands.html", config = "templates/askama.toml", blocks = ["workspace"])]
struct CommandsPage {
    context: PageContext,
    /// The typed text.
    text: String,
    /// The key that makes a repeated form one run.
    key: String,
    /// The errors in the typed text.
    mistakes: Vec<MistakeView>,
    runs: Vec<RunView>,
    /// Whether the first run was just started by the form.
    just_run: bool,
}

/// A line with an error.
struct MistakeView {
    line: usize,
    typed: String,
    message: String,
}

impl MistakeView {
    /// Returns the errors of a text, each with its line.
    fn all(text: &str, errors: &[LineError]) -> Vec<Self> {
        let view = |error: &LineError| {
            let typed = text.lines().nth(error.line - 1).unwrap_or_default().chars().take(200).collect();
            Self { line: error.line, typed, message: error.to_string() }
        };
        errors.iter().map(view).collect()
    }
}

/// A run on the page.
struct RunView {
    id: String,
    at: DisplayTime,
    lines: Vec<LineView>,
    failed: usize,
}

/// The result of a line.
struct LineView {
    line: usize,
    ok: bool,
    text: String,
    rows: String,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        let line = |result: LineResult| LineView {
            line: result.line,
            ok: result.is_ok(),
            text: result.text,
            rows: result.rows.join("\n"),
        };
        let failed = run.results.iter().filter(|result| !result.is_ok()).count();
        let lines = run.results.into_iter().map(line).collect();
        Self { id: run.id.to_string(), at: run.at.into(), lines, failed }
    }
}

impl RunView {
    /// Summarizes the run.
    fn summary(&self) -> String {
        let all = self.lines.len();
        let commands = counted(all, "command", "commands");
        match self.failed {
            0 => format!("{commands} done"),
            failed => format!("{failed} of {commands} failed"),
        }
    }
}
