//! A client that sends raw bytes and observes its connection.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use super::binary::Server;
use crate::support::wait;

/// A connection to a server.
pub struct Raw {
    /// The socket.
    pub stream: TcpStream,
    host: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    head: String,
    /// Its body, of the length in the header.
    pub body: String,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.into_iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Raw {
    /// Connects to a server.
    pub fn to(server: &Server) -> Self {
        let host = server.address.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).expect("the server listens");
        stream.set_read_timeout(Some(wait::TIMEOUT)).expect("the limit is not zero");
        stream.set_write_timeout(Some(wait::TIMEOUT)).expect("the limit is not zero");
        Self { stream, host }
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Sends a head: the request line without the version, and the headers after `Host`, each with a line end.
    pub fn ask(&mut self, what: &str, headers: &str) {
        let head = format!("{what} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.host);
        self.send(head.as_bytes());
    }

    /// Reads the next answer.
    pub fn answer(&mut self) -> Answer {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.stream.read_exact(&mut byte);
            read.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&head)));
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("a head is text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut answer = Answer { status: status.expect("it has a status"), head, body: String::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("the body has the announced length");
        answer.body = String::from_utf8_lossy(&body).into_owned();
        answer
    }

    /// Waits for the end of the connection and returns whether nothing came before it.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}
