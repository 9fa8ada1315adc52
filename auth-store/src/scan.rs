//! [`Scan`]: a range of records or index entries, page by page.

use std::fmt;

use crate::key::{Key, KeyRange};
use crate::limits::MAX_PAGE;
use crate::record::Record;

/// Asks for a page of a range. Scans are for lists and jobs; no decision depends on one.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend must handle every member")]
pub struct Scan {
    /// Where to look.
    pub range: ScanRange,
    /// In which order.
    pub direction: Direction,
    /// How many entries the page may have: 1 to [`MAX_PAGE`](crate::limits::MAX_PAGE).
    pub limit: u16,
    /// Go on after this entry, which is not itself returned.
    pub after: Option<Cursor>,
    /// Leave out so many entries first.
    pub skip: u32,
    /// What to return.
    pub want: Want,
}

impl Scan {
    /// All records of `range` in ascending order, `limit` a page.
    #[must_use]
    pub fn records(range: impl Into<ScanRange>, limit: u16) -> Self {
        Self {
            range: range.into(),
            direction: Direction::Ascending,
            limit,
            after: None,
            skip: 0,
            want: Want::Records,
        }
    }

    /// Whether its limit is one that the contract permits.
    #[must_use]
    pub fn is_permitted(&self) -> bool {
        (1..=MAX_PAGE).contains(&self.limit)
    }

    /// The same scan, from where a page ended.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }
}

/// Where a [`Scan`] looks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the contract: a backend must handle every case")]
pub enum ScanRange {
    /// Records by key, in bytewise order.
    Keys(KeyRange),
    /// Records by an index, in bytewise order of the entry's bytes, then of the key.
    Index {
        /// The index.
        name: &'static str,
        /// First bytes, included.
        start: Box<[u8]>,
        /// Last bytes, excluded.
        end: Box<[u8]>,
    },
}

impl From<KeyRange> for ScanRange {
    fn from(range: KeyRange) -> Self {
        Self::Keys(range)
    }
}

/// The order of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two directions")]
pub enum Direction {
    /// From the smallest.
    Ascending,
    /// From the largest.
    Descending,
}

/// What a [`Scan`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the contract: a backend must handle every case")]
pub enum Want {
    /// Whole records.
    Records,
    /// Keys only.
    Keys,
    /// How many entries there are, counting no further than `cap`.
    Count {
        /// Where counting stops.
        cap: u32,
    },
}

/// The place of an entry: exclusive, so that the entry it names does not appear again.
///
/// A cursor is not a secret but may hold one; public page tokens are sealed by the caller.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend reads and writes it")]
pub struct Cursor {
    /// The bytes of the index entry; empty in a scan by key.
    pub bytes: Box<[u8]>,
    /// The key of the record.
    pub key: Key,
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({:?})", self.key)
    }
}

/// A page of a [`Scan`]; its entries come from one snapshot.
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend makes it")]
pub struct Page {
    /// The records, if they were asked for.
    pub records: Vec<Record>,
    /// The keys, if they were asked for.
    pub keys: Vec<Key>,
    /// The count, if it was asked for.
    pub count: u32,
    /// Where the next page begins. Only `None` ends a scan: a page may be short or empty before that.
    pub next: Option<Cursor>,
}
