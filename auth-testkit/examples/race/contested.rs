//! [`Contested`]: makes sure that a race is one.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use auth_core::store::{
    Batch, ChangeStream, CommitError, Committed, Key, Page, Queue, Record, Scan, Store, StoreError,
    Sweep, Swept, TenantId, Timestamp,
};

/// A store that lets other tasks run between a reading and a commit, and counts the conflicts.
///
/// Without it a store in memory answers at once, so that a task ends before the next begins and nobody
/// has a rival.
#[derive(Debug)]
pub(super) struct Contested {
    inner: Arc<dyn Store>,
    conflicts: AtomicU64,
}

impl Contested {
    pub(super) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, conflicts: AtomicU64::new(0) }
    }

    pub(super) fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Store for Contested {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.inner.get(tenant, keys).await
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        self.inner.scan(tenant, scans).await
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        tokio::task::yield_now().await;
        let committed = self.inner.commit(tenant, batch).await;
        if let Err(CommitError::Conflict(_)) = committed {
            self.conflicts.fetch_add(1, Ordering::Relaxed);
        }
        committed
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        self.inner.sweep(what, limit).await
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        self.inner.due(queue, now, shards, limit).await
    }

    fn watch(&self) -> Option<ChangeStream> {
        self.inner.watch()
    }
}
