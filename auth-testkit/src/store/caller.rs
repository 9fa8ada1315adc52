//! [`Caller`]: speaks to the store under test as an engine does, and reports what it did not expect.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_store::{
    Batch, BatchBuilder, Class, ClassMarker, CommitError, CommitId, Committed, Key, Main, Page,
    Record, Scan, Side, Store, TenantId, Timestamp, Write,
};

use super::violation::{Finding, ensure};

/// A tenant's caller, at a time of its own choice.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tenant: TenantId,
    pub(crate) now: Timestamp,
}

/// The kit's time `millis` after its beginning, which lies in 2023 and is no clock's time.
pub(crate) fn after(millis: u64) -> Timestamp {
    const BEGINNING: u64 = 1_700_000_000_000;
    Timestamp::from_millis(BEGINNING + millis).unwrap_or(Timestamp::MAX)
}

/// An identity that no other commit has, in this process or another.
pub(crate) fn new_id() -> CommitId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 16];
    // The standard library seeds its hash maps at random.
    bytes[..8].copy_from_slice(&RandomState::new().build_hasher().finish().to_be_bytes());
    bytes[8..].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    CommitId::from_bytes(bytes)
}

/// A batch of the class of its first key.
pub(crate) fn batch(
    id: CommitId,
    now: Timestamp,
    writes: impl IntoIterator<Item = Write>,
) -> Result<Batch, Finding> {
    fn of<C: ClassMarker>(id: CommitId, now: Timestamp, writes: Vec<Write>) -> BatchBuilder<C> {
        writes.into_iter().fold(Batch::builder(id, now), BatchBuilder::write)
    }
    let writes: Vec<Write> = writes.into_iter().collect();
    let class = writes.first().map_or(Class::Main, |write| write.key().class());
    Ok(match class {
        Class::Main => of::<Main>(id, now, writes).build()?,
        Class::Side => of::<Side>(id, now, writes).build()?,
    })
}

impl Caller {
    pub(crate) fn new(store: &Arc<dyn Store>) -> Self {
        Self { store: store.clone(), tenant: TenantId::DEFAULT, now: after(0) }
    }

    /// The same caller at another time.
    pub(crate) fn at(&self, now: Timestamp) -> Self {
        Self { now, ..self.clone() }
    }

    /// The caller of another tenant.
    #[track_caller]
    pub(crate) fn of(&self, tenant: &str) -> Result<Self, Finding> {
        let tenant = TenantId::new(tenant).map_err(|error| Finding::new(error.to_string()))?;
        Ok(Self { tenant, ..self.clone() })
    }

    /// Commits under an identity, whatever comes of it.
    pub(crate) async fn outcome(
        &self,
        id: CommitId,
        writes: impl IntoIterator<Item = Write>,
    ) -> Result<Result<Committed, CommitError>, Finding> {
        let batch = batch(id, self.now, writes)?;
        Ok(self.store.commit(self.tenant, &batch).await)
    }

    /// Commits what must succeed, and gives the identity of the commit.
    pub(crate) async fn apply(
        &self,
        writes: impl IntoIterator<Item = Write>,
    ) -> Result<CommitId, Finding> {
        let id = new_id();
        self.outcome(id, writes).await??;
        Ok(id)
    }

    /// Commits what must succeed, and gives the sums of its counters.
    pub(crate) async fn sums(
        &self,
        writes: impl IntoIterator<Item = Write>,
    ) -> Result<Vec<u64>, Finding> {
        Ok(self.outcome(new_id(), writes).await??.counters)
    }

    /// Commits what must conflict, at some of the keys `failing` and at no other.
    pub(crate) async fn conflicts(
        &self,
        writes: impl IntoIterator<Item = Write>,
        failing: &[&Key],
    ) -> Result<(), Finding> {
        let writes: Vec<Write> = writes.into_iter().collect();
        let told = format!("{writes:?}");
        match self.outcome(new_id(), writes).await? {
            Err(CommitError::Conflict(keys)) => {
                ensure!(!keys.is_empty(), "a conflict named no key");
                let other = keys.iter().find(|key| !failing.contains(key));
                ensure!(other.is_none(), "a conflict named {other:?}, whose precondition held");
                Ok(())
            }
            Err(error) => Err(error.into()),
            Ok(_) => Err(Finding::new(format!("a batch was applied against its will: {told}"))),
        }
    }

    /// Commits what must find the counter `full` full.
    pub(crate) async fn fills(
        &self,
        writes: impl IntoIterator<Item = Write>,
        full: &Key,
    ) -> Result<(), Finding> {
        match self.outcome(new_id(), writes).await? {
            Err(CommitError::Full(key)) => {
                ensure!(key == *full, "a full counter was named {key:?} instead of {full:?}");
                Ok(())
            }
            Err(error) => Err(error.into()),
            Ok(sums) => Err(Finding::new(format!("a full counter was passed: {sums:?}"))),
        }
    }

    /// The record of a key, if there is one.
    pub(crate) async fn find(&self, key: &Key) -> Result<Option<Record>, Finding> {
        let mut found = self.find_all(std::slice::from_ref(key)).await?;
        Ok(found.pop().flatten())
    }

    /// The records of the keys, one for each.
    pub(crate) async fn find_all(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, Finding> {
        let found = self.store.get(self.tenant, keys).await?;
        ensure!(found.len() == keys.len(), "{} answers for {} keys", found.len(), keys.len());
        let strange = keys
            .iter()
            .zip(&found)
            .find(|(key, record)| record.as_ref().is_some_and(|record| record.key != **key));
        ensure!(strange.is_none(), "a key was answered with another's record: {strange:?}");
        Ok(found)
    }

    /// The record that must stand under a key.
    pub(crate) async fn present(&self, key: &Key) -> Result<Record, Finding> {
        let found = self.find(key).await?;
        found.ok_or_else(|| Finding::new(format!("{key:?} is missing")))
    }

    /// Nothing may stand under a key.
    pub(crate) async fn missing(&self, key: &Key) -> Result<(), Finding> {
        let found = self.find(key).await?;
        ensure!(found.is_none(), "{found:?} is there");
        Ok(())
    }

    /// One page of one scan.
    pub(crate) async fn page(&self, scan: &Scan) -> Result<Page, Finding> {
        let mut pages = self.store.scan(self.tenant, std::slice::from_ref(scan)).await?;
        match (pages.pop(), pages.len()) {
            (Some(page), 0) => Ok(page),
            (_, others) => Err(Finding::new(format!("one scan had 1 + {others} pages"))),
        }
    }

    /// All pages of a scan.
    pub(crate) async fn pages(&self, mut scan: Scan) -> Result<Vec<Page>, Finding> {
        const MOST: usize = 5_000;
        let mut pages = Vec::new();
        loop {
            let page = self.page(&scan).await?;
            let entries = page.records.len() + page.keys.len();
            ensure!(entries <= usize::from(scan.limit), "{entries} entries of {}", scan.limit);
            let next = page.next.clone();
            pages.push(page);
            let Some(next) = next else { return Ok(pages) };
            ensure!(pages.len() < MOST, "a scan does not end");
            scan.skip = 0;
            scan.after = Some(next);
            // Between two pages others may write.
            tokio::task::yield_now().await;
        }
    }

    /// All records of a scan, page after page.
    pub(crate) async fn records(&self, scan: Scan) -> Result<Vec<Record>, Finding> {
        Ok(self.pages(scan).await?.into_iter().flat_map(|page| page.records).collect())
    }

    /// The keys of all records of a scan, page after page.
    pub(crate) async fn scanned(&self, scan: Scan) -> Result<Vec<Key>, Finding> {
        Ok(self.records(scan).await?.into_iter().map(|record| record.key).collect())
    }
}

/// How long a race may take before the kit gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
