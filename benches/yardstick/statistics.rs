//! The statistics of measurements.

use std::time::Duration;

/// One measurement, or the medians of several. Times are in milliseconds.
#[derive(Clone, Copy)]
pub struct Sample {
    /// Requests or transactions per second.
    pub rate: f64,
    /// The median latency.
    pub p50: f64,
    /// The latency of the 95th percentile.
    pub p95: f64,
    /// The latency of the 99th percentile.
    pub p99: f64,
    /// The longest latency.
    pub max: f64,
    /// The server's CPU time for each request, during the requests.
    pub cpu: f64,
    /// The server's CPU time for each request, after the last one and until it was idle.
    pub later: f64,
    /// The client's CPU time for each request.
    pub client: f64,
}

/// The CPU times of one measurement.
#[derive(Default)]
pub struct CpuTimes {
    /// The server's, while requests came.
    pub during: Duration,
    /// The server's, after the last one and until it was idle.
    pub later: Duration,
    /// The client's.
    pub client: Duration,
}

impl Sample {
    /// The statistics of one measurement of `requests` requests with these latencies.
    pub fn new(elapsed: Duration, mut latencies: Vec<Duration>, cpu: &CpuTimes) -> Self {
        latencies.sort_unstable();
        let count = latencies.len().max(1) as f64;
        let each = |time: Duration| milliseconds(time) / count;
        Self {
            rate: latencies.len() as f64 / elapsed.as_secs_f64(),
            p50: percentile(&latencies, 50),
            p95: percentile(&latencies, 95),
            p99: percentile(&latencies, 99),
            max: percentile(&latencies, 100),
            cpu: each(cpu.during),
            later: each(cpu.later),
            client: each(cpu.client),
        }
    }

    /// The medians of some samples, and the longest of their longest latencies.
    pub fn medians(samples: &[Self]) -> Self {
        let of = |value: fn(&Self) -> f64| median(samples.iter().map(value).collect());
        Self {
            rate: of(|sample| sample.rate),
            p50: of(|sample| sample.p50),
            p95: of(|sample| sample.p95),
            p99: of(|sample| sample.p99),
            max: samples.iter().map(|sample| sample.max).fold(0.0, f64::max),
            cpu: of(|sample| sample.cpu),
            later: of(|sample| sample.later),
            client: of(|sample| sample.client),
        }
    }
}

/// The median; for an even number of values, the mean of the middle two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// The latency within which this many of 100 requests were answered, in milliseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(f64::NAN, |time| milliseconds(*time))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
