//! [`CountingStore`]: how many round trips a caller makes.

use std::ops::{Range, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use auth_store::{
    Batch, ChangeStream, CommitError, Committed, Key, Page, Queue, Record, Scan, Store, StoreError,
    Sweep, Swept, TenantId, Timestamp,
};

/// A store that counts the calls to another one.
///
/// ```
/// use std::sync::Arc;
/// use auth_store::{MemoryStore, Store, TenantId};
/// use auth_testkit::store::CountingStore;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), auth_store::StoreError> {
/// let store = CountingStore::new(Arc::new(MemoryStore::new()));
/// let before = store.snapshot();
/// store.get(TenantId::DEFAULT, &[]).await?;
/// assert_eq!(store.since(before).round_trips(), 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct CountingStore {
    inner: Arc<dyn Store>,
    gets: AtomicU64,
    scans: AtomicU64,
    commits: AtomicU64,
    sweeps: AtomicU64,
    dues: AtomicU64,
}

/// How many calls of each sort were made, those that failed included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls of [`Store::get`].
    pub gets: u64,
    /// Calls of [`Store::scan`].
    pub scans: u64,
    /// Calls of [`Store::commit`] with a batch that is not empty; an empty one makes no round trip.
    pub commits: u64,
    /// Calls of [`Store::sweep`].
    pub sweeps: u64,
    /// Calls of [`Store::due`].
    pub dues: u64,
}

impl Counts {
    /// All calls together: each is one round trip.
    #[must_use]
    pub fn round_trips(self) -> u64 {
        self.gets + self.scans + self.commits + self.sweeps + self.dues
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            gets: self.gets.saturating_sub(earlier.gets),
            scans: self.scans.saturating_sub(earlier.scans),
            commits: self.commits.saturating_sub(earlier.commits),
            sweeps: self.sweeps.saturating_sub(earlier.sweeps),
            dues: self.dues.saturating_sub(earlier.dues),
        }
    }
}

impl CountingStore {
    /// Counts the calls to `inner`, from 0.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        let zero = || AtomicU64::new(0);
        Self { inner, gets: zero(), scans: zero(), commits: zero(), sweeps: zero(), dues: zero() }
    }

    /// The calls so far.
    #[must_use]
    pub fn snapshot(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Counts {
            gets: read(&self.gets),
            scans: read(&self.scans),
            commits: read(&self.commits),
            sweeps: read(&self.sweeps),
            dues: read(&self.dues),
        }
    }

    /// The calls since a snapshot was taken.
    #[must_use]
    pub fn since(&self, earlier: Counts) -> Counts {
        self.snapshot() - earlier
    }
}

fn count(count: &AtomicU64) {
    count.fetch_add(1, Ordering::SeqCst);
}

#[async_trait]
impl Store for CountingStore {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        count(&self.gets);
        self.inner.get(tenant, keys).await
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        count(&self.scans);
        self.inner.scan(tenant, scans).await
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        if !batch.is_empty() {
            count(&self.commits);
        }
        self.inner.commit(tenant, batch).await
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        count(&self.sweeps);
        self.inner.sweep(what, limit).await
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        count(&self.dues);
        self.inner.due(queue, now, shards, limit).await
    }

    fn watch(&self) -> Option<ChangeStream> {
        self.inner.watch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::caller::{batch, new_id};
    use auth_store::MemoryStore;

    #[tokio::test]
    async fn every_call_but_an_empty_commit_is_a_round_trip() {
        let store = CountingStore::new(Arc::new(MemoryStore::new()));
        let tenant = TenantId::DEFAULT;
        store.get(tenant, &[]).await.unwrap();
        let before = store.snapshot();
        store.scan(tenant, &[]).await.unwrap();
        store.commit(tenant, &batch(new_id(), Timestamp::EPOCH, []).unwrap()).await.unwrap();
        store.sweep(Sweep::Expired { now: Timestamp::EPOCH }, 1).await.unwrap();
        store.due(Queue::Jobs, Timestamp::EPOCH, 0..1, 1).await.unwrap();
        let since = store.since(before);
        assert_eq!(since, Counts { scans: 1, sweeps: 1, dues: 1, ..Counts::default() });
        assert_eq!((since.round_trips(), store.snapshot().gets), (3, 1));
    }
}
