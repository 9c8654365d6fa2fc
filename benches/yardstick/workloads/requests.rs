//! Workloads with independent requests.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{Goal, Workload};
use crate::CLIENTS;
use crate::load::Step;
use crate::server::{STATE_OF_REFUSALS, STATES_OF_UPDATES, Server};

pub const CREATE: &str = "create a lead";
pub const CONFLICT: &str = "conflict (409)";
pub const RULE: &str = "rule violation (422)";
pub const DETAIL: &str = "detail (JSON)";
pub const LIST: &str = "list of 50 (JSON)";
pub const SEARCH: &str = "search for two words (JSON)";

/// Creates the request with this number.
type Make = Box<dyn Fn(&Server, usize) -> Vec<u8> + Sync>;

/// Requests that depend only on a number.
pub struct Requests {
    name: &'static str,
    goal: Goal,
    /// The status of the answer.
    status: u16,
    make: Make,
    next: AtomicUsize,
}

impl Requests {
    fn new(name: &'static str, goal: Goal, status: u16, make: Make) -> Self {
        Self { name, goal, status, make, next: AtomicUsize::new(0) }
    }
}

impl Workload for Requests {
    fn name(&self) -> &'static str {
        self.name
    }

    fn goal(&self) -> Goal {
        self.goal
    }

    fn steps<'a>(&'a self, server: &'a Server) -> Vec<Step<'a>> {
        let step = || -> Step<'a> {
            Box::new(|client| {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                client.timed(&(self.make)(server, number), self.status);
                true
            })
        };
        (0..CLIENTS).map(|_| step()).collect()
    }
}

/// New leads.
pub fn create() -> Requests {
    let make = |server: &Server, number| {
        let body = format!(
            r#"{{"name":"New lead {number}","email":"new{number}@example.com","state":"NJ","leadScore":{}}}"#,
            number % 80
        );
        server.program.request("POST", "/api/leads", &body)
    };
    Requests::new(CREATE, Goal::rate(1_000.0), 201, Box::new(make))
}

/// Changes of version 1, which is not the stored one any more.
pub fn conflict(server: &Server) -> Requests {
    let paths = paths(&server.leads(STATE_OF_REFUSALS)[..server.leads_of_state / 2]);
    for path in &paths {
        server.ask("PATCH", path, &json!({ "version": 1, "leadScore": 20 }), 200);
    }
    let make = move |server: &Server, number: usize| {
        server.program.request("PATCH", &paths[number % paths.len()], r#"{"version":1,"leadScore":30}"#)
    };
    Requests::new(CONFLICT, Goal::rate(3_000.0), 409, Box::new(make))
}

/// Conversions of leads with a score under 80.
pub fn rule_violation(server: &Server) -> Requests {
    let paths = paths(&server.leads(STATE_OF_REFUSALS)[server.leads_of_state / 2..]);
    let make = move |server: &Server, number: usize| {
        let body = r#"{"version":1,"status":"CONVERTED"}"#;
        server.program.request("PATCH", &paths[number % paths.len()], body)
    };
    Requests::new(RULE, Goal::rate(6_000.0), 422, Box::new(make))
}

/// Single leads.
pub fn detail(server: &Server) -> Requests {
    let leads: Vec<_> = STATES_OF_UPDATES.into_iter().flat_map(|state| server.leads(state)).collect();
    let paths = paths(&leads);
    let make =
        move |server: &Server, number: usize| server.program.request("GET", &paths[number % paths.len()], "");
    Requests::new(DETAIL, Goal::rate(6_000.0), 200, Box::new(make))
}

/// Pages of 50 leads, newest first.
pub fn list() -> Requests {
    let goal = Goal { rate: Some(1_500.0), cpu: Some(1.0), ..Goal::default() };
    let make = |server: &Server, _| server.program.request("GET", "/api/leads?limit=50", "");
    Requests::new(LIST, goal, 200, Box::new(make))
}

/// The leads with a word that all leads have and a number that few have. The rate with many leads, compared with the
/// rate with few, is the goal.
pub fn search() -> Requests {
    let make = |server: &Server, number| {
        server.program.request("GET", &format!("/api/leads?limit=50&q=lead%20{}", number % 400), "")
    };
    Requests::new(SEARCH, Goal::default(), 200, Box::new(make))
}

/// The addresses of leads.
fn paths(leads: &[Value]) -> Vec<String> {
    leads
        .iter()
        .map(|lead| format!("/api/leads/{}", lead["id"].as_str().expect("a lead has an id")))
        .collect()
}
