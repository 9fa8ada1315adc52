//! [`Store`]: the contract itself.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;

use async_trait::async_trait;
use futures_core::Stream;

use crate::batch::Batch;
use crate::error::{CommitError, StoreError};
use crate::key::{Key, KeyRange};
use crate::record::{Queue, Record};
use crate::scan::{Page, Scan};
use crate::tenant::TenantId;
use crate::timestamp::Timestamp;

/// The storage contract.
///
/// # Isolation
/// - [`commit`](Store::commit) is linearizable. Its read set is exactly its keys, those of
///   [`Check`](crate::Write::Check) included, which are locked and not merely read.
/// - A [`get`](Store::get) that begins after a commit was acknowledged sees it, on any replica.
/// - The records of one `get` come from one snapshot, and so do the entries of one page. Nothing else
///   does: two pages, or two calls, may see different moments.
/// - A tenant's calls see and change that tenant's records only.
///
/// # Time
/// A store never reads a clock. `now` comes with the batch, and what has expired is decided by the
/// caller from the value. `keep_until` is retention: a record past it counts as *absent* for a
/// [`When`](crate::When) and may be removed by [`sweep`](Store::sweep); until then `get` and `scan`
/// still return it.
///
/// # Failure
/// A store fails closed. An error of [`commit`](Store::commit) other than
/// [`Unknown`](CommitError::Unknown) means that nothing was applied; an acknowledged commit survives a
/// crash of the process (class `Main`).
///
/// # Proof
/// `auth-testkit` holds a suite that checks each of these sentences on a backend.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// The records of up to 256 keys, in the order of the keys, in one round trip.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the backend cannot be reached, [`StoreError::TooLarge`] over
    /// 256 keys, [`StoreError::Damaged`] if a stored record cannot be read.
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError>;

    /// A page of each of up to 64 ranges, in the order of the ranges, in one round trip.
    ///
    /// An entry that is present throughout a scan appears in exactly one of its pages, whatever is
    /// written meanwhile. A scan by key has one entry a record, a scan of an index one for each
    /// [`IndexEntry`](crate::IndexEntry).
    ///
    /// # Errors
    /// As [`get`](Store::get); [`StoreError::TooLarge`] over 64 ranges, or for a limit that is 0 or over
    /// the page limit.
    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError>;

    /// Applies a batch, whole or not at all, in one round trip.
    ///
    /// A batch whose id is already the version of one of its keys was applied before: it succeeds
    /// without effect. An empty batch succeeds without a round trip. Preconditions are checked before
    /// the bounds of counters, and of two commits that exclude each other exactly one succeeds.
    ///
    /// # Errors
    /// See [`CommitError`].
    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError>;

    /// Removes up to `limit` records. It has no effects besides: what must happen at a time is a
    /// record with a due time.
    ///
    /// # Errors
    /// As [`get`](Store::get).
    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError>;

    /// Up to `limit` records of every tenant that stand in `queue` and in one of `shards` and are due
    /// at or before `now`, oldest first, those past their `keep_until` included until they are swept.
    /// Reading does not claim them: a worker commits its claim.
    ///
    /// # Errors
    /// As [`get`](Store::get).
    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError>;

    /// A stream of changes, if the backend has one: a hint by which caches of configuration are
    /// refreshed early, and nothing may depend on it.
    fn watch(&self) -> Option<ChangeStream> {
        None
    }
}

/// What a successful [`commit`](Store::commit) tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend makes it")]
pub struct Committed {
    /// The sums after each [`Add`](crate::Write::Add), in the order of the writes. Empty after a
    /// replay.
    pub counters: Vec<u64>,
}

/// What [`Store::sweep`] removes.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the contract: a backend must handle every case")]
pub enum Sweep {
    /// Records of every tenant whose `keep_until` is at or before `now`.
    Expired {
        /// The caller's time.
        now: Timestamp,
    },
    /// All records of a range of one tenant.
    Range {
        /// The tenant.
        tenant: TenantId,
        /// The range.
        range: KeyRange,
    },
}

/// What [`Store::sweep`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend makes it")]
pub struct Swept {
    /// How many records were removed.
    pub removed: u32,
    /// Whether there may be more.
    pub more: bool,
}

/// A record changed, or may have.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend makes it")]
pub struct Change {
    /// Whose record.
    pub tenant: TenantId,
    /// Which record.
    pub key: Key,
}

/// Changes as they come.
pub struct ChangeStream(
    /// The stream; it ends when the backend can no longer follow changes.
    pub Pin<Box<dyn Stream<Item = Change> + Send>>,
);

impl fmt::Debug for ChangeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChangeStream")
    }
}
