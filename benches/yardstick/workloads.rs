//! The workloads of Holdfast and their goals.

mod orders;
mod raffles;
mod requests;
mod updates;

use crate::background;
use crate::load::Step;
use crate::options::Options;
use crate::server::Server;

/// The goal of a workload. Parts that are `None` do not matter.
#[derive(Clone, Copy, Default)]
pub struct Goal {
    /// Requests per second, at least.
    pub rate: Option<f64>,
    /// The fraction of PostgreSQL's rate, at least, and the next goal.
    pub ratio: Option<(f64, f64)>,
    /// The latency in milliseconds of the 99th percentile, at most.
    pub p99: Option<f64>,
    /// Milliseconds of CPU time for each request, at most.
    pub cpu: Option<f64>,
}

impl Goal {
    /// A goal for the rate alone.
    fn rate(rate: f64) -> Self {
        Self { rate: Some(rate), ..Self::default() }
    }
}

/// Requests of one kind.
pub trait Workload {
    /// The name that selects it on the command line.
    fn name(&self) -> &'static str;

    /// Its goal.
    fn goal(&self) -> Goal;

    /// Creates what a round uses up. This is not timed.
    fn prepare(&self, _server: &Server) {}

    /// The steps of each client.
    fn steps<'a>(&'a self, server: &'a Server) -> Vec<Step<'a>>;

    /// Whether its requests are the load. If not, only their latencies matter.
    fn is_load(&self) -> bool {
        true
    }

    /// Removes what a round created, if the next one needs that. This is not timed.
    fn clean(&self, _server: &Server) {}
}

/// Creates a workload and the data that it needs in Holdfast.
pub type Make = fn(&Options, &Server) -> Box<dyn Workload>;

const ALL: [(&str, Make); 10] = [
    (updates::UPDATE, |_, server| Box::new(updates::Updates::new(server))),
    (requests::CREATE, |_, _| Box::new(requests::create())),
    (requests::CONFLICT, |_, server| Box::new(requests::conflict(server))),
    (requests::RULE, |_, server| Box::new(requests::rule_violation(server))),
    (requests::DETAIL, |_, server| Box::new(requests::detail(server))),
    (requests::LIST, |_, _| Box::new(requests::list())),
    (requests::SEARCH, |_, _| Box::new(requests::search())),
    (raffles::RAFFLE, |options, server| Box::new(raffles::Raffles::new(options, server))),
    (orders::ORDER, |_, server| Box::new(orders::Orders::new(server))),
    (updates::ASSET, |_, server| Box::new(updates::Assets::new(server))),
];

/// The workloads whose names contain one of these words; all, if there are none. Each one is created right before
/// its measurement, so that it sees the data of the earlier ones. No workload is an error, unless the words choose
/// other measurements (`has_others`).
pub fn selected(words: &[String], has_others: bool) -> Result<Vec<Make>, String> {
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let selected: Vec<Make> =
        ALL.into_iter().filter(|(name, _)| is_wanted(name)).map(|(_, make)| make).collect();
    if selected.is_empty() && !has_others {
        let names: Vec<&str> = ALL.into_iter().map(|(name, _)| name).chain([background::NAME]).collect();
        return Err(format!("No workload has {words:?} in its name. There are: {}.", names.join("; ")));
    }
    Ok(selected)
}
