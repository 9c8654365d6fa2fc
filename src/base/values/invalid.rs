//! The error of a text that is not a valid value.

/// Why a text is not a valid value, worded for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// Creates an error from its message, a whole sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl From<std::convert::Infallible> for Invalid {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<std::num::ParseIntError> for Invalid {
    fn from(_: std::num::ParseIntError) -> Self {
        Self::new("Enter a whole number, for example 7.")
    }
}
