//! The storage contract as a suite, and stores that make it and other tests sharper.
//!
//! Authors of a backend run everything like this; each test gets a new, empty store:
//!
//! ```
//! use std::sync::Arc;
//! use auth_store::{Archive, MemoryStore, Store};
//!
//! auth_testkit::store_contract!(contract, || async {
//!     Arc::new(MemoryStore::new()) as Arc<dyn Store>
//! });
//! auth_testkit::archive_contract!(archive, || async {
//!     Arc::new(MemoryStore::new()) as Arc<dyn Archive>
//! });
//! #[tokio::test(flavor = "multi_thread")]
//! async fn histories_are_linearizable() {
//!     let histories = auth_testkit::store::history::Histories::new(Arc::new(MemoryStore::new()));
//!     // `interleaved` for stores in memory only; `handle` adds a second handle on the same database.
//!     let checked = histories.rounds(300).seed(7).interleaved(true).check().await;
//!     checked.unwrap_or_else(|violation| panic!("{violation}"));
//! }
//! # fn main() {}
//! ```
//!
//! - [`STORE_CONTRACT`] and [`ARCHIVE_CONTRACT`] are the same lists as data, for other runners; their
//!   functions stand in [`contract`], one for each sentence of the contracts.
//! - [`history`] lets clients do what the contract permits at random and at the same time, and looks for
//!   an order in which every answer is right. The example `prove_histories` does so with clients in
//!   several processes.
//! - [`crash`] kills a process that commits, or the database beneath it, and compares what is there with
//!   what was acknowledged.
//! - [`AlternatingStore`] makes several handles on one database, such as those of several processes,
//!   take turns call by call.
//! - [`CountingStore`] counts round trips, so that a test can hold an engine to a budget.
//! - [`FaultyStore`] fails as told, so that a test can see what a caller makes of it.
//! - [`BrokenStore`] breaks the contract in one of many ways: the suites must find each of them.

mod alternating;
mod broken;
mod caller;
pub mod contract;
mod contract_test;
mod counting;
pub mod crash;
mod draft;
mod faulty;
pub mod history;
mod list;
mod violation;

pub use alternating::AlternatingStore;
pub use broken::{BrokenStore, Flaw};
pub use contract_test::{ArchiveTest, ContractTest, UnderTest, Verdict};
pub use counting::{CountingStore, Counts};
pub use faulty::{CommitFault, FaultyStore, Outage};
pub use list::{ARCHIVE_CONTRACT, STORE_CONTRACT};
pub use violation::{ContractViolation, Finding};

/// What the expansion of [`store_contract!`](crate::store_contract) names.
#[doc(hidden)]
pub use tokio;
