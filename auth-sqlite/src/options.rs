//! [`SqliteOptions`]: where the database is and how it is used.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::OpenError;
use crate::store::SqliteStore;

/// How a [`SqliteStore`] is opened.
///
/// ```
/// # fn main() -> Result<(), auth_sqlite::OpenError> {
/// use std::time::Duration;
/// use auth_sqlite::SqliteOptions;
///
/// let store = SqliteOptions::memory().busy_timeout(Duration::from_secs(1)).open()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a database is opened by `open`"]
pub struct SqliteOptions {
    pub(crate) place: Place,
    pub(crate) readers: usize,
    pub(crate) busy_timeout: Duration,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) memory_map: u64,
    pub(crate) verify: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Place {
    File(PathBuf),
    Memory,
}

impl SqliteOptions {
    /// How many bytes of a file are read through memory unless said otherwise: a terabyte, or as much as the
    /// SQLite in the program was built for, which is 2 GiB unless its build is told otherwise:
    ///
    /// ```text
    /// # .cargo/config.toml
    /// [env]
    /// LIBSQLITE3_FLAGS = "-DSQLITE_MAX_MMAP_SIZE=0x10000000000"
    /// ```
    pub const MEMORY_MAP: u64 = 1 << 40;

    /// A database in a file, which is made with the mode 0600 if it does not exist; its directory must
    /// exist.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self::at(Place::File(path.as_ref().to_owned()))
    }

    /// A database in memory, which ends with its store: for tests. Reads and commits take turns.
    pub fn memory() -> Self {
        Self::at(Place::Memory)
    }

    fn at(place: Place) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            place,
            readers: cores.clamp(1, 8),
            busy_timeout: Duration::from_secs(5),
            max_bytes: None,
            memory_map: Self::MEMORY_MAP,
            verify: false,
        }
    }

    /// How many connections read at the same time, at least one; as many as the machine has cores, up
    /// to 8, unless said otherwise. A database in memory has one.
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// How long opening and a commit wait for a lock that another process holds: 5 seconds unless said
    /// otherwise, at most about 24 days.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout.min(Duration::from_millis(i32::MAX as u64));
        self
    }

    /// The size in bytes beyond which the database may not grow; a commit that would make it larger is
    /// refused as [`Unavailable`](auth_store::CommitError::Unavailable). No bound unless said
    /// otherwise. The log beside the file is not counted.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// How many bytes of the file, from its beginning, are read as memory of the process instead of by a call
    /// for each page; the rest of a longer file is read by calls. [`MEMORY_MAP`](Self::MEMORY_MAP) unless said
    /// otherwise, 0 for none. A million grants take about 3 GB.
    ///
    /// It makes reads two to three times as fast, and costs no memory that the system's cache of the file does
    /// not take anyway. The price: where the disk cannot read what it holds, or another program cuts the file
    /// short, the system ends the process, instead of the store answering
    /// [`Unavailable`](auth_store::StoreError::Unavailable). Nothing that was acknowledged is lost by the
    /// former; the latter no database survives: a file is replaced while nobody has it open.
    pub fn memory_map(mut self, bytes: u64) -> Self {
        self.memory_map = bytes;
        self
    }

    /// Whether the whole file is read and checked when it is opened, which takes seconds per gigabyte.
    /// Off unless said otherwise: its header and its tables are always checked.
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Opens the database, and makes or upgrades its tables as needed. Blocks while it does.
    ///
    /// # Errors
    /// [`OpenError`] says what is in the way and what to do. A file that is not this SDK's is left as
    /// it is.
    pub fn open(self) -> Result<SqliteStore, OpenError> {
        SqliteStore::open_with(&self)
    }
}
