//! [`AlternatingStore`]: several handles on one database, in turn.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use auth_store::{
    Batch, ChangeStream, CommitError, Committed, Key, Page, Queue, Record, Scan, Store, StoreError,
    Sweep, Swept, TenantId, Timestamp,
};

/// Several handles on one database, one after another at each call.
///
/// What one process writes the next reads: the suite then proves the contract across processes and
/// replicas, and its races are races between them.
#[derive(Debug)]
pub struct AlternatingStore {
    first: Arc<dyn Store>,
    others: Vec<Arc<dyn Store>>,
    next: AtomicUsize,
}

impl AlternatingStore {
    /// A store that speaks through `first` and `others` in turn.
    #[must_use]
    pub fn new(first: Arc<dyn Store>, others: Vec<Arc<dyn Store>>) -> Self {
        Self { first, others, next: AtomicUsize::new(0) }
    }

    fn turn(&self) -> &dyn Store {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % (self.others.len() + 1);
        let other = turn.checked_sub(1).and_then(|turn| self.others.get(turn));
        &**other.unwrap_or(&self.first)
    }
}

#[async_trait]
impl Store for AlternatingStore {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.turn().get(tenant, keys).await
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        self.turn().scan(tenant, scans).await
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        self.turn().commit(tenant, batch).await
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        self.turn().sweep(what, limit).await
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        self.turn().due(queue, now, shards, limit).await
    }

    fn watch(&self) -> Option<ChangeStream> {
        self.first.watch()
    }
}
