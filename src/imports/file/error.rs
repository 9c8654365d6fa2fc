//! Why a file cannot be imported.

use super::row::RowFault;
use crate::imports::limits::{MAX_FILE_BYTES, MAX_UNPACKED_BYTES, MAX_WORKBOOK_BYTES};

const MEGABYTE: usize = 1024 * 1024;

/// Why a file cannot be imported at all. The messages are shown to the person who sent the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file is empty or contains only blank lines.
    #[error("The file is empty. Choose a CSV file with a header row and at least one row below it.")]
    Empty,
    /// The file has a header row and nothing below it.
    #[error("The file has a header row but no rows below it. Choose a file with at least one contact.")]
    HeaderOnly,
    /// The file contains NUL bytes, which text does not have.
    #[error("The file isn't plain text: byte {at} is NUL. Save it from your spreadsheet as “CSV UTF-8”.")]
    NotText {
        /// The position of the first NUL byte, counted from 1.
        at: usize,
    },
    /// The header row cannot be read.
    #[error("The header row (line {line}) can't be read. {fault}")]
    Header {
        /// The line of the file on which the header begins, counted from 1.
        line: u64,
        /// What is wrong with it.
        fault: RowFault,
    },
    /// The header row is longer than the beginning of the file that is read for it.
    #[error("The header row (line {line}) doesn't end. Look for a quotation mark that isn't closed.")]
    EndlessHeader {
        /// The line of the file on which the header begins, counted from 1.
        line: u64,
    },
    /// The file is an archive or a workbook that cannot be read.
    #[error(
        "The file is an old or protected workbook, or an archive. Open it and save it as .xlsx without a password, or as “CSV UTF-8”."
    )]
    Workbook,
    /// The workbook is too large.
    #[error(
        "A workbook can have at most {} MB. Save its sheet as “CSV UTF-8”, which can have {} MB.",
        MAX_WORKBOOK_BYTES / MEGABYTE,
        MAX_FILE_BYTES / MEGABYTE as u64
    )]
    LargeWorkbook,
    /// The workbook is too large when it is unpacked.
    #[error(
        "The workbook is larger than {} MB unpacked, or {} MB as CSV. Remove other sheets, or split it.",
        MAX_UNPACKED_BYTES / MEGABYTE as u64,
        MAX_FILE_BYTES / MEGABYTE as u64
    )]
    LargeSheet,
}
