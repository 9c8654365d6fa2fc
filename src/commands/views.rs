//! The page of commands.

use askama::Template;

use super::grammar::LineError;
use super::help::GRAMMAR;
use super::script::LineResult;
use super::specs::{CommandSpec, SPECS};
use super::store::Run;
use crate::base::identity::SignedIn;
use crate::web::pages::{DisplayTime, PageContext};

/// A form for commands, with the help and the last results.
#[derive(Template)]
#[template(path = "automation/commands.html", blocks = ["workspace"])]
pub(super) struct CommandsPage {
    pub(super) context: PageContext,
    /// The typed text.
    pub(super) text: String,
    /// The key that makes a repeated form one run.
    pub(super) key: String,
    /// The errors in the typed text.
    pub(super) mistakes: Vec<MistakeView>,
    pub(super) runs: Vec<RunView>,
    /// Whether the first run was just started by the form.
    pub(super) just_run: bool,
}

impl CommandsPage {
    fn specs(&self) -> &'static [CommandSpec] {
        &SPECS
    }

    fn is_for_administrator(&self) -> bool {
        self.context.account.as_ref().is_some_and(SignedIn::is_administrator)
    }

    fn grammar(&self) -> [&'static str; 4] {
        GRAMMAR
    }
}

/// A line with an error.
pub(super) struct MistakeView {
    line: usize,
    typed: String,
    message: String,
}

impl MistakeView {
    /// Returns the errors of a text, each with its line.
    pub(super) fn all(text: &str, errors: &[LineError]) -> Vec<Self> {
        let view = |error: &LineError| {
            let typed = text.lines().nth(error.line - 1).unwrap_or_default().chars().take(200).collect();
            Self { line: error.line, typed, message: error.to_string() }
        };
        errors.iter().map(view).collect()
    }
}

/// A run on the page.
pub(super) struct RunView {
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
        let unit = if all == 1 { "command" } else { "commands" };
        match self.failed {
            0 => format!("{all} {unit} done"),
            failed => format!("{failed} of {all} {unit} failed"),
        }
    }
}
