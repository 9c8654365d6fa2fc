//! Reads files once before anything is applied, so that files that cannot be read, or are not messages, are refused.

use std::collections::{BTreeMap, BTreeSet};

use holdfast::inventory::domain::{ParseError, Reason, Sku};
use holdfast::inventory::ingest::RawMessage;
use holdfast::inventory::retail::Survey;
use holdfast::shared::numbers::counted;

use super::counts::{list_counts, sum};
use super::input::{Input, next_line, with_id};
use crate::console::Console;
use crate::failure::Failure;

/// The contents of the files, before anything is written.
pub enum Files {
    Messages(Lines),
    Retail(Survey),
}

/// The contents of the lines of files of messages.
#[derive(Default)]
pub struct Lines {
    pub messages: u64,
    pub products: BTreeSet<Sku>,
    /// The number of invalid lines, by the name of their error.
    pub others: BTreeMap<String, u64>,
}

impl Files {
    pub fn print(&self, files: usize, console: &dyn Console) -> Result<(), Failure> {
        let (rows, messages, products, others, status) = match self {
            Self::Messages(Lines { messages, products, others }) => (
                messages + sum(others),
                *messages,
                products.len(),
                others,
                "would become dead letters, because they are not messages",
            ),
            Self::Retail(survey) => {
                let messages = survey.rows - sum(&survey.skipped);
                let status = "would be skipped, because they are not products";
                (survey.rows, messages, survey.products(), &survey.skipped, status)
            }
        };
        console.print(&format!(
            "Read {} of {}, and wrote nothing.",
            counted(rows, "row", "rows"),
            counted(files, "file", "files")
        ));
        console.print(&format!("  {messages:>7} messages of {}", counted(products, "product", "products")));
        console.print(&format!("  {:>7} {status}{}", sum(others), list_counts(others)));
        if messages == 0 { Err(Failure::NothingApplied("the files hold no messages")) } else { Ok(()) }
    }
}

/// How many lines of a file are read before it is refused because none of them is a message.
const LINES_TO_PROBE: usize = 10;

/// Reads files of messages once, before anything is applied.
pub fn survey_messages(inputs: &[Input], console: &dyn Console) -> Result<Lines, Failure> {
    let mut lines = Lines::default();
    for input in inputs {
        let (mut file, mut row) = (input.open(console)?, 0);
        let mut wrong: Vec<(u64, ParseError)> = Vec::new();
        let mut good = false;
        while let Some(line) = next_line(&mut file, &mut row).map_err(Failure::file("read", &input.path))? {
            match (RawMessage { source: input.source(Some(row)), bytes: with_id(line, &input.digest, row) })
                .read()
            {
                Ok(delivery) => {
                    good = true;
                    lines.messages += 1;
                    lines.products.insert(delivery.message.sku);
                }
                Err(cause) => {
                    *lines.others.entry(Reason::from(&cause).name).or_default() += 1;
                    if !good && wrong.len() < LINES_TO_PROBE {
                        wrong.push((row, cause));
                    }
                }
            }
            if !good && wrong.len() >= LINES_TO_PROBE {
                break;
            }
        }
        if let Some((line, cause)) = wrong.into_iter().next().filter(|_| !good) {
            return Err(Failure::NoMessages { path: input.path.clone(), line, cause });
        }
    }
    Ok(lines)
}

/// Reads files of Online Retail data once, before anything is applied.
pub fn survey_retail(inputs: &[Input], console: &dyn Console) -> Result<Survey, Failure> {
    let mut survey = Survey::default();
    for input in inputs {
        let added = survey.add(&input.digest, input.open(console)?);
        added.map_err(|cause| Failure::Retail { path: input.path.clone(), cause })?;
    }
    Ok(survey)
}
