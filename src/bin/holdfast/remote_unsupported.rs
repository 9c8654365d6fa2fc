//! Commands beside a running server, on systems without Unix sockets: there are none, and whoever asks for one is told to
//! stop the server first.

use std::path::Path;

use crate::data::DataDirectory;
use crate::failure::Failure;
use crate::table::Served;

/// A commands that nobody comes in at.
pub struct CommandSocket;

impl CommandSocket {
    /// Opens nothing.
    ///
    /// # Errors
    /// None.
    pub fn open(_: &DataDirectory, _: Served) -> Result<Self, Failure> {
        Ok(Self)
    }

    /// Nowhere.
    pub fn socket(&self) -> Option<&Path> {
        None
    }

    /// Closes nothing.
    pub fn close(self) {}
}
