//! What a command and the server say to each other: JSON behind its length in four bytes.

use std::ffi::OsString;
use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::console::Progress;

/// The most bytes of a file or of standard input that are carried at once.
pub const CHUNK: usize = 64 * 1024;
/// The longest frame: a chunk as base64, or the words of a long command.
const LONGEST: usize = 4 * 1024 * 1024;

/// What the server asks the command to do.
#[derive(Serialize, Deserialize)]
pub enum ServerMessage {
    /// Write to standard output.
    Write(Bytes),
    /// Write a line to standard error.
    Note(String),
    /// Show how far it is.
    Progress(Progress),
    /// Take that away.
    EndProgress,
    /// Open a file, to be known by its number from now on.
    Open(OsString),
    /// Make a new file, to be known by its number from now on.
    Create(OsString),
    /// The same for a file that only its owner may read.
    CreatePrivate(OsString),
    /// Have what was written to a file on disk.
    Flush(usize),
    /// Close a file that is read. It is not answered.
    CloseRead(usize),
    /// Close a file that is written. It is not answered.
    CloseWrite(usize),
    /// The next bytes of a file.
    Read(usize),
    /// Write to a file.
    WriteTo(usize, Bytes),
    /// The next bytes of standard input.
    Input,
    /// End, with this exit code and these words.
    End {
        /// The exit code.
        code: u8,
        /// Why it failed, if it did.
        failure: Option<String>,
    },
}

/// What the command says.
#[derive(Serialize, Deserialize)]
pub enum ClientMessage {
    /// Run these words.
    Run {
        /// Of which version the command is.
        version: String,
        /// The words, with the program's name.
        words: Vec<OsString>,
    },
    /// It is done.
    Done,
    /// The file's number.
    Opened(usize),
    /// Some bytes; none at the end.
    Data(Bytes),
    /// It cannot be done.
    Failed(String),
    /// A signal asks the command to end.
    Signal(String),
}

/// Bytes, in base64.
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

/// Sends a frame.
///
/// # Errors
/// What the system said.
pub fn send(mut to: impl Write, frame: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(frame)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    let mut whole = length.to_be_bytes().to_vec();
    whole.extend(json);
    to.write_all(&whole)
}

/// Receives a frame.
///
/// # Errors
/// What the system said, and `InvalidData` for what is no frame.
pub fn receive<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the other side sent too much at once"));
    }
    let mut json = vec![0; length];
    from.read_exact(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may end at a surprise")]
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
    fn what_is_no_frame_is_refused_before_it_takes_room() {
        assert!(receive::<ServerMessage>(&[255, 255, 255, 255][..]).is_err());
        assert!(receive::<ServerMessage>(&[0, 0, 0, 1, b'x'][..]).is_err());
        assert!(receive::<ServerMessage>(&[0, 0, 0, 9, b'"'][..]).is_err());
    }
}
