//! `holdfast run`: runs commands from the shell, in the grammar of the API and the page.

use std::io::Read;

use holdfast::base::identity::Actor;
use holdfast::commands::{grammar, script};
use holdfast::shared::audit::Author;

use crate::ACTOR;
use crate::cli::RunCommands;
use crate::console::Console;
use crate::failure::Failure;
use crate::table::Host;

/// Runs commands, and prints the result of each. If any line is invalid, nothing runs.
pub async fn commands(options: RunCommands, host: &Host<'_>, console: &dyn Console) -> Result<(), Failure> {
    let text = match options.commands {
        Some(text) => text,
        None => text_from(console.input())?,
    };
    let lines = grammar::read(&text).map_err(|errors| {
        let words: Vec<_> = errors.iter().map(|error| format!("\n  {error}")).collect();
        Failure::Commands(words.concat())
    })?;
    let opened = host.open_existing(&options.table).await?;
    let results = opened.app.commands().run(&lines, &Author::from(Actor::new(ACTOR)), None, None).await;
    opened.close().await;
    console.print(script::render(&results).trim_end());
    match results.iter().filter(|result| !result.is_ok()).count() {
        0 => Ok(()),
        failed => Err(Failure::CommandsFailed { failed, all: results.len() }),
    }
}

/// Reads everything, up to one byte more than the limit, so that the grammar can refuse what is too long.
fn text_from(input: impl Read) -> Result<String, Failure> {
    let mut text = String::new();
    let limit = u64::try_from(grammar::MAX_BYTES + 1).unwrap_or(u64::MAX);
    input.take(limit).read_to_string(&mut text).map_err(Failure::Input)?;
    Ok(text)
}
