//! The options of a run, from the environment and the arguments.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::background;
use crate::workloads::{self, Make};

/// The fewest leads with which every workload has enough leads.
const FEWEST_LEADS: usize = 500;

/// The options.
pub struct Options {
    /// The `holdfast` binary to measure.
    pub binary: PathBuf,
    /// The time of one measurement.
    pub duration: Duration,
    /// The number of pairs of measurements for each workload.
    pub pairs: usize,
    /// The number of leads on both sides.
    pub leads: usize,
    /// The workloads to measure.
    pub workloads: Vec<Make>,
    /// Whether to measure the work without requests.
    pub background: bool,
}

impl Options {
    /// Reads the options, or returns an error message.
    pub fn read() -> Result<Self, String> {
        let leads = variable("HOLDFAST_BENCH_LEADS", 10_000)?;
        if leads < FEWEST_LEADS {
            return Err(format!("HOLDFAST_BENCH_LEADS is {leads}; it must be {FEWEST_LEADS} or more."));
        }
        let seconds = variable("HOLDFAST_BENCH_SECONDS", 5_u32)?.max(1);
        let words: Vec<String> =
            std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
        let background =
            words.is_empty() || words.iter().any(|word| background::NAME.contains(word.as_str()));
        Ok(Self {
            binary: binary()?,
            duration: Duration::from_secs(seconds.into()),
            pairs: variable("HOLDFAST_BENCH_PAIRS", 5_usize)?.max(1),
            leads,
            workloads: workloads::selected(&words, background)?,
            background,
        })
    }
}

fn variable<T: FromStr>(name: &str, default: T) -> Result<T, String> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} is {text:?}; it must be a whole number.")),
        Err(_) => Ok(default),
    }
}

fn binary() -> Result<PathBuf, String> {
    let target = || match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => PathBuf::from(target),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"),
    };
    let named = std::env::var_os("HOLDFAST_BENCH_BINARY").map(PathBuf::from);
    let binary = named.unwrap_or_else(|| target().join("release/holdfast"));
    if binary.is_file() {
        return Ok(binary);
    }
    Err(format!(
        "There is no {}. Build it with `cargo build --release`, or set HOLDFAST_BENCH_BINARY to another build.",
        binary.display()
    ))
}
