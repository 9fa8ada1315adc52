//! [`Recorder`]: the statements that a provider makes.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_core::store::{
    Batch, CommitError, Committed, Key, Page, Queue, Record, Scan, Store, StoreError, Sweep, Swept,
    TenantId, Timestamp,
};

/// One round trip to a store.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    Get(Vec<Key>),
    Commit(Batch),
}

/// Writes down every `get` and `commit` on its way to a store.
#[derive(Debug)]
pub(crate) struct Recorder {
    inner: Arc<dyn Store>,
    seen: Mutex<Vec<Statement>>,
}

impl Recorder {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { inner, seen: Mutex::default() })
    }

    /// What was seen since the last time.
    pub(crate) fn take(&self) -> Vec<Statement> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn saw(&self, statement: Statement) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(statement);
    }
}

#[async_trait]
impl Store for Recorder {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.saw(Statement::Get(keys.to_vec()));
        self.inner.get(tenant, keys).await
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        self.inner.scan(tenant, scans).await
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        self.saw(Statement::Commit(batch.clone()));
        self.inner.commit(tenant, batch).await
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
}
