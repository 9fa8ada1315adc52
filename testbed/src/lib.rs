//! Real components for tests, proofs and tasks.
//!
//! ```text
//!   Postgres  Redis  RedisCluster  Nginx  PgBouncer     a private server each, gone with its value
//!       │        │         │
//!   DATABASE_URL REDIS_URL AUTH_TEST_REDIS_CLUSTER      set by `cargo xtask`, or by whoever has servers
//!       ▼        ▼         ▼
//!   Backend ──▶ Database ──▶ open() … open()            feature `stores`: a new, empty database and the
//!                  └─ spec() ──▶ open(spec)             handles on it, in this process and in others
//! ```
//!
//! `Chromium`, with the feature `browser`, is a browser to drive.
//!
//! Every server listens on a free port of 127.0.0.1, keeps its data in a temporary folder of its own, and
//! ends with the value, or with the process if that is killed. Starting waits until the server is ready;
//! these functions block, and belong before the runtime or into `spawn_blocking`.

mod account;
#[cfg(feature = "browser")]
mod chromium;
mod component;
mod error;
mod folder;
mod launch;
mod nginx;
mod pgbouncer;
mod port;
mod postgres;
mod previous;
mod program;
mod redis;
mod redis_cluster;
mod service;

#[cfg(feature = "stores")]
mod store;

#[cfg(feature = "browser")]
pub use chromium::{Chromium, Look};
pub use component::{component, skipped};
pub use error::StartError;
pub use folder::Folder;
pub use nginx::{Nginx, NginxSetup};
pub use pgbouncer::PgBouncer;
pub use port::free as free_address;
pub use postgres::{Postgres, PostgresSetup};
pub use previous::{PREVIOUS, Previous};
pub use program::Program;
pub use redis::{Redis, RedisSetup};
pub use redis_cluster::RedisCluster;

#[cfg(feature = "stores")]
pub use store::{Backend, Database, OpenError, open, open_archive};
