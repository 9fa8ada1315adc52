//! [`BrokenStore`]: a store that breaks the contract in one way, to prove that the suite finds it.

mod archives;
mod flaw;
mod isolation;
mod reads;
mod sweeps;
mod writes;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_store::{
    Archive, Archived, Batch, CommitError, CommitId, Committed, IndexEntry, Key, MemoryStore, Page,
    Place, Queue, Record, Restored, Scan, Store, StoreError, Sweep, Swept, TenantId, Timestamp,
};

pub use flaw::Flaw;

/// A [`MemoryStore`] with one [`Flaw`], or with none.
///
/// Without a flaw it keeps the contract, which proves that a violation comes from the flaw and not from
/// the wrapping.
#[derive(Debug)]
pub struct BrokenStore {
    inner: Arc<MemoryStore>,
    flaw: Option<Flaw>,
    memory: Arc<Mutex<Memory>>,
    /// Commits that have begun and not ended.
    commits: AtomicUsize,
}

/// What some flaws need to know of earlier calls.
#[derive(Debug, Default)]
struct Memory {
    tenants: BTreeSet<TenantId>,
    ids: HashSet<CommitId>,
    entries: HashMap<(TenantId, Key), Vec<IndexEntry>>,
    reads: HashMap<(TenantId, Key), Option<Record>>,
    given: HashSet<(TenantId, Key, CommitId)>,
    uncommitted: HashMap<(TenantId, Key), Record>,
    replica: HashMap<(TenantId, Key), Option<Record>>,
    latest: Option<Timestamp>,
    offset: usize,
}

impl BrokenStore {
    /// An empty store with a flaw, or with none.
    #[must_use]
    pub fn new(flaw: Option<Flaw>) -> Self {
        Self {
            inner: Arc::new(MemoryStore::new()),
            flaw,
            memory: Arc::default(),
            commits: AtomicUsize::new(0),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The tenant whose records a call reaches.
    fn shelf(&self, tenant: TenantId) -> TenantId {
        if self.is(Flaw::OneShelfForAllTenants) { TenantId::DEFAULT } else { tenant }
    }
}

/// Lets everyone else go first.
async fn dawdle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

/// The moment before another.
fn just_before(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_sub(1)).unwrap_or(at)
}

#[async_trait]
impl Store for BrokenStore {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.broken_get(self.shelf(tenant), keys).await
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        self.broken_scan(self.shelf(tenant), scans).await
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        self.memory().tenants.insert(tenant);
        self.broken_commit(self.shelf(tenant), batch).await
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        self.broken_sweep(what, limit).await
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        self.broken_due(queue, now, shards, limit).await
    }
}

#[async_trait]
impl Archive for BrokenStore {
    async fn archived(
        &self,
        after: Option<&Place>,
        limit: u16,
    ) -> Result<Vec<Archived>, StoreError> {
        self.broken_archived(after, limit).await
    }

    async fn restore(&self, records: &[Archived]) -> Result<Restored, StoreError> {
        self.broken_restore(records).await
    }
}
