//! The numbers of rows by their outcome.

use std::collections::BTreeMap;

use holdfast::inventory::domain::Outcome;
use holdfast::shared::numbers::counted;

use crate::console::Console;
use crate::failure::Failure;

/// The results of the rows.
#[derive(Default)]
pub struct Counts {
    pub rows: u64,
    pub openings: u64,
    pub applied: u64,
    pub duplicates: u64,
    pub dead_letters: BTreeMap<String, u64>,
    pub skipped: BTreeMap<String, u64>,
    /// Fields with unknown names.
    pub ignored: u64,
}

impl Counts {
    /// A file that was replayed before counts as success; files without any applied message count as failure.
    pub fn outcome(&self) -> Result<(), Failure> {
        match (self.applied + self.duplicates, sum(&self.dead_letters)) {
            (1.., _) => Ok(()),
            (0, 0) => Err(Failure::NothingApplied("the files hold no messages")),
            (0, _) => Err(Failure::NothingApplied("all messages became dead letters")),
        }
    }

    pub fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Applied(_) => self.applied += 1,
            Outcome::Duplicate => self.duplicates += 1,
            Outcome::DeadLetter(dead_letter) => {
                *self.dead_letters.entry(dead_letter.reason.name.clone()).or_default() += 1
            }
        }
    }

    pub fn print(&self, files: usize, console: &dyn Console) {
        console.print(&format!(
            "Read {} of {}.",
            counted(self.rows, "row", "rows"),
            counted(files, "file", "files")
        ));
        if self.openings > 0 {
            console
                .print(&format!("  {:>7} products were opened with a count, now or before", self.openings));
        }
        console.print(&format!("  {:>7} messages applied", self.applied));
        console.print(&format!("  {:>7} known from before", self.duplicates));
        console.print(&format!(
            "  {:>7} dead letters{}",
            sum(&self.dead_letters),
            list_counts(&self.dead_letters)
        ));
        console.print(&format!(
            "  {:>7} skipped, because they are not products{}",
            sum(&self.skipped),
            list_counts(&self.skipped)
        ));
        if self.ignored > 0 {
            console.print(&format!("  {:>7} fields of other names were ignored", self.ignored));
        }
    }
}

pub fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

pub fn list_counts(counts: &BTreeMap<String, u64>) -> String {
    let all: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
}
