//! Limits on what clients can use of the server.

use std::thread::available_parallelism;
use std::time::Duration;

use crate::cli::LimitOptions;

/// The default number of connections, if enough files can be open.
const CONNECTIONS: usize = 4_096;
/// The default number of concurrent requests per processor. An update takes about 1.5 ms of a processor and a page
/// of leads ten times as much, so the last request waits less than a second.
const REQUESTS_PER_PROCESSOR: usize = 64;
/// Open files reserved for the data, commands and calls to AWS.
const OTHER_FILES: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The maximum number of open connections.
    pub connections: usize,
    /// The maximum number of concurrent requests.
    pub requests: usize,
    /// From the first byte of a request, or the opening of the connection, to the end of the headers.
    pub header: Duration,
    /// Between two pieces of a request body, or of a response that the client reads.
    pub body: Duration,
    /// From a response to the next request on the same connection.
    pub idle: Duration,
    /// From the headers of a request to its answer.
    pub request: Duration,
}

impl Limits {
    /// Returns the limits in the options, bounded by the number of files that the system lets this process open.
    /// Raises the limit of open files as far as the system allows.
    pub fn of(options: &LimitOptions) -> Self {
        let possible = connections_for(open_files());
        let wanted = options.max_connections.map_or(CONNECTIONS, whole);
        if wanted > possible && options.max_connections.is_some() {
            tracing::warn!(wanted, possible, "the system allows too few open files for --max-connections");
        }
        let processors = available_parallelism().map_or(1, usize::from);
        let requests = options.max_requests.map_or(processors * REQUESTS_PER_PROCESSOR, whole);
        let seconds = |seconds: u16| Duration::from_secs(seconds.into());
        Self {
            connections: wanted.min(possible),
            requests,
            header: seconds(options.header_timeout),
            body: seconds(options.body_timeout),
            idle: seconds(options.idle_timeout),
            request: seconds(options.request_timeout),
        }
    }
}

fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Returns the number of connections that this many open files allow.
fn connections_for(files: usize) -> usize {
    files.saturating_sub(OTHER_FILES.min(files / 2)).max(1)
}

#[cfg(unix)]
fn open_files() -> usize {
    // If the limit cannot be raised, use the current one.
    let raised = rlimit::increase_nofile_limit(u64::MAX);
    let files = raised.or_else(|_| rlimit::Resource::NOFILE.get_soft()).unwrap_or_default();
    usize::try_from(files).unwrap_or(usize::MAX)
}

/// Returns an assumed number, because the system reports none.
#[cfg(not(unix))]
fn open_files() -> usize {
    8_192
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        for (files, connections) in [(1_024, 768), (20_000, 19_744), (512, 256), (256, 128), (2, 1), (0, 1)] {
            assert_eq!(connections_for(files), connections, "{files}");
        }
    }
}
