//! The load tool: HTTP/1.1 on blocking keep-alive connections with one thread each, so that it uses little of the
//! CPU that it shares with the server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cpu;

/// No request of a workload takes longer, unless it hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// An answer to a request.
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The status line and the headers.
    pub head: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body).into_owned()
    }

    /// The body as JSON. Panics unless the answer has this status.
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(self.body).expect("the body is JSON")
    }
}

/// A keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub fn open(host: &str) -> Self {
        let stream = TcpStream::connect(host).expect("the server accepts connections");
        stream.set_nodelay(true).expect("the connection is open");
        stream.set_read_timeout(Some(TIMEOUT)).expect("the timeout is not zero");
        Self { stream, received: Vec::with_capacity(64 * 1024) }
    }

    /// Sends a request and waits for the complete answer.
    pub fn send(&mut self, request: &[u8]) -> Answer<'_> {
        self.stream.write_all(request).expect("the server reads");
        self.received.clear();
        let mut searched = 0;
        let end = loop {
            let found = self.received[searched..].windows(4).position(|bytes| bytes == b"\r\n\r\n");
            match found {
                Some(at) => break searched + at + 4,
                None => searched = self.received.len().saturating_sub(3),
            }
            self.receive();
        };
        let length = length_of_body(&self.received[..end]);
        while self.received.len() < end + length {
            self.receive();
        }
        let (head, body) = self.received.split_at(end);
        let head = std::str::from_utf8(head).expect("headers are ASCII");
        let status =
            head.get(9..12).and_then(|status| status.parse().ok()).expect("the status line has a status");
        Answer { status, head, body }
    }

    fn receive(&mut self) {
        let before = self.received.len();
        self.received.resize(before + 32 * 1024, 0);
        let count = self.stream.read(&mut self.received[before..]).expect("the server answers in time");
        assert!(count > 0, "the server closed the connection");
        self.received.truncate(before + count);
    }
}

fn length_of_body(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).expect("headers are ASCII");
    let answer = Answer { status: 0, head, body: &[] };
    assert!(answer.header("transfer-encoding").is_none(), "the load tool reads no chunks: {head}");
    answer.header("content-length").map_or(0, |length| length.parse().expect("a length is a number"))
}

/// One client of a measurement.
pub struct Client {
    /// Its connection.
    pub connection: Connection,
    latencies: Vec<Duration>,
    unexpected: Unexpected,
}

impl Client {
    /// Sends a request, records its time, and returns whether the answer has this status.
    pub fn timed(&mut self, request: &[u8], status: u16) -> bool {
        let start = Instant::now();
        let expected = self.untimed(request, status);
        if expected {
            self.latencies.push(start.elapsed());
        }
        expected
    }

    /// The same for a request that is not recorded.
    pub fn untimed(&mut self, request: &[u8], status: u16) -> bool {
        let answer = self.connection.send(request);
        let expected = answer.status == status;
        if !expected {
            let example = || format!("{} {}", answer.status, answer.text());
            self.unexpected.count += 1;
            self.unexpected.example.get_or_insert_with(example);
        }
        expected
    }
}

/// One step of a client, which is repeated until the time is over or it returns false.
pub type Step<'a> = Box<dyn FnMut(&mut Client) -> bool + Send + 'a>;

/// Answers with an unexpected status.
#[derive(Default)]
pub struct Unexpected {
    /// The number of answers.
    pub count: usize,
    /// An example.
    pub example: Option<String>,
}

impl Unexpected {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.example = self.example.take().or(other.example);
    }
}

/// The results of some clients' requests.
#[derive(Default)]
pub struct Outcome {
    /// The time from the start to the last answer.
    pub elapsed: Duration,
    /// The time of each request.
    pub latencies: Vec<Duration>,
    /// Unexpected answers.
    pub unexpected: Unexpected,
    /// The CPU time of the clients.
    pub cpu: Duration,
}

impl Outcome {
    /// Adds the results of another round.
    pub fn add(&mut self, other: Self) {
        self.elapsed += other.elapsed;
        self.latencies.extend(other.latencies);
        self.unexpected.add(other.unexpected);
        self.cpu += other.cpu;
    }
}

/// Runs one client for each step, all at the same time.
pub fn run(host: &str, limit: Duration, steps: Vec<Step<'_>>) -> Outcome {
    let ready = Barrier::new(steps.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            steps.into_iter().map(|step| scope.spawn(|| run_client(host, limit, &ready, step))).collect();
        let mut all = Outcome::default();
        for thread in threads {
            let one = thread.join().expect("the client ends");
            // The clients run concurrently, so the longest time counts.
            let elapsed = all.elapsed.max(one.elapsed);
            all.add(one);
            all.elapsed = elapsed;
        }
        all
    })
}

fn run_client(host: &str, limit: Duration, ready: &Barrier, mut step: Step<'_>) -> Outcome {
    let connection = Connection::open(host);
    let mut client = Client { connection, latencies: Vec::new(), unexpected: Unexpected::default() };
    ready.wait();
    let (start, before) = (Instant::now(), cpu::of_thread());
    while start.elapsed() < limit && step(&mut client) {}
    Outcome {
        elapsed: start.elapsed(),
        latencies: client.latencies,
        unexpected: client.unexpected,
        cpu: cpu::of_thread().saturating_sub(before),
    }
}
