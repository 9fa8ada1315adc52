//! What a database holds after a crash.
//!
//! A process commits without a pause and says on its standard output what it began and what was
//! acknowledged. It, or the database beneath it, is killed; then every acknowledged batch must be there
//! whole, and every other one whole or not at all. A commit whose outcome is
//! [`Unknown`](auth_store::CommitError::Unknown) is resolved by reading its keys or by committing the same
//! batch again, by turns; one that is [`Unavailable`](auth_store::CommitError::Unavailable) must not have
//! been applied.
//!
//! The process is a program of yours, such as a test that is ignored unless it is asked for by name. It opens
//! the database and calls [`commit`]:
//!
//! ```no_run
//! # use std::process::Command;
//! # use std::sync::Arc;
//! use auth_store::Store;
//! use auth_testkit::store::crash::{CrashTest, commit};
//!
//! async fn open() -> Arc<dyn Store> {
//!     Arc::new(auth_sqlite::SqliteStore::open("crash.db").unwrap()) // or yours, at a place that lasts
//! }
//!
//! #[tokio::test(flavor = "multi_thread")]
//! #[ignore = "the other test starts it"]
//! async fn a_process_that_commits() {
//!     let finding = commit(open().await).await;
//!     panic!("{finding}");
//! }
//!
//! #[tokio::test(flavor = "multi_thread")]
//! async fn a_crash_loses_nothing() {
//!     let start = || {
//!         let mut command = Command::new(std::env::current_exe().unwrap());
//!         command.args(["a_process_that_commits", "--exact", "--ignored", "--nocapture"]);
//!         command
//!     };
//!     let mut test = CrashTest::new(open().await, start);
//!     test.kill_the_process(20).await.unwrap_or_else(|finding| panic!("{finding}"));
//! }
//! ```

mod chain;
mod record;
mod test;
mod writer;

pub use record::{Checked, Record};
pub use test::CrashTest;
pub use writer::{commit, commit_and_tell};
