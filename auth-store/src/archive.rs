//! [`Archive`]: a whole database, read and restored as it is.

use async_trait::async_trait;

use crate::error::StoreError;
use crate::key::Key;
use crate::limits::MAX_ARCHIVED;
use crate::record::{IndexEntry, Record};
use crate::store::Store;
use crate::tenant::TenantId;

/// A store that can be copied: into a file, or into another backend.
///
/// An archive is what stands in the database: records past their retention and index entries included,
/// versions as they are, so that what was issued before a move is good after it. It is not one moment:
/// whoever wants that stops the writers, or takes a backup by the database's own means.
#[async_trait]
pub trait Archive: Store {
    /// Up to `limit` records of all tenants that come after `after`, ordered by tenant, then by key.
    /// None at all are the end.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the backend cannot be reached, [`StoreError::TooLarge`] for a limit
    /// of 0 or over [`MAX_ARCHIVED`], [`StoreError::Damaged`] if a stored record cannot be read.
    async fn archived(
        &self,
        after: Option<&Place>,
        limit: u16,
    ) -> Result<Vec<Archived>, StoreError>;

    /// Writes 1 to [`MAX_ARCHIVED`] records, whole or not at all for each of them, and leaves alone
    /// whatever already stands under a key: to do it again is harmless.
    ///
    /// # Errors
    /// As [`archived`](Archive::archived). Some of the records may be written then.
    async fn restore(&self, records: &[Archived]) -> Result<Restored, StoreError>;
}

/// Whether so many records may stand in one call.
pub(crate) fn is_permitted(records: usize) -> bool {
    (1..=usize::from(MAX_ARCHIVED)).contains(&records)
}

/// The place of a record among those of all tenants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend reads it")]
pub struct Place {
    /// Whose record.
    pub tenant: TenantId,
    /// Which record.
    pub key: Key,
}

/// A record with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend must handle every member")]
pub struct Archived {
    /// Whose record.
    pub tenant: TenantId,
    /// The record.
    pub record: Record,
    /// Its index entries, in any order.
    pub index: Vec<IndexEntry>,
}

impl Archived {
    /// Where it stands, from which the next page goes on.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { tenant: self.tenant, key: self.record.key.clone() }
    }
}

/// What [`Archive::restore`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend makes it")]
pub struct Restored {
    /// Records that were written.
    pub written: u32,
    /// Records under whose key something stood already.
    pub kept: u32,
}
