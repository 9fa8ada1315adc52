//! What can go wrong, and how SQLite's codes are told to the caller.

use std::path::{Path, PathBuf};

use auth_store::{Source, StoreError};
use rusqlite::{Error, ErrorCode};

/// A database cannot be used. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory of the file does not exist.
    #[error("there is no directory {}: create it, or correct the path of the database", .dir.display())]
    DirectoryMissing {
        /// The directory.
        dir: PathBuf,
    },
    /// The path leads to a directory, a device or a socket.
    #[error("{} is not a regular file: give the path of a file", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file or its directory may not be used by this process.
    #[error(
        "{} cannot be opened: this process must be able to read and write the file and to create \
         files beside it", .path.display()
    )]
    Denied {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Source,
    },
    /// The file may not be written: its mode has no write bit, or its file system is read-only.
    #[error(
        "{} is read-only: make it writable, or give the path of a copy", .path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the file exclusively.
    #[error(
        "{} is locked by another process: end that process (a backup, a shell, a migration), or \
         wait longer for it", .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Source,
    },
    /// The file was written by a newer version of this crate.
    #[error(
        "{} was written by a newer version (tables {found}, this version knows {known}): run that \
         version, or restore a backup from before the upgrade", .path.display()
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: u32,
        /// The newest version that is known here.
        known: u32,
    },
    /// The file is not a database, or its contents contradict one another.
    #[error("{} is damaged or not a database: restore a backup", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Source,
    },
    /// The file is the database of some other program.
    #[error(
        "{} is the database of another program (application id {application_id:#010x}): give the \
         path of another file", .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The application id in its header; 0 if the program has not set one.
        application_id: u32,
    },
    /// The file lies where SQLite cannot keep a write-ahead log.
    #[error(
        "{} lies on a file system without shared memory: move it to a local disk", .path.display()
    )]
    NoLog {
        /// The file.
        path: PathBuf,
    },
    /// There is no room for the tables.
    #[error("there is no space left for {}", .path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Source,
    },
    /// The writer thread could not be started.
    #[error("the writer thread could not be started")]
    Thread(#[source] std::io::Error),
    /// SQLite failed in another way.
    #[error("{} cannot be opened", .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Source,
    },
}

impl OpenError {
    /// What an answer of SQLite means while `path` is being opened.
    pub(crate) fn sqlite(path: &Path, error: Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Locked { path, source: error.into() }
            }
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path, source: error.into() }
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::Denied { path, source: error.into() }
            }
            Some(ErrorCode::DiskFull) => Self::DiskFull { path, source: error.into() },
            _ => Self::Failed { path, source: error.into() },
        }
    }
}

/// What a failed read is to the caller.
pub(crate) fn read_failed(error: Error) -> StoreError {
    let damaged = match &error {
        Error::FromSqlConversionFailure(..)
        | Error::InvalidColumnType(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::Utf8Error(..) => true,
        other => matches!(
            other.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        ),
    };
    if damaged { StoreError::Damaged(error.into()) } else { StoreError::Unavailable(error.into()) }
}

/// The writer thread is gone: no database is left to speak to.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the writer thread has ended")]
pub(crate) struct WriterGone;
