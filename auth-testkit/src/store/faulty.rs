//! [`FaultyStore`]: fails as told.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_store::{
    Batch, ChangeStream, CommitError, Committed, Key, Page, Queue, Record, Scan, Store, StoreError,
    Sweep, Swept, TenantId, Timestamp,
};

/// A store that passes calls on to another one, and fails those that a test has told it to.
///
/// Faults wait in two lines, one for commits and one for reads; each call takes the first of its line.
/// Empty batches are not commits. An [`Outage`] is there besides until it is over.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    script: Mutex<Script>,
}

/// What does not work for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Outage {
    /// Everything works.
    #[default]
    None,
    /// Reads fail: [`StoreError::Unavailable`].
    Reads,
    /// Commits fail, and nothing is applied: [`CommitError::Unavailable`].
    Commits,
    /// Both.
    All,
    /// Commits are applied and their answers are lost: [`CommitError::Unknown`].
    Answers,
    /// Every call waits until the outage is over.
    Stall,
}

#[derive(Debug, Default)]
struct Script {
    commits: VecDeque<CommitFault>,
    reads: VecDeque<()>,
    outage: Outage,
}

/// How a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitFault {
    /// The batch is applied, and the answer is lost: [`CommitError::Unknown`]. If the inner store
    /// refuses the batch, its refusal is lost as well.
    UnknownApplied,
    /// The batch is not applied, and the caller cannot know: [`CommitError::Unknown`].
    UnknownNotApplied,
    /// [`CommitError::Unavailable`]; nothing is applied.
    Unavailable,
    /// [`CommitError::Conflict`] at the first key of the batch; nothing is applied, although the
    /// preconditions may hold.
    Conflict,
}

/// The cause of a fault that a test asked for.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the test asked for this fault")]
struct AskedFor;

impl FaultyStore {
    /// Passes calls on to `inner`, and fails none until told to.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, script: Mutex::default() }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an outage, or ends it by [`Outage::None`].
    pub fn outage(&self, outage: Outage) {
        self.script().outage = outage;
    }

    /// The outage of this moment, once nothing is to be waited for.
    async fn weather(&self) -> Outage {
        loop {
            let outage = self.script().outage;
            if outage != Outage::Stall {
                return outage;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Fails the next commit for which no fault waits yet.
    pub fn fail_commit(&self, fault: CommitFault) {
        self.script().commits.push_back(fault);
    }

    /// Fails the next `times` commits for which no fault waits yet.
    pub fn fail_commits(&self, fault: CommitFault, times: usize) {
        self.script().commits.extend(std::iter::repeat_n(fault, times));
    }

    /// Answers the next `get`, scan or reading of a queue with [`StoreError::Unavailable`].
    pub fn fail_read(&self) {
        self.script().reads.push_back(());
    }

    /// How many faults have not been met yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let script = self.script();
        script.commits.len() + script.reads.len()
    }

    async fn read(&self) -> Result<(), StoreError> {
        if matches!(self.weather().await, Outage::Reads | Outage::All) {
            return Err(StoreError::Unavailable(AskedFor.into()));
        }
        match self.script().reads.pop_front() {
            Some(()) => Err(StoreError::Unavailable(AskedFor.into())),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.read().await?;
        self.inner.get(tenant, keys).await
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        self.read().await?;
        self.inner.scan(tenant, scans).await
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        let first = batch.writes().first().map(|write| write.key().clone());
        let outage = match self.weather().await {
            Outage::Commits | Outage::All => Some(CommitFault::Unavailable),
            Outage::Answers => Some(CommitFault::UnknownApplied),
            _ => None,
        };
        let scripted = || self.script().commits.pop_front();
        let fault = first.as_ref().and_then(|_| outage.or_else(scripted));
        match fault {
            None => self.inner.commit(tenant, batch).await,
            Some(CommitFault::UnknownApplied) => {
                // Whatever the answer is, it does not reach the caller.
                let _ = self.inner.commit(tenant, batch).await;
                Err(CommitError::Unknown(AskedFor.into()))
            }
            Some(CommitFault::UnknownNotApplied) => Err(CommitError::Unknown(AskedFor.into())),
            Some(CommitFault::Unavailable) => Err(CommitError::Unavailable(AskedFor.into())),
            Some(CommitFault::Conflict) => Err(CommitError::Conflict(first.into_iter().collect())),
        }
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        if !matches!(self.weather().await, Outage::None | Outage::Reads) {
            return Err(StoreError::Unavailable(AskedFor.into()));
        }
        self.inner.sweep(what, limit).await
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        self.read().await?;
        self.inner.due(queue, now, shards, limit).await
    }

    fn watch(&self) -> Option<ChangeStream> {
        self.inner.watch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::caller::{Caller, batch, new_id};
    use crate::store::draft::{key, record};
    use auth_store::{MemoryStore, When};

    #[tokio::test]
    async fn faults_come_in_their_order_and_then_none() {
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let erased: Arc<dyn Store> = store.clone();
        let caller = Caller::new(&erased);
        let subject = key("subject").unwrap();
        let commit = async || {
            let write = record(&subject).put(When::Any);
            let batch = batch(new_id(), caller.now, [write]).unwrap();
            (batch.id(), store.commit(caller.tenant, &batch).await)
        };
        store.fail_commits(CommitFault::Conflict, 2);
        store.fail_commit(CommitFault::Unavailable);
        store.fail_commit(CommitFault::UnknownNotApplied);
        store.fail_commit(CommitFault::UnknownApplied);
        for _ in 0..2 {
            let (_, outcome) = commit().await;
            assert!(
                matches!(outcome, Err(CommitError::Conflict(keys)) if keys == [subject.clone()])
            );
        }
        assert!(matches!(commit().await.1, Err(CommitError::Unavailable(_))));
        assert!(matches!(commit().await.1, Err(CommitError::Unknown(_))));
        caller.missing(&subject).await.unwrap();
        let (id, outcome) = commit().await;
        assert!(matches!(outcome, Err(CommitError::Unknown(_))));
        assert_eq!(caller.present(&subject).await.unwrap().version, id);
        assert!(commit().await.1.is_ok());

        store.fail_read();
        assert_eq!(store.waiting(), 1);
        assert!(matches!(
            store.get(caller.tenant, std::slice::from_ref(&subject)).await,
            Err(StoreError::Unavailable(_))
        ));
        caller.present(&subject).await.unwrap();
    }
}
