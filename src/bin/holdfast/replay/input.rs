//! A file to replay, and its lines.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use holdfast::inventory::domain::{Channel, Source};
use holdfast::inventory::retail;
use serde_json::Value;

use crate::console::Console;
use crate::failure::Failure;

/// The longest line of a file of messages.
const MAX_LINE: usize = 1024 * 1024;

/// A file to replay.
pub struct Input {
    pub path: PathBuf,
    /// The file's name in movements.
    name: String,
    pub digest: String,
}

impl Input {
    pub fn of(path: &Path, console: &dyn Console) -> Result<Self, Failure> {
        let digest = console.open(path).and_then(retail::digest_of).map_err(Failure::file("read", path))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { path: path.to_owned(), name, digest })
    }

    pub fn open<'a>(&self, console: &'a dyn Console) -> Result<BufReader<Box<dyn io::Read + 'a>>, Failure> {
        console.open(&self.path).map(BufReader::new).map_err(Failure::file("read", &self.path))
    }

    pub fn source(&self, row: Option<u64>) -> Source {
        let offset = row.and_then(|row| i64::try_from(row).ok());
        Source { topic: Some(self.name.clone()), offset, ..Source::of(Channel::Replay) }
    }
}

/// Adds a message id to a line without one, derived from the file's contents and the line number.
pub fn with_id(line: Vec<u8>, digest: &str, row: u64) -> Vec<u8> {
    // The first line of a file may start with a byte order mark.
    match serde_json::from_slice(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line)) {
        Ok(Value::Object(mut fields)) if !fields.contains_key("messageId") => {
            fields.insert("messageId".to_owned(), format!("file:{digest}:{row}").into());
            Value::Object(fields).to_string().into_bytes()
        }
        _ => line,
    }
}

/// Returns the next line that is not empty, and sets `row` to its number.
pub fn next_line(file: &mut impl BufRead, row: &mut u64) -> io::Result<Option<Vec<u8>>> {
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(MAX_LINE + 1).unwrap_or(u64::MAX);
        let read = io::Read::take(&mut *file, limit).read_until(b'\n', &mut line)?;
        *row += 1;
        if read > MAX_LINE {
            return Err(io::Error::other(format!("line {row} is longer than 1 MB, the longest message")));
        }
        if read == 0 {
            return Ok(None);
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line.trim_ascii_end().to_vec()));
        }
    }
}
