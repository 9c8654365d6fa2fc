//! What is asked of Holdfast, and what it is to reach.

mod orders;
mod raffles;
mod requests;
mod updates;

use crate::load::Step;
use crate::options::Options;
use crate::server::Server;

/// What a workload is to reach. What is none does not matter.
#[derive(Clone, Copy, Default)]
pub struct Goal {
    /// Requests per second, at least.
    pub rate: Option<f64>,
    /// Of PostgreSQL's rate, at least; and what the next goal is.
    pub ratio: Option<(f64, f64)>,
    /// Milliseconds within which 99 of 100 requests are answered.
    pub p99: Option<f64>,
    /// Milliseconds of CPU time for each request, at most.
    pub cpu: Option<f64>,
}

impl Goal {
    /// Only a rate.
    fn rate(rate: f64) -> Self {
        Self { rate: Some(rate), ..Self::default() }
    }
}

/// Requests of one kind.
pub trait Workload {
    /// Its name, in which the words of the command line are looked for.
    fn name(&self) -> &'static str;

    /// What it is to reach.
    fn goal(&self) -> Goal;

    /// Makes what a round uses up. This is not timed.
    fn prepare(&self, _server: &Server) {}

    /// What each client does.
    fn steps<'a>(&'a self, server: &'a Server) -> Vec<Step<'a>>;

    /// Whether its requests are the load; if not, only their latencies mean something.
    fn is_load(&self) -> bool {
        true
    }

    /// Removes what a round made, if the next one needs that. This is not timed.
    fn clean(&self, _server: &Server) {}
}

/// Makes a workload, with what it needs in Holdfast.
pub type Make = fn(&Options, &Server) -> Box<dyn Workload>;

const ALL: [(&str, Make); 9] = [
    (updates::UPDATE, |_, server| Box::new(updates::Updates::new(server))),
    (requests::CREATE, |_, _| Box::new(requests::create())),
    (requests::CONFLICT, |_, server| Box::new(requests::conflict(server))),
    (requests::RULE, |_, server| Box::new(requests::rule_violation(server))),
    (requests::DETAIL, |_, server| Box::new(requests::detail(server))),
    (requests::LIST, |_, _| Box::new(requests::list())),
    (raffles::RAFFLE, |options, server| Box::new(raffles::Raffles::new(options, server))),
    (orders::ORDER, |_, server| Box::new(orders::Orders::new(server))),
    (updates::ASSET, |_, server| Box::new(updates::Assets::new(server))),
];

/// The workloads whose names contain one of these words; all, if there are none. Each is to be made right before it is
/// measured, so that it sees what the others left.
pub fn wanted(words: &[String]) -> Result<Vec<Make>, String> {
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let wanted: Vec<Make> =
        ALL.into_iter().filter(|(name, _)| is_wanted(name)).map(|(_, make)| make).collect();
    if wanted.is_empty() {
        let names: Vec<&str> = ALL.into_iter().map(|(name, _)| name).collect();
        return Err(format!("No workload has {words:?} in its name. There are: {}.", names.join("; ")));
    }
    Ok(wanted)
}
