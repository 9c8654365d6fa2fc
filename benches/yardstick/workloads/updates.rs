//! Changes of leads, each client's of leads of its own; and requests that need no store while they are made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Goal, Workload};
use crate::CLIENTS;
use crate::load::{Client, Step};
use crate::server::{STATES_OF_UPDATES, Server, request};

pub const UPDATE: &str = "update a lead";
pub const ASSET: &str = "asset beside 8 writers";

/// Time between two requests for an asset: often enough to see every stall, and too seldom to be load.
const BETWEEN_ASSETS: Duration = Duration::from_millis(5);

struct Lead {
    path: String,
    version: AtomicU64,
}

/// Changes of the score. The four lists by score have the lead at another place then, its history gets an entry, and its
/// copy in the queue of its state is written anew: this is the work that pgbench does.
pub struct Updates {
    leads: Vec<Lead>,
}

impl Updates {
    /// Finds the leads.
    pub fn new(server: &Server) -> Self {
        let leads = STATES_OF_UPDATES.into_iter().flat_map(|state| server.leads(state)).map(|lead| Lead {
            path: format!("/api/leads/{}", lead["id"].as_str().expect("a lead has an id")),
            version: AtomicU64::new(lead["version"].as_u64().expect("a lead has a version")),
        });
        Self { leads: leads.collect() }
    }

    /// What a client with this number does; its requests count or do not.
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

/// Requests for an asset by one more client, of which only the time matters.
pub struct Assets {
    updates: Updates,
    asset: Vec<u8>,
}

impl Assets {
    /// Finds the asset, and the leads that are changed.
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
