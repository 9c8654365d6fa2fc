//! The output of commands on accounts: text for people, or one JSON document for programs.

use serde::Serialize;

use crate::console::Console;
use crate::failure::Failure;

/// Where a command prints its result, and how.
pub struct Output<'a> {
    pub console: &'a dyn Console,
    /// Whether to print one JSON document and nothing else.
    pub json: bool,
}

impl Output<'_> {
    /// Prints the text, or the document if the command was asked for JSON.
    pub fn print(&self, text: &str, document: &impl Serialize) -> Result<(), Failure> {
        if self.json {
            return self.print_json(document);
        }
        self.write(text)
    }

    /// Prints a document.
    pub fn print_json(&self, document: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(document);
        self.write(&json.map_err(|error| Failure::Output(error.into()))?)
    }

    /// Prints a line that cannot be printed again, such as a link or a secret. So a closed pipe is an error.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        self.console.write(format!("{text}\n").as_bytes()).map_err(Failure::Output)
    }
}
