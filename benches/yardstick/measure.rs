//! Measures a workload in pairs, PostgreSQL and then Holdfast, so that other load on the machine affects both.

use std::time::{Duration, Instant};

use crate::cpu;
use crate::load::{self, Outcome, Unexpected};
use crate::options::Options;
use crate::postgres::Cluster;
use crate::server::Server;
use crate::statistics::{CpuTimes, Sample};
use crate::workloads::{Goal, Workload};

/// A server that uses less of a core than this is idle.
const IDLE: f64 = 0.1;
/// The time for measuring whether a server is idle.
const IDLE_CHECK: Duration = Duration::from_millis(300);
/// The fraction of a measurement's time after which no further round begins.
const LAST_ROUND: f64 = 0.9;
/// The limit for becoming idle.
const UNTIL_IDLE: Duration = Duration::from_secs(30);

/// Both sides and the options.
pub struct Bench<'a> {
    /// The options of the measurements.
    pub options: &'a Options,
    /// PostgreSQL.
    pub cluster: &'a Cluster,
    /// Holdfast.
    pub server: &'a Server,
}

/// The results of a workload.
pub struct Measured {
    /// Its name.
    pub name: &'static str,
    /// The goal of the workload.
    pub goal: Goal,
    /// Measurements of Holdfast, each with the one of PostgreSQL before it.
    pub pairs: Vec<Pair>,
    /// Whether all results of Holdfast matter, or only its latencies.
    pub is_load: bool,
    /// Answers that do not count.
    pub unexpected: Unexpected,
}

/// Two measurements, one right after the other.
pub struct Pair {
    /// PostgreSQL.
    pub postgres: Sample,
    /// Holdfast.
    pub holdfast: Sample,
}

impl Bench<'_> {
    /// Measures one workload.
    pub fn measure(&self, workload: &dyn Workload) -> Measured {
        let mut pairs = Vec::new();
        let mut unexpected = Unexpected::default();
        for number in 1..=self.options.pairs {
            let postgres = self.measure_postgres();
            let (holdfast, others) = self.measure_holdfast(workload);
            eprintln!(
                "{} {number}/{}: {:.0}/s, PostgreSQL {:.0}/s",
                workload.name(),
                self.options.pairs,
                holdfast.rate,
                postgres.rate
            );
            unexpected.add(others);
            pairs.push(Pair { postgres, holdfast });
        }
        let (name, goal, is_load) = (workload.name(), workload.goal(), workload.is_load());
        Measured { name, goal, pairs, is_load, unexpected }
    }

    fn measure_postgres(&self) -> Sample {
        self.cluster.prepare();
        self.wait_until_idle();
        let mut cpu = CpuTimes::default();
        let process = self.cluster.process();
        let outcome = self.timed(process, &mut cpu, || self.cluster.run(self.options.duration));
        Sample::new(outcome.elapsed, outcome.latencies, &cpu)
    }

    /// Measures in as many rounds as the workload needs: what a round uses up is created again between them.
    fn measure_holdfast(&self, workload: &dyn Workload) -> (Sample, Unexpected) {
        let mut cpu = CpuTimes::default();
        let mut all = Outcome::default();
        while all.elapsed < self.options.duration.mul_f64(LAST_ROUND) {
            workload.prepare(self.server);
            self.wait_until_idle();
            let limit = self.options.duration.saturating_sub(all.elapsed);
            let process = self.server.process();
            let steps = workload.steps(self.server);
            let outcome = self.timed(process, &mut cpu, || load::run(&self.server.host, limit, steps));
            let is_empty = outcome.latencies.is_empty();
            all.add(outcome);
            workload.clean(self.server);
            if is_empty {
                break;
            }
        }
        (Sample::new(all.elapsed, all.latencies, &cpu), all.unexpected)
    }

    /// Runs a load and adds the CPU time of a server process.
    fn timed(&self, process: u32, cpu: &mut CpuTimes, run: impl FnOnce() -> Outcome) -> Outcome {
        let start = cpu::of_tree(process);
        let outcome = run();
        let end = cpu::of_tree(process);
        self.wait_until_idle();
        cpu.during += end.saturating_sub(start);
        cpu.later += cpu::of_tree(process).saturating_sub(end);
        cpu.client += outcome.cpu;
        outcome
    }

    /// Waits until both sides are idle, so that no measurement includes work of the previous one.
    pub fn wait_until_idle(&self) {
        let both = || cpu::of_tree(self.cluster.process()) + cpu::of_tree(self.server.process());
        let start = Instant::now();
        let mut before = both();
        while start.elapsed() < UNTIL_IDLE {
            std::thread::sleep(IDLE_CHECK);
            let after = both();
            if after.saturating_sub(before) < IDLE_CHECK.mul_f64(IDLE) {
                return;
            }
            before = after;
        }
        eprintln!("After {} s a server is still busy.", UNTIL_IDLE.as_secs());
    }
}
