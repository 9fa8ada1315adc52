//! [`RedisStore`]: the contract on Redis.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use auth_store::{
    Archive, Archived, Batch, Class, CommitError, Committed, Key, Page, Place, Queue, Record,
    Restored, Scan, ScanRange, Store, StoreError, Sweep, Swept, TenantId, Timestamp,
};

use crate::error::OpenError;
use crate::names::Names;
use crate::options::{Durability, RedisOptions};
use crate::server::Server;

/// A [`Store`] on a Redis server or cluster.
///
/// Cheap to use from many tasks at once: they share a connection, and the server groups what arrives
/// together into one write to its file.
pub struct RedisStore {
    pub(crate) server: Server,
    pub(crate) names: Names,
    durability: Durability,
}

/// A record of class Main came to a store that keeps only those of class Side.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error(
    "this store was opened with side_only() and keeps no records of class Main: put it on the side \
     of a Tiered store"
)]
struct SideOnly;

impl RedisStore {
    /// Opens the server at `url`; see [`RedisOptions::from_url`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        RedisOptions::from_url(url)?.connect().await
    }

    pub(crate) fn new(server: Server, names: Names, durability: Durability) -> Self {
        Self { server, names, durability }
    }

    fn refuses(&self, mut classes: impl Iterator<Item = Class>) -> Option<SideOnly> {
        let side_only = self.durability == Durability::SideOnly;
        (side_only && classes.any(|class| class == Class::Main)).then_some(SideOnly)
    }

    fn permit(&self, classes: impl Iterator<Item = Class>) -> Result<(), StoreError> {
        let refused = self.refuses(classes);
        refused.map_or(Ok(()), |error| Err(StoreError::Unavailable(error.into())))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("servers", &self.server.addresses())
            .field("namespace", &self.names.namespace())
            .field("durability", &self.durability)
            .finish()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.permit(keys.iter().map(Key::class))?;
        self.read_records(tenant, keys).await
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        self.permit(scans.iter().filter_map(|scan| match &scan.range {
            ScanRange::Keys(range) => Some(range.start_class()),
            ScanRange::Index { .. } => None,
        }))?;
        self.read_pages(tenant, scans).await
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        if batch.is_empty() {
            return Ok(Committed::default());
        }
        if let Some(error) = self.refuses(std::iter::once(batch.class())) {
            return Err(CommitError::Unavailable(error.into()));
        }
        self.apply(tenant, batch).await
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        self.remove(what, limit).await
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        self.read_due(queue, now, shards, limit).await
    }
}

#[async_trait]
impl Archive for RedisStore {
    async fn archived(
        &self,
        after: Option<&Place>,
        limit: u16,
    ) -> Result<Vec<Archived>, StoreError> {
        self.read_archived(after, limit).await
    }

    async fn restore(&self, records: &[Archived]) -> Result<Restored, StoreError> {
        self.permit(records.iter().map(|archived| archived.record.key.class()))?;
        self.write_archived(records).await
    }
}
