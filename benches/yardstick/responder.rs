//! The limit of the load tool: a trivial server in this process replaces Holdfast. If its rate is far above a
//! workload's rate, the load tool is not the bottleneck.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::CLIENTS;
use crate::load::{self, Step};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer no-one\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";

/// Measures the load tool alone and prints the result.
pub fn print_tool_alone(duration: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let host = listener.local_addr().expect("it has an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    let step = || -> Step<'_> {
        Box::new(|client| {
            client.timed(REQUEST, 200);
            true
        })
    };
    let outcome = load::run(&host, duration, (0..CLIENTS).map(|_| step()).collect());
    let count = outcome.latencies.len().max(1) as f64;
    println!(
        "The load tool alone, against a responder that does nothing: {:.0} requests/s at {:.3} ms CPU each.",
        count / outcome.elapsed.as_secs_f64(),
        outcome.cpu.as_secs_f64() * 1_000.0 / count
    );
}

/// Answers every request of a connection until the client closes it.
fn answer(mut stream: TcpStream) {
    let mut request = [0; 1024];
    let mut received = 0;
    while let Ok(count) = stream.read(&mut request) {
        received += count;
        if count == 0 || stream.set_nodelay(true).is_err() {
            return;
        }
        while received >= REQUEST.len() {
            received -= REQUEST.len();
            if stream.write_all(ANSWER).is_err() {
                return;
            }
        }
    }
}
