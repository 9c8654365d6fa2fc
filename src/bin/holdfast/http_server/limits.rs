//! What clients may take of the server.

use std::thread::available_parallelism;
use std::time::Duration;

use crate::cli::LimitOptions;

/// The most connections, unless the options or the open files say otherwise.
const CONNECTIONS: usize = 4_096;
/// The most requests that are worked on, for each processor. An update takes about 1.5 ms of one, a page of leads ten
/// times as much, so the last of them waits less than a second.
const REQUESTS_PER_PROCESSOR: usize = 64;
/// Open files that connections leave to the data, to commands and to calls of AWS.
const OTHER_FILES: usize = 256;
/// What is assumed where the system does not say how many files may be open.
#[cfg(not(unix))]
const FILES: usize = 8_192;

/// The limits of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most open connections.
    pub connections: usize,
    /// The most requests that are worked on at once.
    pub requests: usize,
    /// From the first byte of a request, or from the opening of the connection, to the end of its headers.
    pub header: Duration,
    /// Between two pieces of a request's body, or of an answer that the client reads.
    pub body: Duration,
    /// From an answer to the next request on the same connection.
    pub idle: Duration,
    /// From the headers of a request to its answer.
    pub request: Duration,
}

impl Limits {
    /// The limits that the options say, within what the system lets this process open. Raises the limit of open files as
    /// far as the system lets it.
    pub fn of(options: &LimitOptions) -> Self {
        let possible = connections_for(open_files());
        let wanted = options.max_connections.map_or(CONNECTIONS, whole);
        if wanted > possible && options.max_connections.is_some() {
            tracing::warn!(
                wanted,
                possible,
                "the system lets this process open too few files for --max-connections"
            );
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

/// How many connections so many open files allow.
fn connections_for(files: usize) -> usize {
    files.saturating_sub(OTHER_FILES.min(files / 2)).max(1)
}

/// How many files this process may open.
#[cfg(unix)]
fn open_files() -> usize {
    // What cannot be raised stays as it is.
    let raised = rlimit::increase_nofile_limit(u64::MAX);
    let files = raised.or_else(|_| rlimit::Resource::NOFILE.get_soft()).unwrap_or_default();
    usize::try_from(files).unwrap_or(usize::MAX)
}

#[cfg(not(unix))]
fn open_files() -> usize {
    FILES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_open_files_to_everything_else() {
        for (files, connections) in [(1_024, 768), (20_000, 19_744), (512, 256), (256, 128), (2, 1), (0, 1)] {
            assert_eq!(connections_for(files), connections, "{files}");
        }
    }
}
