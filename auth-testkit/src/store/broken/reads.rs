//! Reads with a flaw.

use std::ops::Range;

use auth_store::limits::{DUE_SHARDS, MAX_GET_KEYS, MAX_SCANS};
use auth_store::{
    Cursor, Direction, Key, Page, Queue, Record, Scan, ScanRange, Store, StoreError, TenantId,
    Timestamp, Want,
};

use super::{BrokenStore, Flaw, dawdle};

/// Begins the bytes of a cursor that is an offset.
const OFFSET: &[u8] = b"offset ";

fn offset_of(cursor: &Cursor) -> Option<u32> {
    let number = cursor.bytes.strip_prefix(OFFSET)?;
    number.try_into().ok().map(u32::from_be_bytes)
}

impl BrokenStore {
    pub(super) async fn broken_get(
        &self,
        tenant: TenantId,
        keys: &[Key],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        match self.flaw {
            Some(Flaw::ReadsAreStale) => {
                let fresh = self.inner.get(tenant, keys).await?;
                let mut memory = self.memory();
                let answers = keys.iter().zip(fresh).map(|(key, fresh)| {
                    let before = memory.reads.insert((tenant, key.clone()), fresh.clone());
                    before.unwrap_or(fresh)
                });
                Ok(answers.collect())
            }
            Some(Flaw::GetsInTwoSnapshots) if keys.len() <= MAX_GET_KEYS => {
                let (first, second) = keys.split_at(keys.len() / 2);
                let mut found = self.inner.get(tenant, first).await?;
                if !first.is_empty() {
                    dawdle().await;
                }
                found.extend(self.inner.get(tenant, second).await?);
                Ok(found)
            }
            Some(Flaw::LeavesMissingKeysOut) => {
                let found = self.inner.get(tenant, keys).await?;
                Ok(found.into_iter().filter(Option::is_some).collect())
            }
            Some(Flaw::HidesTheExpired) => {
                let found = self.inner.get(tenant, keys).await?;
                let kept = |record: &Record| record.keep_until != Some(Timestamp::EPOCH);
                Ok(found.into_iter().map(|record| record.filter(kept)).collect())
            }
            Some(Flaw::ReadsWithoutLimits) => {
                let mut found = Vec::new();
                for some in keys.chunks(MAX_GET_KEYS) {
                    found.extend(self.inner.get(tenant, some).await?);
                }
                Ok(found)
            }
            Some(Flaw::ReadsALateReplica) => self.get_from_the_replica(tenant, keys).await,
            Some(Flaw::ReadsUncommitted) => self.get_the_uncommitted(tenant, keys).await,
            _ => self.inner.get(tenant, keys).await,
        }
    }

    pub(super) async fn broken_scan(
        &self,
        tenant: TenantId,
        scans: &[Scan],
    ) -> Result<Vec<Page>, StoreError> {
        if scans.len() > MAX_SCANS || !scans.iter().all(Scan::is_permitted) {
            return match self.flaw {
                Some(Flaw::ReadsWithoutLimits) => Ok(vec![Page::default(); scans.len()]),
                _ => Err(StoreError::TooLarge),
            };
        }
        let mut pages = Vec::with_capacity(scans.len());
        for scan in scans {
            pages.push(self.broken_page(tenant, scan).await?);
        }
        if self.is(Flaw::PagesInReverse) {
            pages.reverse();
        }
        Ok(pages)
    }

    async fn one(&self, tenant: TenantId, scan: &Scan) -> Result<Page, StoreError> {
        Ok(self.inner.scan(tenant, std::slice::from_ref(scan)).await?.pop().unwrap_or_default())
    }

    async fn broken_page(&self, tenant: TenantId, scan: &Scan) -> Result<Page, StoreError> {
        let mut asked = scan.clone();
        match (self.flaw, &scan.after, scan.want) {
            (Some(Flaw::IgnoresSkip), ..) => asked.skip = 0,
            (Some(Flaw::IgnoresDirection), ..) => asked.direction = Direction::Ascending,
            (Some(Flaw::IgnoresTheCap), _, Want::Count { .. }) => {
                asked.want = Want::Count { cap: u32::MAX };
            }
            (Some(Flaw::TurnsRangesRound), ..) => {
                if let ScanRange::Index { start, end, .. } = &mut asked.range
                    && start > end
                {
                    std::mem::swap(start, end);
                }
            }
            (Some(Flaw::LosesARecordBetweenPages), Some(_), _) => {
                asked.skip = asked.skip.saturating_add(1);
            }
            (Some(Flaw::PagesInTwoSnapshots), None, Want::Records)
                if matches!(scan.range, ScanRange::Keys(_)) =>
            {
                return self.page_in_two(tenant, scan).await;
            }
            (Some(Flaw::RepeatsTheCursor), Some(cursor), Want::Records) => {
                return self.page_with_cursor(tenant, scan, cursor).await;
            }
            (Some(Flaw::NeedsTheCursorsRecord), Some(cursor), _) => {
                let found = self.inner.get(tenant, std::slice::from_ref(&cursor.key)).await?;
                if found.iter().all(Option::is_none) {
                    return Ok(Page::default());
                }
            }
            (Some(Flaw::PagesByOffset), ..) => return self.page_by_offset(tenant, scan).await,
            _ => {}
        }
        let mut page = self.one(tenant, &asked).await?;
        match self.flaw {
            Some(Flaw::EndsAfterOnePage) => page.next = None,
            Some(Flaw::HidesTheExpired) => {
                page.records.retain(|record| record.keep_until != Some(Timestamp::EPOCH));
            }
            _ => {}
        }
        Ok(page)
    }

    /// Reads the first record, then what follows it.
    async fn page_in_two(&self, tenant: TenantId, scan: &Scan) -> Result<Page, StoreError> {
        let first = self.one(tenant, &Scan { limit: 1, ..scan.clone() }).await?;
        let Some(record) = first.records.first().filter(|_| scan.limit > 1) else {
            return self.one(tenant, scan).await;
        };
        dawdle().await;
        let place = Cursor { bytes: Box::default(), key: record.key.clone() };
        let rest = Scan { limit: scan.limit - 1, skip: 0, ..scan.clone() }.after(place);
        let rest = self.one(tenant, &rest).await?;
        let records = first.records.into_iter().chain(rest.records).collect();
        Ok(Page { records, ..rest })
    }

    async fn page_with_cursor(
        &self,
        tenant: TenantId,
        scan: &Scan,
        cursor: &Cursor,
    ) -> Result<Page, StoreError> {
        let mut page = self.one(tenant, scan).await?;
        let own = self.inner.get(tenant, std::slice::from_ref(&cursor.key)).await?;
        page.records.splice(0..0, own.into_iter().flatten());
        page.records.truncate(usize::from(scan.limit).max(1));
        Ok(page)
    }

    /// Makes cursors that hold the number of entries before them instead of the last one.
    async fn page_by_offset(&self, tenant: TenantId, scan: &Scan) -> Result<Page, StoreError> {
        let mut asked = scan.clone();
        if let Some(offset) = scan.after.as_ref().and_then(offset_of) {
            asked.skip = asked.skip.saturating_add(offset);
            asked.after = None;
        }
        let mut page = self.one(tenant, &asked).await?;
        let entries = u32::try_from(page.records.len() + page.keys.len()).unwrap_or(u32::MAX);
        if let Some(next) = &mut page.next {
            let offset = asked.skip.saturating_add(entries);
            next.bytes = [OFFSET, &offset.to_be_bytes()].concat().into();
        }
        Ok(page)
    }

    pub(super) async fn broken_due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        let inner = &self.inner;
        match self.flaw {
            Some(Flaw::IgnoresTheDueTime) => inner.due(queue, Timestamp::MAX, shards, limit).await,
            Some(Flaw::GivesTheNewestFirst) => {
                let mut all = inner.due(queue, now, shards, u32::MAX).await?;
                all.reverse();
                all.truncate(limit as usize);
                Ok(all)
            }
            Some(Flaw::IgnoresShards) => inner.due(queue, now, 0..DUE_SHARDS, limit).await,
            Some(Flaw::IgnoresQueues) => {
                let mut all = inner.due(Queue::Jobs, now, shards.clone(), limit).await?;
                all.extend(inner.due(Queue::Outbox, now, shards, limit).await?);
                all.truncate(limit as usize);
                Ok(all)
            }
            Some(Flaw::GivesOneTenantsWork) => {
                let all = inner.due(queue, now, shards, limit).await?;
                let first = all.first().map(|(tenant, _)| *tenant);
                Ok(all.into_iter().filter(|(tenant, _)| Some(*tenant) == first).collect())
            }
            Some(Flaw::ReadingClaims) => {
                let mut all = inner.due(queue, now, shards, limit).await?;
                let mut memory = self.memory();
                all.retain(|(tenant, record)| {
                    memory.given.insert((*tenant, record.key.clone(), record.version))
                });
                Ok(all)
            }
            _ => inner.due(queue, now, shards, limit).await,
        }
    }
}
