//! The storage contract of the auth SDK on PostgreSQL, 14 or newer: for services of more than one
//! replica.
//!
//! ```no_run
//! # async fn open() -> Result<(), auth_postgres::OpenError> {
//! use auth_postgres::PostgresOptions;
//!
//! let store = PostgresOptions::from_url("postgres://auth@db.example/auth?sslmode=verify-full")?
//!     .connections(8, 8)
//!     .connect()
//!     .await?;
//! # drop(store);
//! # Ok(()) }
//! ```
//!
//! ```text
//!   get, scan, due ──▶ reads   ── one statement, one snapshot ──▶ ┌────────────┐
//!                                                                 │ PostgreSQL │
//!   commit, sweep ───▶ commits ── one call of a function ───────▶ └────────────┘
//!                                 1. locks every key by its name, in one order
//!                                 2. compares versions, retention and bounds
//!                                 3. writes, if all of them hold
//! ```
//!
//! A lock is a transaction's advisory lock on the name of a key, because a batch may depend on a record
//! that is not there; it is held by [`Check`](auth_store::Write::Check) as well. Two batches that exclude
//! each other so come one after the other, whichever replica sends them, and none ever waits for one that
//! waits for it. Commits that come while all connections for them are busy share the next transaction; each
//! of them is applied or refused by itself.
//!
//! # Operation
//! - Tables stand in a schema of their own, `auth` unless told otherwise; several replicas that start at
//!   once make them once. `SELECT * FROM auth.record_text` shows them to people.
//! - Behind PgBouncer in transaction mode switch the
//!   [statement cache](PostgresOptions::statement_cache) off.
//! - Back up by the means of PostgreSQL (`pg_dump --schema=auth`, base backups). A backup holds no secret
//!   that works without the deployment secrets, but personal data in clear.
//! - Reads go to the primary: a standby lags, and would call a revoked token active.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod archive;
mod column;
mod commit;
mod commits;
mod connection;
mod connections;
mod dsn;
mod error;
mod options;
mod row;
mod scan;
mod schema;
mod server;
mod store;
mod tls;

pub use error::OpenError;
pub use options::PostgresOptions;
pub use store::PostgresStore;
