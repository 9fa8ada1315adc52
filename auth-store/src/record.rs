//! [`Record`]: what a store keeps under a key.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::key::Key;
use crate::timestamp::Timestamp;

/// One record.
///
/// A store keeps all members as they are and looks into none but the key, the version, `keep_until`
/// and `due`. The value is JSON text with a `schema` number that the caller reads and writes.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend must handle every member")]
pub struct Record {
    /// The name of the record.
    pub key: Key,
    /// The commit that wrote this state of it.
    pub version: Version,
    /// JSON text. A counter's value is its number.
    pub value: Arc<str>,
    /// Until when the record is retained: the end of its life plus what late answers need (such as
    /// 410 or the detection of reuse). `None` is for ever. Retention only: whether a thing is
    /// expired is decided by the caller from the value.
    pub keep_until: Option<Timestamp>,
    /// When a worker is to look at the record: see [`Store::due`](crate::Store::due).
    pub due: Option<Due>,
}

impl fmt::Debug for Record {
    /// Without the value, which may hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("version", &self.version)
            .field("value", &format_args!("{}B", self.value.len()))
            .field("keep_until", &self.keep_until)
            .field("due", &self.due)
            .finish()
    }
}

/// The identity of one commit: 128 bits, chosen anew by the caller for each attempt.
///
/// It is the version of every record that the commit writes, which lets the caller find out after
/// [`CommitError::Unknown`](crate::CommitError::Unknown) whether the commit was applied, and makes a
/// replay of the same commit harmless.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId([u8; 16]);

/// The state of a record: the [`CommitId`] that wrote it.
pub type Version = CommitId;

impl CommitId {
    /// An identity from 16 random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitId({self})")
    }
}

/// A named entry that leads to a record: `(name, bytes, key)`, not unique.
///
/// Entries are written in the same commit as their record. A [`Put`](crate::Write::Put) names the new
/// ones and the ones of the state it replaces, which the caller derives from the old value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexEntry {
    /// Which index, such as `session_by_subject`: borrowed in an engine, owned when read from an archive.
    pub name: Cow<'static, str>,
    /// The indexed value, encoded like a key so that its order is kept.
    pub bytes: Box<[u8]>,
}

impl IndexEntry {
    /// An entry of the index `name` for a value of bytes that sort as the value does.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, bytes: impl Into<Box<[u8]>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

impl fmt::Debug for IndexEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndexEntry({} {}B)", self.name, self.bytes.len())
    }
}

/// When a worker is to look at a record, and in which of the [`DUE_SHARDS`](crate::limits::DUE_SHARDS)
/// shards it stands, so that workers can share a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend must handle every member")]
pub struct Due {
    /// The queue.
    pub queue: Queue,
    /// From when on the record is due.
    pub at: Timestamp,
    /// The shard, below [`DUE_SHARDS`](crate::limits::DUE_SHARDS).
    pub shard: u16,
}

/// A queue of due records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Queue {
    /// Effects that leave the system: logout tokens, mails, webhooks, audit.
    Outbox,
    /// Work on our own records: deletion of children, expiry at a time.
    Jobs,
}

impl Queue {
    /// The name that a backend stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbox => "outbox",
            Self::Jobs => "jobs",
        }
    }
}

impl FromStr for Queue {
    type Err = UnknownQueue;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "outbox" => Ok(Self::Outbox),
            "jobs" => Ok(Self::Jobs),
            _ => Err(UnknownQueue),
        }
    }
}

/// A stored queue name is not one of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a due record stands in a queue that this version does not know")]
#[non_exhaustive]
pub struct UnknownQueue;
