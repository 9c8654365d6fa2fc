//! PostgreSQL 15 as Debian installs it, on a temporary cluster with default durability: fsync and synchronous
//! commit are on. It listens only on a Unix socket.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::CLIENTS;
use crate::cpu;
use crate::load::Outcome;

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
const SCHEMA: &str = include_str!("schema.sql");
const UPDATE: &str = include_str!("update.sql");
/// PostgreSQL refuses to run as this user.
const ROOT: u32 = 0;

/// Returns an error that names what is missing.
pub fn check() -> Result<(), String> {
    let missing = ["initdb", "postgres", "psql", "pgbench"].into_iter().find(|name| !program(name).is_file());
    match missing {
        Some(name) => Err(format!(
            "PostgreSQL 15 is missing: there is no {PROGRAMS}/{name}. On Debian 12, `apt-get install postgresql-15` \
             installs it."
        )),
        None => Ok(()),
    }
}

fn program(name: &str) -> PathBuf {
    Path::new(PROGRAMS).join(name)
}

/// The numbers of a user and a group.
type User = (u32, u32);

/// A running cluster.
pub struct Cluster {
    folder: PathBuf,
    user: Option<User>,
    server: Child,
    /// The number of leads of each client.
    own: usize,
}

impl Cluster {
    /// Creates a cluster with this many leads in this folder and starts it.
    pub fn start(folder: &Path, leads: usize) -> Self {
        fs::create_dir(folder).expect("the folder can be made");
        let user = other_user();
        if let Some((user, group)) = user {
            chown(folder, Some(user), Some(group)).expect("root gives folders away");
        }
        let log = File::create(folder.join("postgres.log")).expect("the folder can be written to");
        let mut initdb = command("initdb", folder, user);
        // Bytes are compared, as Holdfast compares them.
        initdb.args(["--pgdata", "data", "--username", "postgres", "--auth", "trust"]);
        initdb.args(["--encoding", "UTF8", "--locale", "C"]);
        output(initdb, "initdb");
        let mut server = command("postgres", folder, user);
        server.args(["-D", "data", "-c", "listen_addresses=", "-c"]);
        server.arg(format!("unix_socket_directories={}", folder.display()));
        server.stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        let server = server.spawn().expect("PostgreSQL starts");
        let cluster = Self { folder: folder.to_owned(), user, server, own: leads / CLIENTS };
        cluster.wait_until_ready();
        let schema = SCHEMA.replace(":leads", &leads.to_string());
        cluster.execute(&schema, "schema.sql");
        fs::write(folder.join("update.sql"), UPDATE).expect("the folder can be written to");
        cluster
    }

    /// The process of the server, the parent of all others of the cluster.
    pub fn process(&self) -> u32 {
        self.server.id()
    }

    fn wait_until_ready(&self) {
        for _ in 0..300 {
            let mut psql = self.command("psql");
            psql.args(["-d", "postgres", "-c", "SELECT 1"]).stderr(Stdio::null());
            if psql.output().expect("psql starts").status.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let log = fs::read_to_string(self.folder.join("postgres.log")).unwrap_or_default();
        panic!("PostgreSQL is not ready after a minute: {log}");
    }

    fn command(&self, name: &str) -> Command {
        let mut command = command(name, &self.folder, self.user);
        command.arg("-h").arg(&self.folder).args(["-U", "postgres"]);
        command
    }

    /// Executes a file of statements, each in its own transaction.
    fn execute(&self, statements: &str, file: &str) {
        fs::write(self.folder.join(file), statements).expect("the folder can be written to");
        let mut psql = self.command("psql");
        psql.args(["-d", "postgres", "-q", "-v", "ON_ERROR_STOP=1", "-f", file]);
        output(psql, "psql");
    }

    /// Prepares for a measurement, so that no table grows with the number of measurements.
    pub fn prepare(&self) {
        self.execute("TRUNCATE history, outbox;\nCHECKPOINT;\n", "prepare.sql");
    }

    /// Runs pgbench.
    pub fn run(&self, duration: Duration) -> Outcome {
        let before = cpu::of_ended_children();
        let mut pgbench = self.command("pgbench");
        pgbench.args(["--no-vacuum", "--protocol", "prepared", "--file", "update.sql"]);
        pgbench.args(["--client", &CLIENTS.to_string(), "--jobs", "2"]);
        pgbench.args(["--time", &duration.as_secs().to_string(), "--log", "--log-prefix", "latencies"]);
        let own = self.own.to_string();
        let (history, queue, outbox) = ("h".repeat(300), "q".repeat(700), "o".repeat(1_000));
        for (name, value) in [("own", own), ("history", history), ("queue", queue), ("outbox", outbox)] {
            pgbench.args(["-D", &format!("{name}={value}")]);
        }
        pgbench.arg("postgres");
        let printed = output(pgbench, "pgbench");
        let latencies = self.take_latencies();
        let rate = rate_in(&String::from_utf8_lossy(&printed.stdout));
        Outcome {
            elapsed: Duration::from_secs_f64(latencies.len() as f64 / rate),
            latencies,
            cpu: cpu::of_ended_children().saturating_sub(before),
            ..Outcome::default()
        }
    }

    /// Reads the latencies that pgbench logged, and removes its logs.
    fn take_latencies(&self) -> Vec<Duration> {
        let mut latencies = Vec::new();
        for entry in fs::read_dir(&self.folder).expect("the folder is there").flatten() {
            if entry.file_name().to_string_lossy().starts_with("latencies") {
                let log = fs::read_to_string(entry.path()).expect("pgbench wrote text");
                // The columns: client, number of the transaction, microseconds, and more.
                let times = log.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
                latencies.extend(times.map(Duration::from_micros));
                fs::remove_file(entry.path()).expect("the log is removed");
            }
        }
        latencies
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = command("pg_ctl", &self.folder, self.user);
        stop.args(["stop", "-D", "data", "-m", "immediate"]).stdout(Stdio::null());
        let stopped = stop.status().is_ok_and(|status| status.success());
        if !stopped && self.server.kill().is_err() {
            eprintln!("PostgreSQL could not be stopped.");
        }
        // It has ended, or it was killed.
        let _ = self.server.wait();
    }
}

/// The user for PostgreSQL if this program runs as root.
fn other_user() -> Option<User> {
    let id = |words: &[&str]| -> u32 {
        let mut id = Command::new("id");
        id.args(words);
        String::from_utf8_lossy(&output(id, "id").stdout).trim().parse().expect("an id is a number")
    };
    (id(&["-u"]) == ROOT).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])))
}

fn command(name: &str, folder: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(program(name));
    command.current_dir(folder).stdin(Stdio::null());
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

fn output(mut command: Command, what: &str) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{what} does not start: {error}"));
    assert!(output.status.success(), "{what} failed: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Transactions per second, without the time for connecting.
fn rate_in(printed: &str) -> f64 {
    let after = printed.lines().find_map(|line| line.strip_prefix("tps = "));
    let number = after.and_then(|rest| rest.split(' ').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("pgbench printed no rate: {printed}"))
}
