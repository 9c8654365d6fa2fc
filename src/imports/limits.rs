//! Limits of uploaded files.

/// The largest file in one form, in bytes: a request to Lambda has at most 6 MB, encoded as base64.
pub const FORM_BYTES: usize = 4 * 1024 * 1024;

/// The most columns in a file.
pub const MAX_COLUMNS: usize = 500;

/// The largest file of an import over the web, in bytes: 50,000 rows of 400 bytes.
pub const MAX_FILE_BYTES: u64 = 20 * 1024 * 1024;
