//! The storage contract of the auth SDK on Redis and Valkey: one server, or a cluster.
//!
//! ```no_run
//! # async fn example() -> Result<(), auth_redis::OpenError> {
//! use std::sync::Arc;
//! use auth_redis::RedisStore;
//! use auth_store::Store;
//!
//! let store: Arc<dyn Store> = Arc::new(RedisStore::open("rediss://:password@redis.example").await?);
//! # Ok(()) }
//! ```
//!
//! Most often Redis is the side of an [`auth_store::Tiered`], with counters and markers, beside a database
//! that keeps what must last:
//!
//! ```no_run
//! # async fn example(main: impl auth_store::Store) -> Result<(), auth_redis::OpenError> {
//! use auth_redis::RedisOptions;
//! use auth_store::Tiered;
//!
//! let side = RedisOptions::from_url("redis://127.0.0.1")?.side_only().connect().await?;
//! let store = Tiered::new(main, side);
//! # Ok(()) }
//! ```
//!
//! # How it works
//! ```text
//!   commit, sweep ──▶ one script: all is checked, then all is written    EVALSHA, one round trip
//!   get           ──▶ HMGET                                              one command, one moment
//!   scan          ──▶ one script for all ranges                          one moment
//!   due, archive  ──▶ a script a tenant, many at once
//!
//!   {auth}:tenants               sorted set   every tenant that may have records
//!   {auth}:layout                string       the version of what is described here
//!   {auth:TENANT}:records        hash         key → version, retention, due time, index entries, value
//!   {auth:TENANT}:order          sorted set   keys, in their order
//!   {auth:TENANT}:index          sorted set   name, bytes, key; in their order
//!   {auth:TENANT}:kept           sorted set   keys by keep_until
//!   {auth:TENANT}:outbox, :jobs  sorted sets  shard and key by due time
//!   {auth:TENANT}:registered     string       that the tenant stands in the list of tenants
//! ```
//!
//! - **A tenant's keys share a hash tag**, and with it a slot and a master: a commit never spans two nodes.
//!   The first commit of a tenant takes two round trips more, to put it into the list of tenants.
//! - **A script is given every key that it touches**, so a cluster that is moving a slot refuses it before
//!   it begins. Redirections are followed; a connection that is cut makes the outcome
//!   [`Unknown`](auth_store::CommitError::Unknown), one that does not come about
//!   [`Unavailable`](auth_store::CommitError::Unavailable).
//! - **Nothing expires by itself.** Redis's own expiry goes by the server's clock, which the contract
//!   forbids; records go when they are swept, so somebody must sweep, as the provider's worker does.
//! - **Many commits, one `fsync`:** the server writes all that arrived together to its file at once.
//! - The store runs on tokio. A connection is made anew when it is lost, by whoever needs it next.
//!
//! # What is safe, and what is not
//! A store of class Main must keep what it acknowledged. So these settings are looked at when a store is
//! opened, on each master, and others are refused:
//!
//! | setting | must be | or else |
//! |---|---|---|
//! | `maxmemory-policy` | `noeviction` | a full server throws records away; like this it refuses commits |
//! | `appendonly` | `yes` | a crash loses what came after the last snapshot |
//! | `appendfsync` | `always` | a crash loses the last second: a code that was redeemed is good again |
//! | `no-appendfsync-on-rewrite` | `no` | a crash loses what came while the file was rewritten |
//!
//! [`RedisOptions::side_only`] needs the first of them and refuses records of class Main.
//! [`RedisOptions::insecure_volatile_store`] takes anything.
//!
//! **Replicas do not make it safer.** Redis copies to them after it has answered, so a failover can lose
//! commits that were acknowledged, and a master that is cut off answers for a while from old data. Do not
//! let a replica take over (`cluster-replica-no-failover yes`, no Sentinel) where records of class Main
//! are, or keep them in a SQL database. What is looked at when the store is opened is not looked at again:
//! a setting changed later, or a node that joins later, is the operator's.
//!
//! Whoever can write to the server can sign in as anybody: give it a password, an ACL for these keys
//! (`~{auth*`), and TLS or a private network.
//!
//! # Limits
//! `due` and the sweep of what is expired ask each tenant, 32 at a time: with tens of thousands of tenants
//! that is as many small commands for each turn of a worker. All data of a tenant are in the memory of one
//! node. A scan with a large `skip` walks over what it leaves out.

mod address;
mod archive;
mod cluster;
mod commit;
mod connect;
mod due;
mod error;
mod escape;
mod failure;
mod link;
mod names;
mod open;
mod options;
mod packed;
mod read;
mod reply;
mod script;
mod server;
mod slot;
mod store;
mod sweep;
mod tenants;
mod tls;

pub use error::OpenError;
pub use options::RedisOptions;
pub use store::RedisStore;
