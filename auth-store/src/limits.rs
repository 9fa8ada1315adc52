//! What a call may hold at most. A backend may rely on these bounds, a caller must keep them.

/// The longest [`Key`](crate::Key), in bytes.
pub const MAX_KEY_LEN: usize = 512;
/// The longest bytes of an [`IndexEntry`](crate::IndexEntry).
pub const MAX_INDEX_LEN: usize = 512;
/// The most keys of one [`Store::get`](crate::Store::get).
pub const MAX_GET_KEYS: usize = 256;
/// The most ranges of one [`Store::scan`](crate::Store::scan).
pub const MAX_SCANS: usize = 64;
/// The most records of one [`Page`](crate::Page).
pub const MAX_PAGE: u16 = 1000;
/// The most writes of one [`Batch`](crate::Batch).
pub const MAX_BATCH_WRITES: usize = 256;
/// The most bytes of one [`Batch`](crate::Batch): keys, values and index entries together.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// The number of shards that records with a due time are spread over.
pub const DUE_SHARDS: u16 = 256;
/// The most records of one [`Archive::archived`](crate::Archive::archived) or
/// [`Archive::restore`](crate::Archive::restore).
pub const MAX_ARCHIVED: u16 = 1000;
