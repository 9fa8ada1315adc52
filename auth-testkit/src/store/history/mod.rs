//! Histories: what several clients did at the same time, and whether it was right.
//!
//! [`Store::commit`](auth_store::Store::commit) is linearizable, and a `get` is one snapshot: whatever
//! clients do at the same time, there must be one order of all their calls in which each was answered as
//! if it had been alone, and in which nothing comes before what had ended before it began. A test of one
//! sentence looks for one mistake; here clients do at random what the contract permits, on few keys, and
//! [`History::order`] looks for the order. There is none if a batch was seen in part, an update was lost,
//! a check was not locked, a read was stale, a refusal was unfounded, a bound was passed, or for any
//! other reason of that kind.
//!
//! ```
//! use std::sync::Arc;
//! use auth_store::{MemoryStore, Store};
//! use auth_testkit::store::history::Histories;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), auth_testkit::store::history::Violation> {
//! let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
//! // `handle` adds another handle on the same database: the clients are spread over all of them.
//! let tally = Histories::new(store).rounds(50).seed(7).interleaved(true).check().await?;
//! assert!(tally.races > 0 && tally.conflicts > 0);
//! # Ok(()) }
//! ```
//!
//! Each history has four clients and [`OPERATIONS`] operations on one to four keys of a tenant of its
//! own: gets of any of the keys, commits of every [`Write`](auth_store::Write) with every
//! [`When`](auth_store::When) at times that differ from client to client, replays of earlier commits, and
//! the same commit twice at once. A commit of unknown outcome may happen at any time after it began, or
//! never.
//!
//! # Refusals
//! The model is as strict as the contract: [`Conflict`](auth_store::CommitError::Conflict) and
//! [`Full`](auth_store::CommitError::Full) are right only if there is a moment during the call at which
//! the preconditions did not hold, or the counter was full. A backend that gives up on a commit because
//! it met another one (the victim of a deadlock, a failure to serialise) must try it again itself: of two
//! commits that exclude each other one succeeds, and of two that do not both do.
//!
//! # Two processes
//! Handles of one process may have more in common than two replicas have. [`ProcessHistories`] starts a program
//! of yours twice, such as a test that is ignored unless it is asked for by name. It opens the database and calls
//! [`run_clients`]; both go by the system's monotonic clock.
//!
//! ```no_run
//! # #[cfg(unix)] mod unix {
//! # use std::process::Command;
//! # use std::sync::Arc;
//! use auth_store::Store;
//! use auth_testkit::store::history::{ProcessHistories, run_clients};
//!
//! async fn open() -> Arc<dyn Store> {
//!     Arc::new(auth_sqlite::SqliteStore::open("history.db").unwrap()) // or yours, at a place that lasts
//! }
//!
//! #[tokio::test(flavor = "multi_thread")]
//! #[ignore = "the other test starts it"]
//! async fn a_process_of_clients() {
//!     run_clients(open().await).await.unwrap();
//! }
//!
//! #[tokio::test(flavor = "multi_thread")]
//! async fn two_processes_see_one_order() {
//!     open().await; // one process makes the tables
//!     let start = || {
//!         let mut command = Command::new(std::env::current_exe().unwrap());
//!         command.args(["a_process_of_clients", "--exact", "--ignored", "--nocapture"]);
//!         command
//!     };
//!     let tally = ProcessHistories::new(start).check().await.unwrap();
//!     assert!(tally.races_between_processes > 0);
//! }
//! # }
//! ```

mod call;
mod check;
mod client;
mod counterexample;
mod histories;
mod model;
mod operation;
mod plan;
#[cfg(unix)]
mod processes;
#[cfg(unix)]
mod worker;

use std::fmt;

pub use call::{Answer, Call, History, Seen};
pub use check::Unordered;
pub use client::OPERATIONS;
pub use counterexample::Counterexample;
pub use histories::{Histories, Tally, Violation};
pub use model::State;
pub use operation::{Change, Condition, Operation, Slot, Version};
pub use plan::{Access, CLIENTS, Plan};
#[cfg(unix)]
pub use processes::ProcessHistories;
#[cfg(unix)]
pub use worker::run_clients;

/// Several things with commas between them.
fn in_order<T: fmt::Display>(all: &[T]) -> impl fmt::Display {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    all.join(", ")
}
