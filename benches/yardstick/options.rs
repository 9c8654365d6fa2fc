//! What to measure and for how long, from the environment and the arguments.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::workloads::{self, Make};

/// The fewest leads with which every workload has enough of its own.
const FEWEST_LEADS: usize = 500;

/// The options.
pub struct Options {
    /// The `holdfast` to measure.
    pub binary: PathBuf,
    /// How long one measurement takes.
    pub duration: Duration,
    /// How many pairs of measurements each workload gets.
    pub pairs: usize,
    /// How many leads both sides have.
    pub leads: usize,
    /// What to measure.
    pub workloads: Vec<Make>,
}

impl Options {
    /// Reads the options, or says what is wrong with them.
    pub fn read() -> Result<Self, String> {
        let leads = variable("HOLDFAST_BENCH_LEADS", 10_000)?;
        if leads < FEWEST_LEADS {
            return Err(format!("HOLDFAST_BENCH_LEADS is {leads}; it must be {FEWEST_LEADS} or more."));
        }
        let seconds = variable("HOLDFAST_BENCH_SECONDS", 5_u32)?.max(1);
        let words: Vec<String> =
            std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
        Ok(Self {
            binary: binary()?,
            duration: Duration::from_secs(seconds.into()),
            pairs: variable("HOLDFAST_BENCH_PAIRS", 5_usize)?.max(1),
            leads,
            workloads: workloads::wanted(&words)?,
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
