//! Flaws that show when several callers are at work.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use auth_store::{
    Batch, CommitError, Committed, Key, Record, Store, StoreError, TenantId, When, Write,
};

use super::writes::{at, holds, with_when};
use super::{BrokenStore, Flaw, dawdle};
use crate::store::caller::new_id;

impl BrokenStore {
    /// The flaws that do in two steps what must be one.
    pub(super) async fn torn_commit(
        &self,
        flaw: Flaw,
        tenant: TenantId,
        batch: &Batch,
        found: &[Option<Record>],
    ) -> Result<Committed, CommitError> {
        match flaw {
            Flaw::LocksOnlyWhatIsThere => {
                let unlocked =
                    |write: &Write| !found.iter().flatten().any(|old| old.key == *write.key());
                let failed = batch.writes().iter().any(|write| {
                    unlocked(write)
                        && condition(write).is_some_and(|w| !holds(None, w, batch.now()))
                });
                if failed {
                    return self.inner.commit(tenant, batch).await;
                }
                dawdle().await;
                let rest = batch.clone().map_writes(|mut write| {
                    if unlocked(&write)
                        && let Some(when) = condition_mut(&mut write)
                    {
                        *when = When::Any;
                    }
                    Some(write)
                });
                self.inner.commit(tenant, &rest).await
            }
            _ => {
                let adds = |write: &Write| matches!(write, Write::Add { .. });
                if batch.writes().iter().any(adds) {
                    return self.inner.commit(tenant, batch).await;
                }
                let mut put = None;
                let first = batch.clone().map_writes(|write| match (&write, condition(&write)) {
                    (Write::Put { record, .. }, _) if put.is_none() => {
                        put = Some(record.key.clone());
                        Some(write)
                    }
                    (_, Some(when)) => Some(Write::Check { key: write.key().clone(), when }),
                    _ => None,
                });
                let committed = self.inner.commit(tenant, &first).await?;
                dawdle().await;
                let rest = with_when(batch, |_| When::Any)
                    .map_writes(|write| (put.as_ref() != Some(write.key())).then_some(write));
                self.inner.commit(tenant, &rest).await?;
                Ok(committed)
            }
        }
    }

    /// The flaws that depend on what others do at the same time.
    pub(super) async fn contended_commit(
        &self,
        flaw: Flaw,
        tenant: TenantId,
        batch: &Batch,
    ) -> Result<Committed, CommitError> {
        let commit = self.inner.commit(tenant, batch);
        match flaw {
            Flaw::RetriesUnderANewId | Flaw::ConflictsUnderLoad => {
                let alone = self.commits.fetch_add(1, Ordering::SeqCst) == 0;
                dawdle().await;
                let outcome = match flaw {
                    _ if alone => commit.await,
                    Flaw::ConflictsUnderLoad => {
                        let key = batch.writes().first().map(|write| write.key().clone());
                        Err(CommitError::Conflict(key.into_iter().collect()))
                    }
                    _ => match commit.await {
                        Ok(_) => self.inner.commit(tenant, &batch.clone().with_id(new_id())).await,
                        refused => refused,
                    },
                };
                self.commits.fetch_sub(1, Ordering::SeqCst);
                outcome
            }
            Flaw::ReadsALateReplica => {
                let committed = commit.await?;
                let (inner, memory) = (self.inner.clone(), self.memory.clone());
                let keys: Vec<Key> =
                    batch.writes().iter().map(|write| write.key().clone()).collect();
                tokio::spawn(async move {
                    dawdle().await;
                    let Ok(found) = inner.get(tenant, &keys).await else { return };
                    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                    let states = keys.into_iter().map(|key| (tenant, key)).zip(found);
                    memory.replica.extend(states);
                });
                Ok(committed)
            }
            Flaw::ReadsUncommitted => {
                let outcome = commit.await;
                if matches!(outcome, Err(CommitError::Conflict(_) | CommitError::Full(_))) {
                    let puts = batch.writes().iter().filter_map(|write| {
                        let Write::Put { record, .. } = write else { return None };
                        let record = Record {
                            key: record.key.clone(),
                            version: batch.id(),
                            value: record.value.clone(),
                            keep_until: record.keep_until,
                            due: record.due,
                        };
                        Some(((tenant, record.key.clone()), record))
                    });
                    let puts: Vec<_> = puts.collect();
                    self.memory().uncommitted.extend(puts.iter().cloned());
                    dawdle().await;
                    let mut memory = self.memory();
                    for (place, _) in &puts {
                        memory.uncommitted.remove(place);
                    }
                }
                outcome
            }
            _ => {
                let latest = self.memory().latest.max(Some(batch.now()));
                self.memory().latest = latest;
                let batch = at(batch, latest.unwrap_or(batch.now()))?;
                self.inner.commit(tenant, &batch).await
            }
        }
    }

    pub(super) async fn get_from_the_replica(
        &self,
        tenant: TenantId,
        keys: &[Key],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let fresh = self.inner.get(tenant, keys).await?;
        let memory = self.memory();
        let late = |key: &Key| memory.replica.get(&(tenant, key.clone())).cloned().flatten();
        Ok(keys.iter().map(late).take(fresh.len()).collect())
    }

    pub(super) async fn get_the_uncommitted(
        &self,
        tenant: TenantId,
        keys: &[Key],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let found = self.inner.get(tenant, keys).await?;
        let memory = self.memory();
        let answers = keys
            .iter()
            .zip(found)
            .map(|(key, found)| memory.uncommitted.get(&(tenant, key.clone())).cloned().or(found));
        Ok(answers.collect())
    }
}

/// The precondition of a write, if it has one.
fn condition(write: &Write) -> Option<When> {
    condition_mut(&mut write.clone()).copied()
}

fn condition_mut(write: &mut Write) -> Option<&mut When> {
    match write {
        Write::Put { when, .. } | Write::Delete { when, .. } | Write::Check { when, .. } => {
            Some(when)
        }
        Write::Add { .. } => None,
    }
}
