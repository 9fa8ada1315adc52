//! The storage contract as a suite, and stores that make it and other tests sharper.
//!
//! Authors of a backend run the suite like this; each test gets a new, empty store:
//!
//! ```
//! use std::sync::Arc;
//! use auth_store::{MemoryStore, Store};
//!
//! auth_testkit::store_contract!(memory, || async {
//!     Arc::new(MemoryStore::new()) as Arc<dyn Store>
//! });
//! # fn main() {}
//! ```
//!
//! - [`STORE_CONTRACT`] is the same list as data, for other runners; its functions stand in
//!   [`contract`], one for each sentence of the contract.
//! - [`AlternatingStore`] makes several handles on one database, such as those of several processes,
//!   take turns call by call.
//! - [`CountingStore`] counts round trips, so that a test can hold an engine to a budget.
//! - [`FaultyStore`] fails as told, so that a test can see what a caller makes of it.
//! - [`BrokenStore`] breaks the contract in one of many ways: the suite must find each of them.

mod alternating;
mod broken;
mod caller;
pub mod contract;
mod contract_test;
mod counting;
mod draft;
mod faulty;
mod list;
mod violation;

pub use alternating::AlternatingStore;
pub use broken::{BrokenStore, Flaw};
pub use contract_test::{ContractTest, StoreUnderTest, Verdict};
pub use counting::{CountingStore, Counts};
pub use faulty::{CommitFault, FaultyStore};
pub use list::STORE_CONTRACT;
pub use violation::{ContractViolation, Finding};

/// What the expansion of [`store_contract!`](crate::store_contract) names.
#[doc(hidden)]
pub use tokio;
