//! [`TransferError`]: why a database could not be moved, and what to do.

use std::io;

use auth_store::StoreError;

use super::Sha256;

/// A database could not be exported, imported or compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The source failed.
    #[error(
        "the store that is read failed: mend it and repeat the command, which leaves alone what was moved"
    )]
    Read(#[source] StoreError),
    /// The target failed. What was written before stays, and is left alone by another attempt.
    #[error(
        "the store that is written failed at the records before line {line}: mend it and repeat, \
         which leaves alone what is written already"
    )]
    Restore {
        /// The line after the last one that was to be written; in a copy, the number of the record.
        line: u64,
        /// What the store says.
        source: StoreError,
    },
    /// The file or stream failed.
    #[error("the archive cannot be read or written at line {line}")]
    Io {
        /// The line.
        line: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The first line is no header.
    #[error("line 1 is not the header of an archive: give a file that an export wrote")]
    NotAnArchive,
    /// The format is another one.
    #[error(
        "the archive has version {found} of the format, this program reads version {known}: import it \
         with the version that exported it, or newer"
    )]
    Version {
        /// The version of the file.
        found: u32,
        /// The version that is known here.
        known: u32,
    },
    /// A line is not a record.
    #[error(
        "line {line} is not a record ({what}): export again, or restore the file from a backup"
    )]
    Line {
        /// The line.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// There is no trailer.
    #[error(
        "the archive ends at line {line} without its trailer: it was cut, or the export did not end; \
         repeat the export, which goes on from there"
    )]
    Cut {
        /// The last line.
        line: u64,
    },
    /// The trailer is not that of these records.
    #[error(
        "the trailer tells of {expected} records ({expected_sha256}), before it stand {found} \
         ({found_sha256}): the file was changed, export again"
    )]
    Changed {
        /// The count in the trailer.
        expected: u64,
        /// The digest in the trailer.
        expected_sha256: Sha256,
        /// The count of the record lines.
        found: u64,
        /// Their digest.
        found_sha256: Sha256,
    },
    /// Something follows the trailer.
    #[error("line {line} stands after the trailer: the file was changed, export again")]
    AfterTrailer {
        /// The line.
        line: u64,
    },
    /// The file exists and holds a finished export.
    #[error(
        "the file holds a finished export of {records} records: give another path, or remove it"
    )]
    Finished {
        /// How many records it holds.
        records: u64,
    },
}
