//! The protocol between a command and the server: JSON frames with a four-byte length prefix.

use std::ffi::OsString;
use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::console::Progress;

/// The maximum number of bytes of a file or of standard input in one frame.
pub const MAX_DATA: usize = 64 * 1024;
/// The longest frame: data in base64, or the arguments of a long command.
const MAX_FRAME: usize = 4 * 1024 * 1024;

/// A request from the server to the command.
#[derive(Serialize, Deserialize)]
pub enum ServerMessage {
    /// Write to standard output.
    Write(Bytes),
    /// Write a line to standard error. There is no answer to this, to progress, and to the end of files.
    Note(String),
    Progress(Progress),
    EndProgress,
    /// Open a file. The answer is its number, which later messages name.
    Open(OsString),
    Create(OsString),
    /// Create a file that only its owner can read.
    CreatePrivate(OsString),
    Flush(usize),
    CloseRead(usize),
    CloseWrite(usize),
    /// Read the next bytes of a file.
    Read(usize),
    WriteTo(usize, Bytes),
    /// Read the next bytes of standard input.
    Input,
    /// End with this exit code. `failure` is the error message, if the command failed.
    End {
        code: u8,
        failure: Option<String>,
    },
}

/// A message from the command.
#[derive(Serialize, Deserialize)]
pub enum ClientMessage {
    /// Run a command of this version. `words` are its arguments, with the program's name.
    Run {
        version: String,
        words: Vec<OsString>,
    },
    Done,
    /// The number of the opened file.
    Opened(usize),
    /// Some bytes; empty at the end.
    Data(Bytes),
    Failed(String),
    /// A signal asks the command to stop.
    Signal(String),
}

/// Bytes, serialized in base64.
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

pub fn send(mut to: impl Write, frame: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(frame)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    let mut whole = length.to_be_bytes().to_vec();
    whole.extend(json);
    to.write_all(&whole)
}

/// Receives a frame. Fails with `InvalidData` if it is not valid.
pub fn receive<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the other side sent too much at once"));
    }
    let mut json = vec![0; length];
    from.read_exact(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use super::*;

    #[test]
    fn a_frame_arrives_as_it_was_sent() {
        let mut line = Vec::new();
        send(&mut line, &ServerMessage::WriteTo(3, Bytes(vec![0, 255, b'"']))).unwrap();
        send(&mut line, &ServerMessage::End { code: 1, failure: Some("no".to_owned()) }).unwrap();
        let mut from = &line[..];
        let ServerMessage::WriteTo(3, Bytes(bytes)) = receive(&mut from).unwrap() else {
            panic!("another frame")
        };
        assert_eq!(bytes, [0, 255, b'"']);
        assert!(matches!(receive(&mut from).unwrap(), ServerMessage::End { code: 1, failure: Some(_) }));
        assert!(receive::<ServerMessage>(&mut from).is_err(), "nothing is left");
    }

    #[test]
    fn an_invalid_frame_is_refused_before_memory_is_allocated() {
        assert!(receive::<ServerMessage>(&[255, 255, 255, 255][..]).is_err());
        assert!(receive::<ServerMessage>(&[0, 0, 0, 1, b'x'][..]).is_err());
        assert!(receive::<ServerMessage>(&[0, 0, 0, 9, b'"'][..]).is_err());
    }
}
