//! [`RecordCache`]: configuration that was read a moment ago, and what records say that were read before.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use auth_store::{Key, Record, TenantId, Timestamp, When, Write};
use foldhash::HashMap;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::decision::facts::Slot;
use crate::record::Kind;
use crate::tombstone::Tombstone;

/// Keeps records that may be a few seconds old.
///
/// A cached record may justify a yes for at most its time to live, and never a no: before a request is
/// refused the driver reads again. Absence is not cached.
///
/// It also keeps what the records that were read last say, whatever their kind, so that one is parsed once
/// and not by each request that reads it: a version names one state for ever, so this answers nothing that
/// the store was not asked. That takes up to some 15 MiB for each provider.
pub struct RecordCache {
    ttl: Duration,
    records: RwLock<HashMap<(TenantId, Key), Cached>>,
    parsed: Cache<(TenantId, Key), Arc<Slot>, ByLength>,
    /// When a tenant was last seen without a tombstone: a yes like any other.
    alive: RwLock<HashMap<TenantId, Timestamp>>,
}

/// Nobody can fill the memory by records that are long.
#[derive(Debug, Clone)]
struct ByLength;

impl Weighter<(TenantId, Key), Arc<Slot>> for ByLength {
    fn weight(&self, _: &(TenantId, Key), slot: &Arc<Slot>) -> u64 {
        let text = slot.record.as_ref().map_or(0, |record| record.value.len());
        u64::try_from(text).unwrap_or(u64::MAX).saturating_add(256)
    }
}

/// When a record was read, and the record.
type Cached = (Timestamp, Arc<Slot>);

impl RecordCache {
    /// How long a record is good for unless told otherwise: 5 seconds.
    pub const TTL: Duration = Duration::from_secs(5);
    /// How many records are kept; past that the cache starts anew.
    const CAPACITY: usize = 10_000;
    /// How many bytes of text are kept with what they say: some 8,000 records of a usual length. Parsed, a
    /// text takes about twice its length.
    const PARSED: u64 = 4 << 20;

    /// An empty cache. A `ttl` of zero answers nothing without asking the store.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        let parsed = Cache::with_weighter(1_024, Self::PARSED, ByLength);
        Self { ttl, records: RwLock::default(), parsed, alive: RwLock::default() }
    }

    pub(crate) fn get(&self, tenant: TenantId, key: &Key, now: Timestamp) -> Option<Arc<Slot>> {
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        let (read_at, slot) = records.get(&(tenant, key.clone()))?;
        self.is_fresh(*read_at, now).then(|| slot.clone())
    }

    fn is_fresh(&self, read_at: Timestamp, now: Timestamp) -> bool {
        read_at <= now && now.since(read_at) < self.ttl
    }

    /// Whether the tenant was there a moment ago.
    pub(crate) fn is_alive(&self, tenant: TenantId, now: Timestamp) -> bool {
        let alive = self.alive.read().unwrap_or_else(PoisonError::into_inner);
        alive.get(&tenant).is_some_and(|read_at| self.is_fresh(*read_at, now))
    }

    pub(crate) fn put_alive(&self, tenant: TenantId, now: Timestamp) {
        self.alive.write().unwrap_or_else(PoisonError::into_inner).insert(tenant, now);
    }

    pub(crate) fn put(&self, tenant: TenantId, key: &Key, now: Timestamp, slot: &Arc<Slot>) {
        if self.ttl.is_zero() || slot.record.is_none() {
            return;
        }
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= Self::CAPACITY {
            records.clear();
        }
        records.insert((tenant, key.clone()), (now, slot.clone()));
    }

    /// A record that the store was just read for, with what is known of this state already.
    pub(crate) fn known(&self, tenant: TenantId, key: &Key, record: Option<Record>) -> Arc<Slot> {
        let Some(record) = record else { return Slot::new(None) };
        let name = (tenant, key.clone());
        match self.parsed.get(&name) {
            Some(slot) if slot.is_of(&record) => slot,
            _ => {
                let slot = Slot::new(Some(record));
                self.parsed.insert(name, slot.clone());
                slot
            }
        }
    }

    /// Forgets the record that this process changed by a write.
    pub(crate) fn forget(&self, tenant: TenantId, write: &Write) {
        let key = write.key();
        if key.kind() == Tombstone::NAME {
            self.alive.write().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
        }
        let name = (tenant, key.clone());
        // A record was made where none stood: a state that is known is an older one, which its version tells.
        if !matches!(write, Write::Put { when: When::Absent, .. }) {
            self.parsed.remove(&name);
        }
        // Most records are never cached, and reading does not keep others from reading.
        if self.records.read().unwrap_or_else(PoisonError::into_inner).contains_key(&name) {
            self.records.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
        }
    }
}

impl Default for RecordCache {
    fn default() -> Self {
        Self::new(Self::TTL)
    }
}

impl fmt::Debug for RecordCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordCache({:?})", self.ttl)
    }
}

#[cfg(test)]
mod tests {
    use auth_store::{Class, CommitId};

    use super::*;

    fn record(version: u8, value: &str) -> Record {
        Record {
            key: Key::builder(Class::Main, "thing").build().unwrap(),
            version: CommitId::from_bytes([version; 16]),
            value: value.into(),
            keep_until: None,
            due: None,
        }
    }

    #[test]
    fn a_state_that_was_read_before_is_known_and_no_other_is() {
        let cache = RecordCache::default();
        let known = |tenant: &str, record: Record| {
            cache.known(TenantId::new(tenant).unwrap(), &record.key.clone(), Some(record))
        };
        let first = known("a", record(1, "{}"));
        assert!(Arc::ptr_eq(&first, &known("a", record(1, "{}"))));
        assert!(!Arc::ptr_eq(&first, &known("b", record(1, "{}"))), "of another tenant");
        for other in [record(2, "{}"), record(1, "[]")] {
            let slot = known("a", other.clone());
            assert_eq!(slot.record.as_ref(), Some(&other));
        }
        let late = Record { keep_until: Some(Timestamp::EPOCH), ..record(1, "[]") };
        assert_eq!(known("a", late.clone()).record, Some(late.clone()));

        let key = late.key;
        assert!(cache.known(TenantId::new("a").unwrap(), &key, None).record.is_none());
        let delete = Write::Delete { key: key.clone(), when: When::Any, old_index: Vec::new() };
        cache.forget(TenantId::new("a").unwrap(), &delete);
        assert!(cache.parsed.get(&(TenantId::new("a").unwrap(), key.clone())).is_none());
        assert!(cache.parsed.get(&(TenantId::new("b").unwrap(), key)).is_some());
    }
}
