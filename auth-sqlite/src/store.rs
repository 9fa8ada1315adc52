//! [`SqliteStore`]: the contract, call by call.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use auth_store::limits::{MAX_GET_KEYS, MAX_SCANS};
use auth_store::{
    Batch, CommitError, Committed, Key, Page, Queue, Record, Scan, Store, StoreError, Sweep, Swept,
    TenantId, Timestamp,
};

use crate::error::OpenError;
use crate::log::LogMover;
use crate::open::{self, Opened};
use crate::options::SqliteOptions;
use crate::read;
use crate::readers::Readers;
use crate::scan;
use crate::writer::Writer;

/// The storage contract on a SQLite database.
///
/// Cheap to share behind an `Arc`. Dropping it waits until what is queued is written, and closes the
/// file. Reads block the calling thread for the microseconds that they take; commits and sweeps wait
/// for the writer thread without blocking.
///
/// A commit whose future is dropped may still be applied. [`sweep`](Store::sweep) removes at most 200
/// records a call, and says so by `more`.
pub struct SqliteStore {
    path: PathBuf,
    readers: Readers,
    writer: Writer,
}

impl SqliteStore {
    /// Opens the database in a file, with the defaults of [`SqliteOptions`]: makes it if it does not
    /// exist, and upgrades its tables if an older version made them. Blocks while it does.
    ///
    /// # Errors
    /// [`OpenError`] says what is in the way and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        SqliteOptions::file(path).open()
    }

    /// Opens a new database in memory, which ends with the store: for tests.
    ///
    /// # Errors
    /// [`OpenError`], if memory or threads are short.
    pub fn memory() -> Result<Self, OpenError> {
        SqliteOptions::memory().open()
    }

    pub(crate) fn open_with(options: &SqliteOptions) -> Result<Self, OpenError> {
        let Opened { path, writer, mover, readers } = open::open(options)?;
        let mover = mover.map(LogMover::start).transpose().map_err(OpenError::Thread)?;
        let writer =
            Writer::start(writer, mover, options.busy_timeout).map_err(OpenError::Thread)?;
        Ok(Self { path, readers, writer })
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The writer's connection closes last: only that one may move the log into the file.
        self.readers.close();
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteStore({}, {} readers)", self.path.display(), self.readers.len())
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        if keys.len() > MAX_GET_KEYS {
            return Err(StoreError::TooLarge);
        }
        let statements = read::statements(keys.len());
        self.readers.at_one_moment(statements, |connection| read::get(connection, tenant, keys))
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        if scans.len() > MAX_SCANS || !scans.iter().all(Scan::is_permitted) {
            return Err(StoreError::TooLarge);
        }
        self.readers.at_one_moment(scans.len(), |connection| {
            scans.iter().map(|scan| scan::page(connection, tenant, scan)).collect()
        })
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        if batch.is_empty() {
            return Ok(Committed::default());
        }
        self.writer.commit(tenant, batch.clone()).await
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        self.writer.sweep(what, limit).await
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        self.readers.at_one_moment(1, |connection| read::due(connection, queue, now, shards, limit))
    }
}
