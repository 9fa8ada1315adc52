//! Stores that break what the proofs claim: each proof must find them, or it shows nothing.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::store::limits::MAX_ARCHIVED;
use auth_core::store::{
    Archive, Archived, Batch, CommitError, Committed, MemoryStore, Page, Queue, Record, Scan,
    Store, StoreError, Sweep, Swept, TenantId, Timestamp, When, Write,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::Failure;

/// A way to be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flaw {
    /// Answers when it has decided, and writes a moment later.
    WritesBehind,
    /// Writes without a look at the preconditions.
    Careless,
}

#[allow(dead_code, reason = "not every proof and test names them")]
impl Flaw {
    pub(crate) const ALL: [Self; 2] = [Self::WritesBehind, Self::Careless];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WritesBehind => "a store that acknowledges 20 ms before it writes",
            Self::Careless => "a store that ignores preconditions",
        }
    }
}

/// How long after its acknowledgement a batch is written.
const BEHIND: Duration = Duration::from_millis(20);

/// A store, broken that way, on the database of `spec`.
pub(crate) async fn open(flaw: Flaw, spec: &str) -> Result<Arc<dyn Store>, Failure> {
    let archive = testbed::open_archive(spec).await?;
    let mut broken = Broken { flaw, store: archive.clone(), behind: None };
    if flaw == Flaw::WritesBehind {
        // It decides in memory, on what was there.
        let memory = Arc::new(MemoryStore::new());
        let mut last: Option<Archived> = None;
        loop {
            let after = last.as_ref().map(Archived::place);
            let page = archive.archived(after.as_ref(), MAX_ARCHIVED).await?;
            let Some(end) = page.last().cloned() else { break };
            memory.restore(&page).await?;
            last = Some(end);
        }
        let (sender, mut batches) = mpsc::unbounded_channel::<(TenantId, Batch)>();
        tokio::spawn(async move {
            while let Some((tenant, batch)) = batches.recv().await {
                tokio::time::sleep(BEHIND).await;
                let mut next = Some((tenant, batch));
                while let Some((tenant, batch)) = next {
                    let _ = archive.commit(tenant, &batch).await;
                    next = batches.try_recv().ok();
                }
            }
        });
        broken.store = memory;
        broken.behind = Some(sender);
    }
    Ok(Arc::new(broken))
}

#[derive(Debug)]
struct Broken {
    flaw: Flaw,
    store: Arc<dyn Archive>,
    behind: Option<mpsc::UnboundedSender<(TenantId, Batch)>>,
}

fn careless(write: Write) -> Option<Write> {
    match write {
        Write::Put { record, old_index, .. } => {
            Some(Write::Put { record, when: When::Any, old_index })
        }
        Write::Delete { key, old_index, .. } => {
            Some(Write::Delete { key, when: When::Any, old_index })
        }
        Write::Check { .. } => None,
        add @ Write::Add { .. } => Some(add),
    }
}

#[async_trait]
impl Store for Broken {
    async fn get(
        &self,
        tenant: TenantId,
        keys: &[auth_core::store::Key],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        self.store.get(tenant, keys).await
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        self.store.scan(tenant, scans).await
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        if self.flaw == Flaw::Careless {
            return self.store.commit(tenant, &batch.clone().map_writes(careless)).await;
        }
        let committed = self.store.commit(tenant, batch).await?;
        if let Some(behind) = &self.behind {
            let _ = behind.send((tenant, batch.clone()));
        }
        Ok(committed)
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        self.store.sweep(what, limit).await
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        self.store.due(queue, now, shards, limit).await
    }
}
