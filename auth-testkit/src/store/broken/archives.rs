//! Archives with a flaw.

use auth_store::limits::MAX_ARCHIVED;
use auth_store::{
    Archive, Archived, Batch, Key, Place, Restored, Store, StoreError, TenantId, Timestamp, When,
    Write,
};

use super::{BrokenStore, Flaw, dawdle};
use crate::store::caller::{after, batch as new_batch, new_id};
use crate::store::draft::record;

/// The time at which the flaws take records for expired: the kit's own.
fn expired(archived: &Archived) -> bool {
    archived.record.keep_until.is_some_and(|until| until <= after(0))
}

impl BrokenStore {
    pub(super) async fn broken_archived(
        &self,
        after: Option<&Place>,
        limit: u16,
    ) -> Result<Vec<Archived>, StoreError> {
        let within = (1..=MAX_ARCHIVED).contains(&limit);
        match self.flaw {
            Some(Flaw::ArchivesWithoutLimits) if !within => {
                self.inner.archived(after, MAX_ARCHIVED).await
            }
            _ if !within => Err(StoreError::TooLarge),
            Some(Flaw::ArchivesByKeyFirst) => {
                let mut all = self.whole_archive().await?;
                let place = |tenant: TenantId, key: &Key| (key.clone(), tenant);
                all.sort_by_key(|archived| place(archived.tenant, &archived.record.key));
                let after = after.map(|after| place(after.tenant, &after.key));
                all.retain(|a| after.as_ref().is_none_or(|p| place(a.tenant, &a.record.key) > *p));
                all.truncate(limit.into());
                Ok(all)
            }
            Some(Flaw::ArchivesWithoutTheExpired) => {
                let all = self.whole_archive().await?.into_iter();
                let all = all.filter(|a| !expired(a) && after.is_none_or(|p| a.place() > *p));
                Ok(all.take(limit.into()).collect())
            }
            Some(Flaw::ArchivesByOffset) => {
                let read = match after {
                    // A first page begins anew.
                    None => 0,
                    Some(_) => self.memory().offset,
                };
                let all = self.whole_archive().await?.into_iter();
                let page: Vec<_> = all.skip(read).take(limit.into()).collect();
                self.memory().offset = read + page.len();
                Ok(page)
            }
            Some(Flaw::RepeatsThePlace) if limit > 1 => {
                let mut page = self.inner.archived(after, limit - 1).await?;
                let all = self.whole_archive().await?;
                let own = all.into_iter().find(|archived| Some(&archived.place()) == after);
                // An archive must come to its end.
                if !page.is_empty() {
                    page.splice(0..0, own);
                }
                Ok(page)
            }
            Some(Flaw::NeedsThePlacesRecord) => {
                let all = self.whole_archive().await?;
                let known = |after: &Place| all.iter().any(|archived| archived.place() == *after);
                if !after.is_none_or(known) {
                    return Ok(Vec::new());
                }
                self.inner.archived(after, limit).await
            }
            _ => {
                let mut page = self.inner.archived(after, limit).await?;
                let first = self.inner.archived(None, 1).await?.first().map(|a| a.tenant);
                for archived in &mut page {
                    match self.flaw {
                        Some(Flaw::ArchivesWithoutEntries) => archived.index.clear(),
                        Some(Flaw::ArchivesWithoutDue) => archived.record.due = None,
                        _ => {}
                    }
                }
                if self.is(Flaw::ArchivesOneTenant) {
                    page.retain(|archived| Some(archived.tenant) == first);
                }
                Ok(page)
            }
        }
    }

    async fn whole_archive(&self) -> Result<Vec<Archived>, StoreError> {
        let mut all: Vec<Archived> = Vec::new();
        loop {
            let after = all.last().map(Archived::place);
            let page = self.inner.archived(after.as_ref(), MAX_ARCHIVED).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    pub(super) async fn broken_restore(
        &self,
        records: &[Archived],
    ) -> Result<Restored, StoreError> {
        if !(1..=usize::from(MAX_ARCHIVED)).contains(&records.len()) {
            if !self.is(Flaw::ArchivesWithoutLimits) {
                return Err(StoreError::TooLarge);
            }
            let mut all = Restored::default();
            for some in records.chunks(MAX_ARCHIVED.into()) {
                let restored = self.inner.restore(some).await?;
                all.written += restored.written;
                all.kept += restored.kept;
            }
            return Ok(all);
        }
        let mut changed = records.to_vec();
        for archived in &mut changed {
            let record = &mut archived.record;
            match self.flaw {
                Some(Flaw::RestoresUnderNewVersions) => record.version = new_id(),
                Some(Flaw::RestoresForEver) => record.keep_until = None,
                Some(Flaw::RestoresWithoutEntries) => archived.index.clear(),
                Some(Flaw::RestoresIntoOneTenant) => archived.tenant = TenantId::DEFAULT,
                Some(Flaw::RestoresCountersAtZero) if record.value.parse::<u64>().is_ok() => {
                    record.value = "0".into();
                }
                _ => {}
            }
        }
        match self.flaw {
            Some(Flaw::RestoresOverWhatIsThere) => self.clear(&changed, |_| true).await?,
            Some(Flaw::RestoresOverTheExpired) => self.clear(&changed, expired).await?,
            Some(Flaw::RefusesWhatIsThere) => {
                let there = self.whole_archive().await?;
                if there.iter().any(|old| changed.iter().any(|new| new.place() == old.place())) {
                    return Err(StoreError::Unavailable("something is there".into()));
                }
            }
            Some(Flaw::LooksThenRestores) => {
                let there = self.whole_archive().await?;
                dawdle().await;
                let stands = |new: &Archived| there.iter().any(|old| new.place() == old.place());
                let (kept, new): (Vec<_>, Vec<_>) = changed.into_iter().partition(stands);
                self.clear(&new, |_| true).await?;
                let mut restored = Restored::default();
                if !new.is_empty() {
                    restored = self.inner.restore(&new).await?;
                }
                restored.kept += u32::try_from(kept.len()).unwrap_or(u32::MAX);
                return Ok(restored);
            }
            _ => {}
        }
        let restored = self.inner.restore(&changed).await?;
        Ok(match self.flaw {
            Some(Flaw::CountsWhatItKept) => {
                Restored { written: restored.written + restored.kept, kept: 0 }
            }
            _ => restored,
        })
    }

    /// Removes what stands where the records are to be, if it is `doomed`.
    async fn clear(
        &self,
        records: &[Archived],
        doomed: impl Fn(&Archived) -> bool,
    ) -> Result<(), StoreError> {
        let there = self.whole_archive().await?;
        for old in there.iter().filter(|old| doomed(old)) {
            if !records.iter().any(|new| new.place() == old.place()) {
                continue;
            }
            let delete = Self::deletion(&old.record.key)?;
            let outcome = self.inner.commit(old.tenant, &delete).await;
            outcome.map_err(|error| StoreError::Unavailable(error.into()))?;
        }
        Ok(())
    }

    /// A batch that deletes a record and leaves nothing else behind.
    fn deletion(key: &Key) -> Result<Batch, StoreError> {
        // No batch deletes and writes nothing, unless it was another one before.
        let put = record(key).put(When::Any);
        let batch = new_batch(new_id(), Timestamp::EPOCH, [put])
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        Ok(batch.map_writes(|write| {
            let key = write.key().clone();
            Some(Write::Delete { key, when: When::Any, old_index: Vec::new() })
        }))
    }
}
