//! Limits of uploaded files.

/// The largest file in one form, in bytes: a request to Lambda has at most 6 MB, encoded as base64.
pub const FORM_BYTES: usize = 4 * 1024 * 1024;

/// The most columns in a file.
pub const MAX_COLUMNS: usize = 500;

/// The largest file of an import over the web, in bytes: 50,000 rows of 400 bytes.
pub const MAX_FILE_BYTES: u64 = 20 * 1024 * 1024;

/// The largest file of an import from the shell, in bytes. It is read as a whole.
pub const MAX_SHELL_BYTES: u64 = 256 * 1024 * 1024;

/// The largest workbook, in bytes. It is an archive, and is read as a whole.
pub const MAX_WORKBOOK_BYTES: usize = 4 * 1024 * 1024;

/// The most bytes in the files of a workbook together, unpacked.
pub const MAX_UNPACKED_BYTES: u64 = 64 * 1024 * 1024;
