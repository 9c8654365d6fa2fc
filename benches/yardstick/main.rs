//! Holdfast over HTTP compared with PostgreSQL 15, 8 clients each: the rate, the latency and the CPU time of
//! requests. PostgreSQL does the work of one update of a lead, so it measures the machine: the ratio of both rates
//! says more than a rate.
//!
//! First `cargo build --release`, then `cargo bench --bench yardstick`. Words after `--` choose workloads by name;
//! `background` chooses the work without requests: an idle server, the count of 10,000 changes, and the time and memory
//! of an import from the shell.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `HOLDFAST_BENCH_SECONDS` | seconds of one measurement | 5 |
//! | `HOLDFAST_BENCH_PAIRS` | measurements of each workload, each beside one of PostgreSQL | 5 |
//! | `HOLDFAST_BENCH_LEADS` | leads on both sides | 10000 |
//! | `HOLDFAST_BENCH_BINARY` | the `holdfast` to measure | `target/release/holdfast` |
//! | `TMPDIR` | where both sides keep their data | `/tmp` |

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "an unexpected result ends the bench"
)]

mod background;
mod cpu;
mod load;
mod measure;
mod options;
mod postgres;
mod report;
mod responder;
mod server;
mod statistics;
mod workloads;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use measure::Bench;
use options::Options;
use postgres::Cluster;
use server::Server;

/// Clients of each side, each with one connection.
const CLIENTS: usize = 8;

fn main() -> ExitCode {
    // `cargo test --benches` only checks that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    match Options::read().and_then(|options| postgres::check().map(|()| options)) {
        Ok(options) => {
            run(&options);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) {
    let folder = Folder::new();
    print_conditions(options, &folder.0);
    responder::print_tool_alone(options.duration);
    let cluster = Cluster::start(&folder.0.join("postgres"), options.leads);
    let server = Server::start(options, &folder.0.join("holdfast"));
    let bench = Bench { options, cluster: &cluster, server: &server };
    let results: Vec<_> =
        options.workloads.iter().map(|make| bench.measure(make(options, &server).as_ref())).collect();
    if !results.is_empty() {
        report::print(&results);
    }
    if options.background {
        background::print(&bench, &folder.0);
    }
}

/// Prints the conditions of the measurement.
fn print_conditions(options: &Options, folder: &Path) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{} on {cores} cores with a load of {load} before the start.", options.binary.display());
    println!(
        "{CLIENTS} clients, {} leads, {} pairs of measurements of {} s.",
        options.leads,
        options.pairs,
        options.duration.as_secs_f64()
    );
    println!("Writing 8 KB to the disk with fsync takes {:.2} ms.", time_of_sync(folder));
    let system = Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output();
    if system.is_ok_and(|output| output.stdout.starts_with(b"tmpfs")) {
        println!("Warning: the data is in memory, so fsync costs nothing. Set TMPDIR to a folder on a disk.");
    }
}

/// The median time for writing 8 KB to the disk with fsync, in milliseconds.
fn time_of_sync(folder: &Path) -> f64 {
    let path = folder.join("sync");
    let mut file = fs::File::create(&path).expect("the folder can be written to");
    let times = (0..200).map(|_| {
        let start = Instant::now();
        file.write_all(&[1; 8 * 1024]).expect("the disk has space");
        file.sync_data().expect("the disk takes it");
        start.elapsed().as_secs_f64() * 1_000.0
    });
    let median = statistics::median(times.collect());
    fs::remove_file(path).expect("the file is ours");
    median
}

/// A temporary folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("yardstick-{}", std::process::id()));
        fs::create_dir(&path).expect("a temporary folder can be made");
        // PostgreSQL may run as another user, who needs access.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("The logs and data are left in {}.", self.0.display());
        } else if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} could not be removed: {error}", self.0.display());
        }
    }
}
