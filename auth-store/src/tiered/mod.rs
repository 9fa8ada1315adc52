//! [`Tiered`]: what must last in one store, what may be lost in another.

mod both;
mod parts;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use crate::archive::{Archive, Archived, Place, Restored, is_permitted};
use crate::batch::Batch;
use crate::class::Class;
use crate::error::{CommitError, StoreError};
use crate::key::Key;
use crate::limits::{MAX_GET_KEYS, MAX_SCANS};
use crate::record::{Queue, Record};
use crate::scan::{Page, Scan};
use crate::store::{ChangeStream, Committed, Store, Sweep, Swept};
use crate::tenant::TenantId;
use crate::timestamp::Timestamp;
use both::both;
use parts::{Part, Parts};

/// Two stores as one: records of class [`Main`](Class::Main) in the first, those of class
/// [`Side`](Class::Side) in the second.
///
/// ```text
///                      ┌─ Main ──▶ SQL     codes, grants, tokens, sessions, keys, the outbox
///   engine ──▶ Tiered ─┤
///                      └─ Side ──▶ Redis   rate counters, budgets
/// ```
///
/// A batch goes to one of them whole, because it is of one class by its type (that two classes in one
/// batch do not compile is shown at [`BatchBuilder`](crate::BatchBuilder)). Everything else goes to whom it
/// concerns, to both at the same time if it concerns both, and fails if one of them fails.
///
/// Each store keeps its own snapshot: the records of one [`get`](Store::get) come from one moment of each
/// store. A scan of both classes has the pages of one store before those of the other. By key that is the
/// order anyway; of an index with entries of both classes the order of bytes holds within each class.
///
/// ```
/// use auth_store::{MemoryStore, Tiered};
///
/// let store = Tiered::new(MemoryStore::new(), MemoryStore::new());
/// ```
#[derive(Debug)]
pub struct Tiered<M: ?Sized = dyn Store, S: ?Sized = dyn Store> {
    main: Arc<M>,
    side: Arc<S>,
}

impl<M: Store, S: Store> Tiered<M, S> {
    /// Records of class Main in `main`, those of class Side in `side`.
    #[must_use]
    pub fn new(main: M, side: S) -> Self {
        Self::shared(Arc::new(main), Arc::new(side))
    }
}

impl<M: Store + ?Sized, S: Store + ?Sized> Tiered<M, S> {
    /// The same with stores that others use too, or whose type is not known: `Arc<dyn Store>`.
    #[must_use]
    pub fn shared(main: Arc<M>, side: Arc<S>) -> Self {
        Self { main, side }
    }

    async fn scan_of(
        &self,
        class: Class,
        tenant: TenantId,
        scans: &[Scan],
    ) -> Result<Vec<Page>, StoreError> {
        match (scans, class) {
            ([], _) => Ok(Vec::new()),
            (_, Class::Main) => self.main.scan(tenant, scans).await,
            (_, Class::Side) => self.side.scan(tenant, scans).await,
        }
    }

    async fn page_of(
        &self,
        class: Class,
        tenant: TenantId,
        scan: Scan,
    ) -> Result<Page, StoreError> {
        let pages = self.scan_of(class, tenant, &[scan]).await?;
        pages.into_iter().next().ok_or_else(missing)
    }

    async fn sweep_of(&self, class: Class, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        match class {
            Class::Main => self.main.sweep(what, limit).await,
            Class::Side => self.side.sweep(what, limit).await,
        }
    }
}

/// A store answered less than it was asked.
fn missing() -> StoreError {
    StoreError::Damaged("a store answered fewer records or pages than it was asked for".into())
}

#[async_trait]
impl<M: Store + ?Sized, S: Store + ?Sized> Store for Tiered<M, S> {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        if keys.len() > MAX_GET_KEYS {
            return Err(StoreError::TooLarge);
        }
        if keys.iter().all(|key| key.class() == Class::Main) {
            return self.main.get(tenant, keys).await;
        }
        if keys.iter().all(|key| key.class() == Class::Side) {
            return self.side.get(tenant, keys).await;
        }
        let of = |class| move |key: &&Key| key.class() == class;
        let main: Vec<Key> = keys.iter().filter(of(Class::Main)).cloned().collect();
        let side: Vec<Key> = keys.iter().filter(of(Class::Side)).cloned().collect();
        let (main, side) = both(self.main.get(tenant, &main), self.side.get(tenant, &side)).await;
        let (mut main, mut side) = (main?.into_iter(), side?.into_iter());
        let found = keys.iter().map(|key| match key.class() {
            Class::Main => main.next().ok_or_else(missing),
            Class::Side => side.next().ok_or_else(missing),
        });
        found.collect()
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        if scans.len() > MAX_SCANS || !scans.iter().all(Scan::is_permitted) {
            return Err(StoreError::TooLarge);
        }
        let parts: Vec<Parts> = scans.iter().map(parts::of).collect();
        let of = |class| {
            parts.iter().filter_map(move |part| match part {
                Parts::One(one) if one.class == class => Some(one.scan.clone()),
                _ => None,
            })
        };
        let main: Vec<Scan> = of(Class::Main).collect();
        let side: Vec<Scan> = of(Class::Side).collect();
        let (main, side) = both(
            self.scan_of(Class::Main, tenant, &main),
            self.scan_of(Class::Side, tenant, &side),
        )
        .await;
        let (mut main, mut side) = (main?.into_iter(), side?.into_iter());
        let mut pages = Vec::with_capacity(scans.len());
        for part in parts {
            pages.push(match part {
                Parts::None => Page::default(),
                Parts::One(Part { class: Class::Main, .. }) => main.next().ok_or_else(missing)?,
                Parts::One(Part { class: Class::Side, .. }) => side.next().ok_or_else(missing)?,
                Parts::Two(first, second) => self.scan_two(tenant, first, second).await?,
            });
        }
        Ok(pages)
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        match batch.class() {
            Class::Main => self.main.commit(tenant, batch).await,
            Class::Side => self.side.commit(tenant, batch).await,
        }
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        let mut all = Swept { removed: 0, more: false };
        for class in [Class::Main, Class::Side] {
            let what = match &what {
                Sweep::Expired { now } => Sweep::Expired { now: *now },
                Sweep::Range { tenant, range } => match range.within(class) {
                    Some(range) => Sweep::Range { tenant: *tenant, range },
                    None => continue,
                },
            };
            let swept = self.sweep_of(class, what, limit - all.removed).await?;
            all.removed += swept.removed.min(limit - all.removed);
            all.more |= swept.more;
        }
        Ok(all)
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        let (main, side) = both(
            self.main.due(queue, now, shards.clone(), limit),
            self.side.due(queue, now, shards, limit),
        )
        .await;
        let mut due = main?;
        due.extend(side?);
        due.sort_by_key(|(_, record)| record.due.map(|due| due.at));
        due.truncate(limit as usize);
        Ok(due)
    }

    /// The changes of class Main: configuration is of that class.
    fn watch(&self) -> Option<ChangeStream> {
        self.main.watch()
    }
}

#[async_trait]
impl<M: Archive + ?Sized, S: Archive + ?Sized> Archive for Tiered<M, S> {
    async fn archived(
        &self,
        after: Option<&Place>,
        limit: u16,
    ) -> Result<Vec<Archived>, StoreError> {
        let (main, side) =
            both(self.main.archived(after, limit), self.side.archived(after, limit)).await;
        let stands = |class| {
            move |archived: Archived| {
                // A store that was used alone before may hold records of the other class, which nobody
                // reads any more: where both have one, the one that is read counts.
                let strays = archived.record.key.class() != class;
                (archived.place(), strays, archived)
            }
        };
        let mut all: Vec<_> = main?.into_iter().map(stands(Class::Main)).collect();
        all.extend(side?.into_iter().map(stands(Class::Side)));
        all.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        all.dedup_by(|later, earlier| later.0 == earlier.0);
        Ok(all.into_iter().take(limit.into()).map(|(.., archived)| archived).collect())
    }

    async fn restore(&self, records: &[Archived]) -> Result<Restored, StoreError> {
        if !is_permitted(records.len()) {
            return Err(StoreError::TooLarge);
        }
        let of = |class| {
            let of_class = move |archived: &&Archived| archived.record.key.class() == class;
            records.iter().filter(of_class).cloned().collect::<Vec<_>>()
        };
        let (main, side) = (of(Class::Main), of(Class::Side));
        let mut restored = Restored::default();
        if !main.is_empty() {
            restored = self.main.restore(&main).await?;
        }
        if !side.is_empty() {
            let other = self.side.restore(&side).await?;
            restored.written += other.written;
            restored.kept += other.kept;
        }
        Ok(restored)
    }
}
