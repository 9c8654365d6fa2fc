//! Work without requests: an idle server, the count of many changes, and an import from the shell.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cpu;
use crate::measure::Bench;
use crate::options::Options;
use crate::server::{self, Server};

/// The name that selects these measurements.
pub const NAME: &str = "background";

/// The time for measuring an idle server.
const IDLE: Duration = Duration::from_secs(30);
/// Leads of which the server counts all changes.
const COUNTED: usize = 10_000;
/// Leads of the import from the shell.
const IMPORTED: usize = 100_000;
/// The time between two looks at a process or a count.
const INTERVAL: Duration = Duration::from_millis(50);
/// The limit for counting.
const UNTIL_COUNTED: Duration = Duration::from_secs(120);

/// Prints all measurements with their goals.
pub fn print(bench: &Bench<'_>, folder: &Path) {
    println!();
    print_count(bench.server, folder);
    // What was written before is counted and trimmed first.
    bench.wait_until_idle();
    print_idle(bench.server);
    print_import(bench.options, folder);
}

/// The fraction of a core that the server uses while no one uses it.
fn print_idle(server: &Server) {
    let before = cpu::of_tree(server.process());
    std::thread::sleep(IDLE);
    let used = cpu::of_tree(server.process()).saturating_sub(before);
    let percent = used.as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    println!("An idle server uses {percent:.2}% of a core: {}", verdict("0.5%", percent < 0.5));
}

/// The time from the last change to its count, after a command that makes many.
fn print_count(server: &Server, folder: &Path) {
    let file = folder.join("counted.csv");
    server::write_leads(&file, "counted", COUNTED);
    let total = || server.ask("GET", "/api/leads/stats", &Value::Null, 200)["total"].as_u64().unwrap_or(0);
    let expected = total() + COUNTED as u64;
    server.import(&file);
    let start = Instant::now();
    while total() < expected {
        assert!(start.elapsed() < UNTIL_COUNTED, "{} of {expected} leads are counted", total());
        std::thread::sleep(INTERVAL);
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "All of {COUNTED} new leads are counted {seconds:.1} s after the import: {}",
        verdict("10 s", seconds <= 10.0)
    );
}

/// The time and the memory of an import without a server.
fn print_import(options: &Options, folder: &Path) {
    let folder = folder.join("shell");
    fs::create_dir(&folder).expect("the folder can be made");
    let file = folder.join("leads.csv");
    server::write_leads(&file, "lead", IMPORTED);
    let mut command = server::holdfast(&options.binary, &folder, &["import", "leads"]);
    let (time, memory) = watched(command.arg(&file).stdout(Stdio::null()));
    let [half, whole] = memory.map(|kb| kb / 1024);
    println!(
        "Importing {IMPORTED} leads from the shell takes {:.0} s: {}. It has used up to {half} MB of memory after half \
         of that time, and {whole} MB at the end.",
        time.as_secs_f64(),
        verdict("120 s", time <= Duration::from_secs(120)),
    );
}

fn verdict(goal: &str, reached: bool) -> String {
    format!("{goal} {}", if reached { "reached" } else { "MISSED" })
}

/// Runs a command. Returns its time, and the most memory in KB that it had used after half of the time and at the end.
fn watched(command: &mut Command) -> (Duration, [u64; 2]) {
    let start = Instant::now();
    let mut child = command.spawn().expect("the release binary starts");
    let mut peaks = Vec::new();
    let status = loop {
        peaks.extend(peak_memory(&child));
        match child.try_wait().expect("the command is ours") {
            Some(status) => break status,
            None => std::thread::sleep(INTERVAL),
        }
    };
    assert!(status.success(), "{command:?}: {status}");
    let half = peaks.get(peaks.len() / 2).copied().unwrap_or_default();
    (start.elapsed(), [half, peaks.last().copied().unwrap_or_default()])
}

/// The most memory that a process has used, in KB. A process that has just ended has none.
fn peak_memory(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
