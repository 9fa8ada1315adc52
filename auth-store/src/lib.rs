//! The storage contract of the auth SDK.
//!
//! Engines decide, stores remember. Everything that must happen once (a code redeemed, a refresh token
//! rotated, a name taken) is one [`Batch`] with preconditions, applied atomically by
//! [`Store::commit`]; so "exactly once" is a property of this contract and not of each engine.
//!
//! ```text
//!   engine ── get(keys) ──────────▶ ┌───────┐   one snapshot
//!     │    ◀── records, versions ── │ Store │
//!     ▼                             │       │
//!   decide (pure)                   │       │
//!     │                             │       │
//!     └──── commit(batch) ────────▶ │       │   all or nothing, linearizable
//!          ◀── Committed / Conflict │       │
//!                                   └───────┘
//! ```
//!
//! A backend implements [`Store`] and depends on this crate and nothing else of the SDK; it has no
//! cryptography, no HTTP, and the time of a record is told to it. [`MemoryStore`] is the contract in its shortest form: read it
//! before writing a backend, and run the suite of `auth-testkit` against yours.
//!
//! ```
//! use auth_store::{Batch, Class, CommitId, Key, Main, MemoryStore, NewRecord, Store, TenantId};
//! use auth_store::{CommitError, Timestamp, When, Write};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let take_name = |commit: u8| {
//!     let key = Key::builder(Class::Main, "name").text("alice").build().unwrap();
//!     let record = NewRecord { key, value: "{}".into(), index: vec![], keep_until: None, due: None };
//!     Batch::builder::<Main>(CommitId::from_bytes([commit; 16]), Timestamp::EPOCH)
//!         .write(Write::Put { record, when: When::Absent, old_index: vec![] })
//!         .build()
//!         .unwrap()
//! };
//! store.commit(TenantId::DEFAULT, &take_name(1)).await?;
//! let second = store.commit(TenantId::DEFAULT, &take_name(2)).await;
//! assert!(matches!(second, Err(CommitError::Conflict(_))));
//! # Ok(()) }
//! # futures_executor(example()).unwrap();
//! # fn futures_executor<F: std::future::Future>(f: F) -> F::Output {
//! #     let mut f = std::pin::pin!(f);
//! #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
//! #     loop { if let std::task::Poll::Ready(r) = f.as_mut().poll(&mut cx) { return r; } }
//! # }
//! ```

mod archive;
mod batch;
mod class;
mod deadline;
mod error;
mod key;
pub mod limits;
mod memory;
mod record;
mod scan;
mod store;
mod tenant;
mod tiered;
mod timestamp;

pub use archive::{Archive, Archived, Place, Restored};
pub use batch::{
    Batch, BatchBuilder, InvalidBatch, MainWrite, NewRecord, When, Write, WriteTo, Writes,
};
pub use class::{Class, ClassMarker, Main, Side};
pub use deadline::{Elapsed, Within, within};
pub use error::{CommitError, Source, StoreError};
pub use key::{InvalidKey, Key, KeyBuilder, KeyRange, KeyTooLong};
pub use memory::MemoryStore;
pub use record::{CommitId, Due, IndexEntry, Queue, Record, UnknownQueue, Version};
pub use scan::{Cursor, Direction, Page, Scan, ScanRange, Want};
pub use store::{Change, ChangeStream, Committed, Store, Sweep, Swept};
pub use tenant::{InvalidTenantId, TenantId};
pub use tiered::Tiered;
pub use timestamp::{Timestamp, TimestampOutOfRange};
