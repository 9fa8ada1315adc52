//! Commits with a flaw.

use auth_store::{
    Batch, CommitError, Committed, NewRecord, Record, Store, TenantId, Timestamp, When, Write,
};

use super::{BrokenStore, Flaw, dawdle, just_before};
use crate::store::caller::{batch as new_batch, new_id};

/// The batch at another time.
pub(super) fn at(batch: &Batch, now: Timestamp) -> Result<Batch, CommitError> {
    new_batch(batch.id(), now, batch.writes().to_vec())
        .map_err(|error| CommitError::Unavailable(error.into()))
}

/// The batch with its preconditions changed.
pub(super) fn with_when(batch: &Batch, change: impl Fn(When) -> When) -> Batch {
    batch.clone().map_writes(|mut write| {
        if let Write::Put { when, .. } | Write::Delete { when, .. } | Write::Check { when, .. } =
            &mut write
        {
            *when = change(*when);
        }
        Some(write)
    })
}

/// The batch with its records changed.
fn with_records(batch: &Batch, mut change: impl FnMut(&mut NewRecord)) -> Batch {
    batch.clone().map_writes(|mut write| {
        if let Write::Put { record, .. } = &mut write {
            change(record);
        }
        Some(write)
    })
}

fn without_bounds(batch: &Batch) -> Batch {
    batch.clone().map_writes(|mut write| {
        if let Write::Add { below, .. } = &mut write {
            *below = None;
        }
        Some(write)
    })
}

pub(super) fn holds(found: Option<&Record>, when: When, now: Timestamp) -> bool {
    let live = found.filter(|record| record.keep_until.is_none_or(|until| until > now));
    match (when, live) {
        (When::Any, _) | (When::Absent, None) | (When::Present, Some(_)) => true,
        (When::At(version), Some(record)) => record.version == version,
        _ => false,
    }
}

impl BrokenStore {
    pub(super) async fn broken_commit(
        &self,
        tenant: TenantId,
        batch: &Batch,
    ) -> Result<Committed, CommitError> {
        let Some(flaw) = self.flaw else { return self.inner.commit(tenant, batch).await };
        if batch.is_empty() {
            let refuses = flaw == Flaw::RefusesEmptyBatches;
            return if refuses { Err(CommitError::TooLarge) } else { Ok(Committed::default()) };
        }
        let changed = match flaw {
            Flaw::IgnoresAbsent => {
                with_when(batch, |when| if when == When::Absent { When::Any } else { when })
            }
            Flaw::IgnoresPresent => {
                with_when(batch, |when| if when == When::Present { When::Any } else { when })
            }
            Flaw::WantsWhatMayBeMissing => {
                with_when(batch, |when| if when == When::Any { When::Present } else { when })
            }
            Flaw::IgnoresAt => with_when(batch, |when| match when {
                When::At(_) => When::Present,
                other => other,
            }),
            Flaw::IgnoresCheck => {
                batch.clone().map_writes(|w| (!matches!(w, Write::Check { .. })).then_some(w))
            }
            Flaw::IgnoresBelow => without_bounds(batch),
            Flaw::ExcludesTheBound => batch.clone().map_writes(|mut write| {
                if let Write::Add { below: Some(below), .. } = &mut write {
                    *below = below.saturating_sub(1);
                }
                Some(write)
            }),
            Flaw::CountsIn63Bits => batch.clone().map_writes(|mut write| {
                if let Write::Add { n, .. } = &mut write {
                    *n &= u64::MAX >> 1;
                    *n = (*n).min(u64::MAX >> 2);
                }
                Some(write)
            }),
            Flaw::MakesItsOwnVersions => batch.clone().with_id(new_id()),
            Flaw::NothingExpires => at(batch, Timestamp::EPOCH)?,
            Flaw::ExpiresAMomentLate => at(batch, just_before(batch.now()))?,
            Flaw::ReadsItsOwnClock => {
                let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
                at(batch, Timestamp::EPOCH.saturating_add(now))?
            }
            Flaw::DropsKeepUntil => with_records(batch, |record| record.keep_until = None),
            Flaw::KeepsOneEntry => with_records(batch, |record| record.index.truncate(1)),
            Flaw::ReformatsValues => with_records(batch, |record| {
                if let Ok(value) = serde_json::from_str::<serde_json::Value>(&record.value) {
                    record.value = value.to_string().into();
                }
            }),
            Flaw::KeepsAnOldEntry => batch.clone().map_writes(|mut write| {
                if let Write::Put { record, old_index, .. } = &mut write {
                    record.index.extend(old_index.first().cloned());
                }
                Some(write)
            }),
            _ => return self.involved_commit(flaw, tenant, batch).await,
        };
        self.inner.commit(tenant, &changed).await
    }

    /// The flaws that take more than a change of the batch.
    async fn involved_commit(
        &self,
        flaw: Flaw,
        tenant: TenantId,
        batch: &Batch,
    ) -> Result<Committed, CommitError> {
        let found = self.states(tenant, batch).await?;
        let known = |batch: &Batch| self.memory().ids.contains(&batch.id());
        let replay = found.iter().flatten().any(|record| record.version == batch.id());
        match flaw {
            Flaw::AppliesReplays if replay => {
                self.inner.commit(tenant, &batch.clone().with_id(new_id())).await
            }
            Flaw::RemembersRefusedIds | Flaw::RemembersIdsOfAllTenants if known(batch) => {
                Ok(Committed::default())
            }
            Flaw::AcknowledgesEarly => {
                let (inner, batch) = (self.inner.clone(), batch.clone());
                tokio::spawn(async move {
                    dawdle().await;
                    // Nobody hears of it any more: that is the flaw.
                    let _ = inner.commit(tenant, &batch).await;
                });
                Ok(Committed::default())
            }
            Flaw::ReadsChecksWithoutLock | Flaw::ChecksThenActs if !replay => {
                self.check_then_act(flaw, tenant, batch, &found).await
            }
            Flaw::AddsWithoutLock | Flaw::MovesTheWindow | Flaw::LeavesCountersWithoutAnEnd
                if !replay =>
            {
                self.add_by_hand(flaw, tenant, batch, &found).await
            }
            Flaw::KeepsEntriesOfTheExpired => {
                let changed = with_records(batch, |record| {
                    let place = (tenant, record.key.clone());
                    let new = record.index.clone();
                    let mut memory = self.memory();
                    let expired = found.iter().flatten().any(|old| {
                        old.key == record.key && !holds(Some(old), When::Present, batch.now())
                    });
                    if expired {
                        record.index.extend(memory.entries.remove(&place).unwrap_or_default());
                    }
                    memory.entries.insert(place, new);
                });
                self.inner.commit(tenant, &changed).await
            }
            Flaw::NeverMovesKeepUntil => {
                let changed = with_records(batch, |record| {
                    let old = found.iter().flatten().find(|old| old.key == record.key);
                    record.keep_until = old.map_or(record.keep_until, |old| old.keep_until);
                });
                self.inner.commit(tenant, &changed).await
            }
            Flaw::LocksOnlyWhatIsThere | Flaw::WritesOneByOne if !replay => {
                self.torn_commit(flaw, tenant, batch, &found).await
            }
            Flaw::RetriesUnderANewId
            | Flaw::ConflictsUnderLoad
            | Flaw::ReadsALateReplica
            | Flaw::ReadsUncommitted
            | Flaw::GoesByTheLatestTime => self.contended_commit(flaw, tenant, batch).await,
            _ => {
                let outcome = self.inner.commit(tenant, batch).await;
                self.broken_outcome(flaw, tenant, batch, outcome).await
            }
        }
    }

    /// The flaws that show in what comes of a commit.
    async fn broken_outcome(
        &self,
        flaw: Flaw,
        tenant: TenantId,
        batch: &Batch,
        outcome: Result<Committed, CommitError>,
    ) -> Result<Committed, CommitError> {
        match (flaw, &outcome) {
            (Flaw::AppliesHalfOfAConflict, Err(CommitError::Conflict(_))) => {
                let mut left = batch.writes().len() / 2;
                let half = with_when(&without_bounds(batch), |_| When::Any).map_writes(|write| {
                    let taken = left > 0;
                    left = left.saturating_sub(1);
                    taken.then_some(write)
                });
                self.inner.commit(tenant, &half).await?;
            }
            (Flaw::AppliesBesidesAFullCounter, Err(CommitError::Full(_))) => {
                let rest = batch
                    .clone()
                    .map_writes(|write| (!matches!(write, Write::Add { .. })).then_some(write));
                self.inner.commit(tenant, &rest).await?;
            }
            (Flaw::NamesNoKey, Err(CommitError::Conflict(_))) => {
                return Err(CommitError::Conflict(Vec::new()));
            }
            (Flaw::NamesEveryKey, Err(CommitError::Conflict(_))) => {
                let keys = batch.writes().iter().map(|write| write.key().clone());
                return Err(CommitError::Conflict(keys.collect()));
            }
            (Flaw::TellsFullFirst, Err(CommitError::Conflict(_))) => {
                let trial = with_when(batch, |_| When::Any);
                // A full counter refuses this one too; else it must not be applied.
                let over = trial.writes().iter().find_map(|write| match write {
                    Write::Add { key, n, below: Some(below), .. } if n > below => Some(key.clone()),
                    _ => None,
                });
                if let Some(key) = over {
                    return Err(CommitError::Full(key));
                }
            }
            (Flaw::RemembersRefusedIds, Err(_)) | (Flaw::RemembersIdsOfAllTenants, Ok(_)) => {
                self.memory().ids.insert(batch.id());
            }
            (Flaw::TellsSumsInReverse, Ok(committed)) => {
                let counters = committed.counters.iter().rev().copied().collect();
                return Ok(Committed { counters });
            }
            _ => {}
        }
        outcome
    }

    /// What stands under the keys of the batch.
    pub(super) async fn states(
        &self,
        tenant: TenantId,
        batch: &Batch,
    ) -> Result<Vec<Option<Record>>, CommitError> {
        let keys: Vec<_> = batch.writes().iter().map(|write| write.key().clone()).collect();
        self.inner.get(tenant, &keys).await.map_err(|error| CommitError::Unavailable(error.into()))
    }

    async fn check_then_act(
        &self,
        flaw: Flaw,
        tenant: TenantId,
        batch: &Batch,
        found: &[Option<Record>],
    ) -> Result<Committed, CommitError> {
        let unlocked = |write: &Write| match write {
            Write::Check { .. } => true,
            _ => flaw == Flaw::ChecksThenActs,
        };
        let failed = |(write, found): (&Write, &Option<Record>)| {
            let (Write::Put { when, .. } | Write::Delete { when, .. } | Write::Check { when, .. }) =
                write
            else {
                return None;
            };
            let fails = unlocked(write) && !holds(found.as_ref(), *when, batch.now());
            fails.then(|| write.key().clone())
        };
        let failed: Vec<_> = batch.writes().iter().zip(found).filter_map(failed).collect();
        if !failed.is_empty() {
            return Err(CommitError::Conflict(failed));
        }
        dawdle().await;
        let rest = batch.clone().map_writes(|mut write| match &mut write {
            Write::Check { .. } => None,
            Write::Put { when, .. } | Write::Delete { when, .. }
                if flaw == Flaw::ChecksThenActs =>
            {
                *when = When::Any;
                Some(write)
            }
            _ => Some(write),
        });
        self.inner.commit(tenant, &rest).await
    }

    /// Turns additions into puts of what was read before.
    async fn add_by_hand(
        &self,
        flaw: Flaw,
        tenant: TenantId,
        batch: &Batch,
        found: &[Option<Record>],
    ) -> Result<Committed, CommitError> {
        if flaw == Flaw::AddsWithoutLock {
            dawdle().await;
        }
        let mut counters = Vec::new();
        let mut full = None;
        let changed = batch.clone().map_writes(|write| {
            let Write::Add { key, n, below, keep_until } = &write else { return Some(write) };
            let old = found.iter().flatten().find(|record| record.key == *key);
            let old = old.filter(|old| holds(Some(old), When::Present, batch.now()));
            let count = old.and_then(|old| old.value.parse::<u64>().ok()).unwrap_or(0);
            let sum = count.saturating_add(*n);
            if below.is_some_and(|below| sum > below) {
                full.get_or_insert(key.clone());
            }
            counters.push(sum);
            let begun = old.and_then(|old| old.keep_until);
            let keep_until = match flaw {
                Flaw::MovesTheWindow => Some(*keep_until),
                Flaw::LeavesCountersWithoutAnEnd if old.is_some() => begun,
                _ => begun.or(Some(*keep_until)),
            };
            let (key, value) = (key.clone(), sum.to_string().into());
            let record = NewRecord { key, value, index: Vec::new(), keep_until, due: None };
            Some(Write::Put { record, when: When::Any, old_index: Vec::new() })
        });
        if let Some(key) = full {
            return Err(CommitError::Full(key));
        }
        self.inner.commit(tenant, &changed).await?;
        Ok(Committed { counters })
    }
}
