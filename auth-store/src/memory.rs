//! [`MemoryStore`]: the contract in its shortest form.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, hash_map::Entry};
use std::fmt;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use foldhash::HashMap;

use crate::archive::{Archive, Archived, Place, Restored, is_permitted};
use crate::batch::{Batch, NewRecord, When, Write};
use crate::error::{CommitError, StoreError};
use crate::key::Key;
use crate::limits::{MAX_GET_KEYS, MAX_SCANS};
use crate::record::{CommitId, IndexEntry, Queue, Record};
use crate::scan::{Cursor, Direction, Page, Scan, ScanRange, Want};
use crate::store::{Committed, Store, Sweep, Swept};
use crate::tenant::TenantId;
use crate::timestamp::Timestamp;

/// A store in memory, for tests and for trying things out: nothing survives the process.
#[derive(Default)]
pub struct MemoryStore {
    tenants: Mutex<BTreeMap<TenantId, Shelf>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantId, Shelf>> {
        // A batch is checked before anything is written, so a panic leaves no half-written one.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records: usize = self.lock().values().map(|shelf| shelf.records.len()).sum();
        write!(f, "MemoryStore({records} records)")
    }
}

/// One tenant's records.
#[derive(Default)]
struct Shelf {
    records: HashMap<Key, Box<Held>>,
    /// The keys of them and their index entries, for scans: requests mostly name what they want.
    order: BTreeSet<Key>,
    index: BTreeSet<(Cow<'static, str>, Box<[u8]>, Key)>,
    /// The keys of records that came, or came under other entries, and stand in neither yet.
    unsorted: Vec<Key>,
}

/// A record with its index entries.
struct Held {
    record: Record,
    index: Vec<IndexEntry>,
}

impl Shelf {
    fn record(&self, key: &Key) -> Option<&Record> {
        self.records.get(key).map(|held| &held.record)
    }

    fn remove(&mut self, key: &Key) {
        if let Some(held) = self.records.remove(key) {
            self.order.remove(key);
            for entry in held.index {
                self.index.remove(&(entry.name, entry.bytes, key.clone()));
            }
        }
    }

    fn put(&mut self, new: &NewRecord, version: CommitId) {
        let record = Record {
            key: new.key.clone(),
            version,
            value: new.value.clone(),
            keep_until: new.keep_until,
            due: new.due,
        };
        let held = Held { record, index: new.index.clone() };
        let as_before = match self.records.entry(new.key.clone()) {
            Entry::Vacant(place) => {
                place.insert(Box::new(held));
                false
            }
            Entry::Occupied(mut place) => {
                let old = std::mem::replace(&mut **place.get_mut(), held);
                let as_before = old.index == new.index;
                for entry in old.index.into_iter().filter(|entry| !new.index.contains(entry)) {
                    self.index.remove(&(entry.name, entry.bytes, new.key.clone()));
                }
                as_before
            }
        };
        if !as_before {
            self.unsorted.push(new.key.clone());
        }
        // What comes and goes without a scan is not to pile up.
        if self.unsorted.len() > self.records.len() + 1024 {
            self.sort();
        }
    }

    /// Puts what came since the last time in its place.
    fn sort(&mut self) {
        for key in std::mem::take(&mut self.unsorted) {
            let Some(held) = self.records.get(&key) else { continue };
            for entry in &held.index {
                self.index.insert((entry.name.clone(), entry.bytes.clone(), key.clone()));
            }
            self.order.insert(key);
        }
    }

    /// The counter and the time it is kept until, if it is running.
    fn counter(&self, key: &Key, now: Timestamp) -> Result<(u64, Option<Timestamp>), CommitError> {
        let live = self.record(key).filter(|record| is_live(record, now));
        let Some(record) = live else { return Ok((0, None)) };
        let count = record.value.parse();
        let count = count.map_err(|_| CommitError::Unavailable("not a counter".into()))?;
        Ok((count, record.keep_until))
    }

    fn commit(&mut self, batch: &Batch) -> Result<Committed, CommitError> {
        let now = batch.now();
        let mut failed = Vec::new();
        for write in batch.writes() {
            let record = self.record(write.key());
            if record.is_some_and(|record| record.version == batch.id()) {
                // It was applied before.
                return Ok(Committed::default());
            }
            let when = match write {
                Write::Put { when, .. }
                | Write::Delete { when, .. }
                | Write::Check { when, .. } => *when,
                Write::Add { .. } => When::Any,
            };
            if !holds(record.filter(|record| is_live(record, now)), when) {
                failed.push(write.key().clone());
            }
        }
        if !failed.is_empty() {
            return Err(CommitError::Conflict(failed));
        }
        for write in batch.writes() {
            if let Write::Add { key, n, below, .. } = write {
                let (count, _) = self.counter(key, now)?;
                if below.is_some_and(|below| count.saturating_add(*n) > below) {
                    return Err(CommitError::Full(key.clone()));
                }
            }
        }
        let mut committed = Committed::default();
        for write in batch.writes() {
            match write {
                Write::Put { record, .. } => self.put(record, batch.id()),
                Write::Delete { key, .. } => self.remove(key),
                Write::Check { .. } => {}
                Write::Add { key, n, keep_until, .. } => {
                    let (count, until) = self.counter(key, now)?;
                    let sum = count.saturating_add(*n);
                    committed.counters.push(sum);
                    let counter = NewRecord {
                        key: key.clone(),
                        value: sum.to_string().into(),
                        index: Vec::new(),
                        keep_until: until.or(Some(*keep_until)),
                        due: None,
                    };
                    self.put(&counter, batch.id());
                }
            }
        }
        Ok(committed)
    }

    fn scan(&mut self, scan: &Scan) -> Page {
        self.sort();
        let entries: Vec<Cursor> = match &scan.range {
            ScanRange::Keys(range) => self
                .order
                .range::<[u8], _>((Bound::Included(range.start()), Bound::Excluded(range.end())))
                .map(|key| Cursor { bytes: Box::default(), key: key.clone() })
                .collect(),
            ScanRange::Index { name, start, end } => self
                .index
                .range((
                    Bound::Included((Cow::Borrowed(*name), start.clone(), Key::smallest())),
                    Bound::Unbounded,
                ))
                .take_while(|(n, bytes, _)| n == name && bytes < end)
                .map(|(_, bytes, key)| Cursor { bytes: bytes.clone(), key: key.clone() })
                .collect(),
        };
        let ascending = scan.direction == Direction::Ascending;
        let beyond = |entry: &Cursor| {
            scan.after.as_ref().is_none_or(|after| {
                let order = (&entry.bytes, &entry.key).cmp(&(&after.bytes, &after.key));
                if ascending { order.is_gt() } else { order.is_lt() }
            })
        };
        let mut rest: Vec<Cursor> = entries.into_iter().filter(beyond).collect();
        if !ascending {
            rest.reverse();
        }
        let mut rest = rest.into_iter().skip(scan.skip as usize);
        if let Want::Count { cap } = scan.want {
            let count = rest.take(cap as usize).count();
            return Page { count: u32::try_from(count).unwrap_or(cap), ..Page::default() };
        }
        let page: Vec<Cursor> = rest.by_ref().take(usize::from(scan.limit)).collect();
        let next = rest.next().and_then(|_| page.last().cloned());
        let keys = page.into_iter().map(|entry| entry.key);
        if scan.want == Want::Keys {
            return Page { keys: keys.collect(), next, ..Page::default() };
        }
        let records = keys.filter_map(|key| self.record(&key).cloned());
        Page { records: records.collect(), next, ..Page::default() }
    }
}

fn is_live(record: &Record, now: Timestamp) -> bool {
    record.keep_until.is_none_or(|until| until > now)
}

/// Whether that holds of a key where this stands.
fn holds(live: Option<&Record>, when: When) -> bool {
    match (when, live) {
        (When::Any, _) | (When::Absent, None) | (When::Present, Some(_)) => true,
        (When::At(version), Some(record)) => record.version == version,
        _ => false,
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        if keys.len() > MAX_GET_KEYS {
            return Err(StoreError::TooLarge);
        }
        let tenants = self.lock();
        let shelf = tenants.get(&tenant);
        let record = |key| shelf.and_then(|shelf| shelf.record(key)).cloned();
        Ok(keys.iter().map(record).collect())
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        if scans.len() > MAX_SCANS || !scans.iter().all(Scan::is_permitted) {
            return Err(StoreError::TooLarge);
        }
        let mut tenants = self.lock();
        let mut empty = Shelf::default();
        let shelf = tenants.get_mut(&tenant).unwrap_or(&mut empty);
        Ok(scans.iter().map(|scan| shelf.scan(scan)).collect())
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        if batch.is_empty() {
            return Ok(Committed::default());
        }
        self.lock().entry(tenant).or_default().commit(batch)
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        let limit = limit as usize;
        let mut removed = 0;
        let mut more = false;
        for (tenant, shelf) in self.lock().iter_mut() {
            let doomed = |held: &Held| {
                let Record { key, .. } = &held.record;
                match &what {
                    Sweep::Expired { now } => !is_live(&held.record, *now),
                    Sweep::Range { tenant: of, range } => of == tenant && range.contains(key),
                }
            };
            let keys: Vec<Key> = shelf
                .records
                .values()
                .filter(|held| doomed(held))
                .map(|held| held.record.key.clone())
                .collect();
            more |= keys.len() > limit - removed;
            for key in keys.iter().take(limit - removed) {
                shelf.remove(key);
                removed += 1;
            }
        }
        Ok(Swept { removed: u32::try_from(removed).unwrap_or(u32::MAX), more })
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        let tenants = self.lock();
        let mut due: Vec<(Timestamp, TenantId, Record)> = tenants
            .iter()
            .flat_map(|(tenant, shelf)| shelf.records.values().map(move |held| (*tenant, held)))
            .filter_map(|(tenant, held)| {
                let record = &held.record;
                let due = record.due?;
                let wanted = due.queue == queue && due.at <= now && shards.contains(&due.shard);
                wanted.then(|| (due.at, tenant, record.clone()))
            })
            .collect();
        due.sort_by_key(|(at, ..)| *at);
        due.truncate(limit as usize);
        Ok(due.into_iter().map(|(_, tenant, record)| (tenant, record)).collect())
    }
}

#[async_trait]
impl Archive for MemoryStore {
    async fn archived(
        &self,
        after: Option<&Place>,
        limit: u16,
    ) -> Result<Vec<Archived>, StoreError> {
        if !is_permitted(limit.into()) {
            return Err(StoreError::TooLarge);
        }
        let beyond = |tenant: TenantId, key: &Key| {
            after.is_none_or(|after| (tenant, key) > (after.tenant, &after.key))
        };
        let mut tenants = self.lock();
        tenants.values_mut().for_each(Shelf::sort);
        let all = tenants
            .iter()
            .flat_map(|(tenant, shelf)| shelf.order.iter().map(move |key| (*tenant, shelf, key)));
        let page = all.filter(|(tenant, _, key)| beyond(*tenant, key)).take(limit.into());
        let archived = page.filter_map(|(tenant, shelf, key)| {
            let Held { record, index } = &**shelf.records.get(key)?;
            Some(Archived { tenant, record: record.clone(), index: index.clone() })
        });
        Ok(archived.collect())
    }

    async fn restore(&self, records: &[Archived]) -> Result<Restored, StoreError> {
        if !is_permitted(records.len()) {
            return Err(StoreError::TooLarge);
        }
        let mut restored = Restored::default();
        let mut tenants = self.lock();
        for Archived { tenant, record, index } in records {
            let shelf = tenants.entry(*tenant).or_default();
            if shelf.records.contains_key(&record.key) {
                restored.kept += 1;
                continue;
            }
            let new = NewRecord {
                key: record.key.clone(),
                value: record.value.clone(),
                index: index.clone(),
                keep_until: record.keep_until,
                due: record.due,
            };
            shelf.put(&new, record.version);
            restored.written += 1;
        }
        Ok(restored)
    }
}
