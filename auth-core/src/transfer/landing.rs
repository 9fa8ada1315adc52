//! Where records arrive: restores them page by page, and finds out what stood there before.

use auth_store::limits::MAX_GET_KEYS;
use auth_store::{Archive, Archived, Key, Place};

use super::TransferError;
use super::progress::{Pace, Progress};

/// How many conflicts are told by place.
const TOLD: usize = 100;

/// What was imported or copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Records that were moved, or were there already.
    pub records: u64,
    /// Records that were written.
    pub written: u64,
    /// Records that were there already, conflicts included.
    pub kept: u64,
    /// How many keys were held by another record, which was left as it is.
    pub conflicting: u64,
    /// The first hundred of those.
    pub conflicts: Vec<Conflict>,
}

/// A key is held by another record than the one that was to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The line of the archive; in a copy, the number of the record.
    pub line: u64,
    /// Whose record, and which.
    pub place: Place,
}

pub(super) struct Landing<'a, P> {
    into: &'a dyn Archive,
    imported: Imported,
    bytes: u64,
    pace: Pace<P>,
}

impl<'a, P: Progress> Landing<'a, P> {
    pub(super) fn new(into: &'a dyn Archive, progress: P) -> Self {
        Self { into, imported: Imported::default(), bytes: 0, pace: Pace::new(progress, 0) }
    }

    /// Writes a page whose first record stands in `line`; `bytes` is its length.
    pub(super) async fn restore(
        &mut self,
        page: &[Archived],
        line: u64,
        bytes: u64,
    ) -> Result<(), TransferError> {
        let failed = |source| TransferError::Restore { line: line + page.len() as u64, source };
        let restored = self.into.restore(page).await.map_err(failed)?;
        if restored.kept > 0 {
            self.compare(page, line).await?;
        }
        self.imported.records += page.len() as u64;
        self.imported.written += u64::from(restored.written);
        self.imported.kept += u64::from(restored.kept);
        self.bytes += bytes;
        if let Some(last) = page.last() {
            self.pace.tell(self.imported.records, self.bytes, &last.place());
        }
        Ok(())
    }

    pub(super) fn done(self) -> Imported {
        self.imported
    }

    /// Reads what stands under the keys of the page. Equal versions are the same commit's work, so its
    /// index entries need not be looked at.
    async fn compare(&mut self, page: &[Archived], line: u64) -> Result<(), TransferError> {
        let failed = |source| TransferError::Restore { line: line + page.len() as u64, source };
        let mut number = line;
        for of_one_tenant in page.chunk_by(|a, b| a.tenant == b.tenant) {
            for some in of_one_tenant.chunks(MAX_GET_KEYS) {
                let keys: Vec<Key> = some.iter().map(|one| one.record.key.clone()).collect();
                let held = self.into.get(some[0].tenant, &keys).await.map_err(failed)?;
                for (wanted, held) in some.iter().zip(held) {
                    if held.is_some_and(|held| held != wanted.record) {
                        self.conflict(Conflict { line: number, place: wanted.place() });
                    }
                    number += 1;
                }
            }
        }
        Ok(())
    }

    fn conflict(&mut self, conflict: Conflict) {
        self.imported.conflicting += 1;
        if self.imported.conflicts.len() < TOLD {
            self.imported.conflicts.push(conflict);
        }
    }
}
