//! Changes of leads, each client with its own leads, and requests that need no store during such changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Goal, Workload};
use crate::CLIENTS;
use crate::load::{Client, Step};
use crate::server::{STATES_OF_UPDATES, Server, request};

pub const UPDATE: &str = "update a lead";
pub const ASSET: &str = "asset beside 8 writers";

/// The time between two requests for an asset: short enough to see every stall, and long enough to be no load.
const BETWEEN_ASSETS: Duration = Duration::from_millis(5);

struct Lead {
    path: String,
    version: AtomicU64,
}

/// Changes of the score. Each one moves the lead in the four lists by score, adds an entry to its history, and
/// rewrites its copy in its state's queue. pgbench does the same work.
pub struct Updates {
    leads: Vec<Lead>,
}

impl Updates {
    /// Reads the leads.
    pub fn new(server: &Server) -> Self {
        let leads = STATES_OF_UPDATES.into_iter().flat_map(|state| server.leads(state)).map(|lead| Lead {
            path: format!("/api/leads/{}", lead["id"].as_str().expect("a lead has an id")),
            version: AtomicU64::new(lead["version"].as_u64().expect("a lead has a version")),
        });
        Self { leads: leads.collect() }
    }

    /// The step of the client with this number. Its requests are recorded or not.
    fn step<'a>(&'a self, server: &'a Server, number: usize, counts: bool) -> Step<'a> {
        let mut own = self.leads.iter().skip(number).step_by(CLIENTS).cycle();
        Box::new(move |client| {
            if let Some(lead) = own.next() {
                change(server, client, lead, counts);
            }
            true
        })
    }
}

fn change(server: &Server, client: &mut Client, lead: &Lead, counts: bool) {
    let version = lead.version.load(Ordering::Relaxed);
    let body = format!(r#"{{"version":{version},"leadScore":{}}}"#, (version + 1) * 7 % 80);
    let request = server.program.request("PATCH", &lead.path, &body);
    let changed = if counts { client.timed(&request, 200) } else { client.untimed(&request, 200) };
    let version = if changed { version + 1 } else { stored_version(server, client, lead) };
    lead.version.store(version, Ordering::Relaxed);
}

fn stored_version(server: &Server, client: &mut Client, lead: &Lead) -> u64 {
    let stored = client.connection.send(&server.program.request("GET", &lead.path, "")).json(200);
    stored["version"].as_u64().expect("a lead has a version")
}

impl Workload for Updates {
    fn name(&self) -> &'static str {
        UPDATE
    }

    fn goal(&self) -> Goal {
        Goal { ratio: Some((0.4, 0.5)), p99: Some(10.0), ..Goal::default() }
    }

    fn steps<'a>(&'a self, server: &'a Server) -> Vec<Step<'a>> {
        (0..CLIENTS).map(|number| self.step(server, number, true)).collect()
    }
}

/// Requests for an asset by one more client. Only their latencies matter.
pub struct Assets {
    updates: Updates,
    asset: Vec<u8>,
}

impl Assets {
    /// Finds the asset, and the leads to change.
    pub fn new(server: &Server) -> Self {
        let asset = request(&server.host, "GET", &server.style(), &[], "");
        Self { updates: Updates::new(server), asset }
    }
}

impl Workload for Assets {
    fn name(&self) -> &'static str {
        ASSET
    }

    fn goal(&self) -> Goal {
        Goal { p99: Some(5.0), ..Goal::default() }
    }

    fn is_load(&self) -> bool {
        false
    }

    fn steps<'a>(&'a self, server: &'a Server) -> Vec<Step<'a>> {
        let reader: Step<'a> = Box::new(|client| {
            client.timed(&self.asset, 200);
            std::thread::sleep(BETWEEN_ASSETS);
            true
        });
        let writers = (0..CLIENTS).map(|number| self.updates.step(server, number, false));
        writers.chain([reader]).collect()
    }
}
