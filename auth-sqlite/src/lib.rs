//! The storage contract of the auth SDK on SQLite.
//!
//! ```no_run
//! # fn example() -> Result<(), auth_sqlite::OpenError> {
//! use std::sync::Arc;
//! use auth_sqlite::SqliteStore;
//! use auth_store::Store;
//!
//! let store: Arc<dyn Store> = Arc::new(SqliteStore::open("auth.db")?);
//! # Ok(()) }
//! ```
//!
//! # How it works
//! ```text
//!   commit, sweep ──▶ queue ──▶ writer thread, one connection      BEGIN IMMEDIATE
//!                                 │  what is queued is one group     SAVEPOINT … RELEASE   per batch
//!                                 ▼                                COMMIT, then the answers
//!                            one file in WAL mode
//!                                 ▲
//!   get, scan, due ─────────── a few reading connections, on the caller's own thread
//! ```
//!
//! - **Commits** of many callers share one transaction and one `fsync` (`synchronous=FULL`); each has a
//!   savepoint of its own, and none is answered before the transaction is on disk.
//! - **The log** is moved into the file by a thread of its own, while commits append to it: what a commit waits
//!   for is its own `fsync`, and now and then the copy of the log's last few pages with the sync of the file.
//! - **Reads** run where they are called: a lookup takes a few microseconds, less than handing it to
//!   another thread. No read transaction stays open between two calls, so the log never grows for the
//!   sake of a forgotten reader.
//! - **Several processes** on one machine may open one file: SQLite's own locks order their commits. A
//!   commit that does not get the lock within [`SqliteOptions::busy_timeout`] is refused, and nothing
//!   of it was applied.
//! - **SQLite** is compiled in. If a build takes the system's (`LIBSQLITE3_SYS_USE_PKG_CONFIG`), that must be 3.51.3 or
//!   newer: with older ones two connections that copy the log at the same time can damage the file.
//! - **Any runtime** will do: the crate needs none.
//!
//! The file must lie on a local disk: SQLite's log works through shared memory, which a network file
//! system does not have. Back it up with `sqlite3 auth.db "VACUUM INTO 'backup.db'"` or the `.backup`
//! command, not by copying the file while it is in use. To look into it, `SELECT * FROM record_text`.

mod apply;
mod archive;
mod busy;
mod error;
mod log;
mod open;
mod options;
mod read;
mod readers;
mod row;
mod scan;
mod schema;
mod store;
mod sweep;
mod writer;

pub use error::OpenError;
pub use options::SqliteOptions;
pub use store::SqliteStore;
