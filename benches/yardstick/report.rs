//! The table of results.

use crate::CLIENTS;
use crate::load::Unexpected;
use crate::measure::Measured;
use crate::statistics::{Sample, median};
use crate::workloads::Goal;

/// Prints the table and its legend.
pub fn print(results: &[Measured]) {
    println!();
    println!(
        "{:<24} {:>7} {:>7} {:>7} {:>8} {:>8} {:>7} {:>7} {:>7} {:>8} {:>6}  goal",
        "", "p50 ms", "p95 ms", "p99 ms", "max ms", "/s", "CPU ms", "later", "client", "pgbench", "ratio"
    );
    let postgres: Vec<Sample> = results.iter().flat_map(|one| &one.pairs).map(|pair| pair.postgres).collect();
    let sample = Sample::medians(&postgres);
    println!("{}{}", latencies("pgbench: the same update", &sample), costs(&sample));
    for result in results {
        print_row(result);
    }
    print_legend();
    for Measured { name, unexpected: Unexpected { count, example }, .. } in results {
        if let Some(example) = example {
            println!("{name}: {count} answers were not as expected and do not count, for example {example}");
        }
    }
}

fn latencies(name: &str, Sample { p50, p95, p99, max, .. }: &Sample) -> String {
    format!("{name:<24} {p50:>7.2} {p95:>7.2} {p99:>7.2} {max:>8.2}")
}

fn costs(Sample { rate, cpu, later, client, .. }: &Sample) -> String {
    format!(" {rate:>8.0} {cpu:>7.3} {later:>7.3} {client:>7.3}")
}

fn print_row(result: &Measured) {
    let samples: Vec<Sample> = result.pairs.iter().map(|pair| pair.holdfast).collect();
    let sample = Sample::medians(&samples);
    let pgbench = median(result.pairs.iter().map(|pair| pair.postgres.rate).collect());
    let ratio = median(result.pairs.iter().map(|pair| pair.holdfast.rate / pair.postgres.rate).collect());
    let goal = verdict(&result.goal, &sample, ratio);
    let costs = match result.is_load {
        true => format!("{} {pgbench:>8.0} {ratio:>6.2}", costs(&sample)),
        false => format!(" {:>8} {:>7} {:>7} {:>7} {pgbench:>8.0} {:>6}", "-", "-", "-", "-", "-"),
    };
    println!("{}{costs}  {goal}", latencies(result.name, &sample));
}

/// Each part of a goal, and whether it was reached.
fn verdict(goal: &Goal, sample: &Sample, ratio: f64) -> String {
    let mut parts = Vec::new();
    let mut part = |words: String, reached: bool| {
        parts.push(format!("{words}: {}", if reached { "reached" } else { "MISSED" }));
    };
    if let Some((first, then)) = goal.ratio {
        part(format!("{first} x pgbench"), ratio >= first);
        part(format!("then {then} x"), ratio >= then);
    }
    if let Some(rate) = goal.rate {
        part(format!("{rate}/s"), sample.rate >= rate);
    }
    if let Some(p99) = goal.p99 {
        part(format!("p99 {p99} ms"), sample.p99 <= p99);
    }
    if let Some(cpu) = goal.cpu {
        part(format!("CPU {cpu} ms"), sample.cpu <= cpu);
    }
    parts.join(", ")
}

fn print_legend() {
    println!();
    println!(
        "Medians of the measurements; the maximum is the longest of all. CPU is the server's CPU time for each request \
         while requests came, later what it did for each after the last one, and client what the {CLIENTS} clients took. \
         pgbench is its rate right before; the ratio is the median of the pairs'. The clients share the machine with \
         both servers."
    );
}
