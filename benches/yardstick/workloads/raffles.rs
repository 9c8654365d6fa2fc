//! Purchases in a raffle: 50 people buy 3 tickets each, which are all tickets. One raffle follows another.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{Goal, Workload};
use crate::CLIENTS;
use crate::load::Step;
use crate::options::Options;
use crate::server::{Program, Server};

pub const RAFFLE: &str = "raffle: buy 3 tickets";

const PEOPLE: usize = 50;
const TICKETS: usize = 3;
/// The number of raffles for each second of a round. At the goal, 20 of them are sold out in it.
const RAFFLES_PER_SECOND: u64 = 20;

/// Purchases.
pub struct Raffles {
    people: Vec<Program>,
    raffles_of_round: u64,
    /// The ticket addresses of a round's raffles.
    paths: Mutex<Vec<String>>,
    next: AtomicUsize,
}

impl Raffles {
    /// Signs the people up.
    pub fn new(options: &Options, server: &Server) -> Self {
        Self {
            people: (0..PEOPLE).map(|number| server.participant(number)).collect(),
            raffles_of_round: options.duration.as_secs() * RAFFLES_PER_SECOND,
            paths: Mutex::default(),
            next: AtomicUsize::new(0),
        }
    }
}

impl Workload for Raffles {
    fn name(&self) -> &'static str {
        RAFFLE
    }

    fn goal(&self) -> Goal {
        Goal::rate(1_000.0)
    }

    fn prepare(&self, server: &Server) {
        let terms = json!({
            "title": "Raffle", "prize": "A prize", "tickets": PEOPLE * TICKETS, "limitPerPerson": TICKETS,
        });
        let paths = (0..self.raffles_of_round).map(|_| {
            let raffle = server.ask("POST", "/api/raffles", &terms, 201);
            format!("/api/raffles/{}/tickets", raffle["id"].as_str().expect("a raffle has an id"))
        });
        *self.paths.lock().expect("no client panicked") = paths.collect();
        self.next.store(0, Ordering::Relaxed);
    }

    fn steps<'a>(&'a self, _: &'a Server) -> Vec<Step<'a>> {
        let paths = self.paths.lock().expect("no client panicked").clone();
        let body = json!({ "quantity": TICKETS }).to_string();
        let step = || -> Step<'a> {
            let (paths, body) = (paths.clone(), body.clone());
            Box::new(move |client| {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(number / PEOPLE) else { return false };
                client.timed(&self.people[number % PEOPLE].request("POST", path, &body), 201);
                true
            })
        };
        (0..CLIENTS).map(|_| step()).collect()
    }
}
