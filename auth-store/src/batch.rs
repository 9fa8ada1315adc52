//! [`Batch`]: one atomic change with its preconditions.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::class::{Class, ClassMarker};
use crate::key::Key;
use crate::limits::{DUE_SHARDS, MAX_BATCH_BYTES, MAX_BATCH_WRITES, MAX_INDEX_LEN};
use crate::record::{CommitId, Due, IndexEntry, Version};
use crate::timestamp::Timestamp;

/// One atomic change: all of its writes are applied, or none.
///
/// Made by a [`BatchBuilder`], which keeps the rules that a backend may rely on: one class, each key
/// at most once, at most 256 writes and 1 MiB, and at least one [`Put`](Write::Put) or
/// [`Add`](Write::Add) if there is any write, so that an unknown outcome can be resolved by reading.
#[derive(Debug, Clone)]
pub struct Batch {
    id: CommitId,
    now: Timestamp,
    class: Class,
    writes: Vec<Write>,
}

impl Batch {
    /// Starts a batch of class `C` at the caller's time.
    pub fn builder<C: ClassMarker>(id: CommitId, now: Timestamp) -> BatchBuilder<C> {
        BatchBuilder { id, now, writes: Vec::new(), class: PhantomData }
    }

    /// The identity of the commit and the version of what it writes.
    #[must_use]
    pub fn id(&self) -> CommitId {
        self.id
    }

    /// The time of the commit; a record whose `keep_until` is at or before it counts as absent.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The class of every write.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// The writes, in the order in which they were added; each key stands in one of them.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The same batch as another attempt.
    #[must_use]
    pub fn with_id(mut self, id: CommitId) -> Self {
        self.id = id;
        self
    }

    /// The same batch with its writes changed or, by `None`, left out.
    ///
    /// For fault injection only: a batch without its preconditions is no longer the caller's decision.
    #[must_use]
    pub fn map_writes(mut self, change: impl FnMut(Write) -> Option<Write>) -> Self {
        self.writes = self.writes.into_iter().filter_map(change).collect();
        self
    }
}

/// One write of a [`Batch`].
#[derive(Clone)]
#[expect(clippy::exhaustive_enums, reason = "the contract: a backend must handle every write")]
pub enum Write {
    /// Writes a record with its index entries, replacing what stood there.
    Put {
        /// The record.
        record: NewRecord,
        /// What must hold of the key for the batch to be applied.
        when: When,
        /// The index entries of the state that is replaced: a hint that spares a backend looking for
        /// them. The record's old entries are gone afterwards whether or not they are named here.
        old_index: Vec<IndexEntry>,
    },
    /// Removes a record and its index entries.
    Delete {
        /// The record.
        key: Key,
        /// What must hold of the key for the batch to be applied.
        when: When,
        /// The index entries of the state that is removed.
        old_index: Vec<IndexEntry>,
    },
    /// Writes nothing, but the batch is applied only if `when` holds at the moment it is: the key is
    /// locked, not merely read.
    Check {
        /// The record.
        key: Key,
        /// What must hold of it.
        when: When,
    },
    /// Adds to a counter, which is 0 while it is absent; a sum past `u64::MAX` stays there. Adding to
    /// a record that is no counter refuses the batch with
    /// [`CommitError::Unavailable`](crate::CommitError::Unavailable).
    Add {
        /// The counter.
        key: Key,
        /// How much.
        n: u64,
        /// The highest sum that is permitted; a higher one refuses the whole batch with
        /// [`CommitError::Full`](crate::CommitError::Full).
        below: Option<u64>,
        /// Until when the counter is kept. Set when the counter begins, and not moved by later
        /// additions: a window of time ends when it ends. A record that was put to be kept for ever
        /// has no window yet, and gets this one.
        keep_until: Timestamp,
    },
}

impl Write {
    /// The key that is written or checked.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { record, .. } => &record.key,
            Self::Delete { key, .. } | Self::Check { key, .. } | Self::Add { key, .. } => key,
        }
    }

    fn len(&self) -> usize {
        let entries = |list: &[IndexEntry]| -> usize {
            list.iter().map(|e| e.name.len() + e.bytes.len()).sum()
        };
        self.key().as_bytes().len()
            + match self {
                Self::Put { record, old_index, .. } => {
                    record.value.len() + entries(&record.index) + entries(old_index)
                }
                Self::Delete { old_index, .. } => entries(old_index),
                Self::Check { .. } | Self::Add { .. } => 0,
            }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { record, when, .. } => write!(f, "Put({:?} when {when:?})", record.key),
            Self::Delete { key, when, .. } => write!(f, "Delete({key:?} when {when:?})"),
            Self::Check { key, when } => write!(f, "Check({key:?} {when:?})"),
            Self::Add { key, n, below, .. } => write!(f, "Add({key:?} {n} below {below:?})"),
        }
    }
}

/// A record to be written; its version becomes the batch's id.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "the contract: a backend must handle every member")]
pub struct NewRecord {
    /// The name of the record.
    pub key: Key,
    /// JSON text.
    pub value: Arc<str>,
    /// The index entries of the new state.
    pub index: Vec<IndexEntry>,
    /// See [`Record::keep_until`](crate::Record::keep_until).
    pub keep_until: Option<Timestamp>,
    /// See [`Record::due`](crate::Record::due).
    pub due: Option<Due>,
}

/// What must hold of a key.
///
/// *Absent* means that no record stands there, or one whose `keep_until` is at or before the batch's
/// `now`; *present* is the opposite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the contract: a backend must handle every case")]
pub enum When {
    /// Nothing.
    Any,
    /// The key is absent.
    Absent,
    /// The key is present.
    Present,
    /// The key is present in just this state.
    At(Version),
}

/// A [`Write`] to a record of the class `C`, which batches of the other class do not take.
///
/// ```
/// use auth_store::{BatchBuilder, Main, WriteTo};
/// fn add(batch: BatchBuilder<Main>, write: WriteTo<Main>) -> BatchBuilder<Main> {
///     batch.write(write)
/// }
/// ```
///
/// ```compile_fail,E0277
/// use auth_store::{BatchBuilder, Main, Side, WriteTo};
/// fn add(batch: BatchBuilder<Main>, write: WriteTo<Side>) -> BatchBuilder<Main> {
///     batch.write(write)
/// }
/// ```
pub struct WriteTo<C>(Write, PhantomData<C>);

/// A write to a record of class [`Main`](crate::Main).
pub type MainWrite = WriteTo<crate::Main>;

impl<C: ClassMarker> WriteTo<C> {
    /// A write whose key is of the class `C`, as whoever knows the kind of the record can tell;
    /// [`BatchBuilder::build`] looks, all the same.
    #[must_use]
    pub fn of(write: Write) -> Self {
        Self(write, PhantomData)
    }
}

impl<C> Clone for WriteTo<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<C> std::ops::Deref for WriteTo<C> {
    type Target = Write;

    fn deref(&self) -> &Write {
        &self.0
    }
}

impl<C> From<WriteTo<C>> for Write {
    fn from(write: WriteTo<C>) -> Self {
        write.0
    }
}

impl<C> fmt::Debug for WriteTo<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a [`BatchBuilder`] of the class `C` takes: a [`WriteTo`] that class, or a [`Write`] of which the type says
/// nothing, and whose class is looked at when the batch is built.
pub trait Writes<C>: Into<Write> + sealed::Sealed {}

impl<C> Writes<C> for WriteTo<C> {}
impl<C> Writes<C> for Write {}

mod sealed {
    pub trait Sealed {}
    impl<C> Sealed for super::WriteTo<C> {}
    impl Sealed for super::Write {}
}

/// Builds a [`Batch`] of the class `C`.
#[derive(Debug)]
pub struct BatchBuilder<C> {
    id: CommitId,
    now: Timestamp,
    writes: Vec<Write>,
    class: PhantomData<C>,
}

impl<C: ClassMarker> BatchBuilder<C> {
    /// Adds a write.
    #[must_use]
    pub fn write(mut self, write: impl Writes<C>) -> Self {
        self.writes.push(write.into());
        self
    }

    /// Adds a write in place.
    pub fn push(&mut self, write: impl Writes<C>) {
        self.writes.push(write.into());
    }

    /// The finished batch.
    ///
    /// # Errors
    /// [`InvalidBatch`] names the rule that is broken.
    pub fn build(self) -> Result<Batch, InvalidBatch> {
        if self.writes.len() > MAX_BATCH_WRITES {
            return Err(InvalidBatch::TooManyWrites(self.writes.len()));
        }
        let bytes: usize = self.writes.iter().map(Write::len).sum();
        if bytes > MAX_BATCH_BYTES {
            return Err(InvalidBatch::TooManyBytes(bytes));
        }
        let mut keys: Vec<&Key> = self.writes.iter().map(Write::key).collect();
        keys.sort_unstable();
        if let Some(twice) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(InvalidBatch::KeyTwice(twice[0].clone()));
        }
        if let Some(key) = keys.iter().find(|key| key.class() != C::CLASS) {
            return Err(InvalidBatch::OtherClass((*key).clone()));
        }
        let entries = self.writes.iter().flat_map(|write| match write {
            Write::Put { record, .. } => record.index.as_slice(),
            _ => &[],
        });
        if let Some(entry) = entries.into_iter().find(|entry| entry.bytes.len() > MAX_INDEX_LEN) {
            return Err(InvalidBatch::IndexTooLong(entry.name.clone()));
        }
        let due = self.writes.iter().filter_map(|write| match write {
            Write::Put { record, .. } => record.due,
            _ => None,
        });
        if let Some(due) = due.into_iter().find(|due| due.shard >= DUE_SHARDS) {
            return Err(InvalidBatch::Shard(due.shard));
        }
        let writes_a_version =
            self.writes.iter().any(|w| matches!(w, Write::Put { .. } | Write::Add { .. }));
        if !self.writes.is_empty() && !writes_a_version {
            return Err(InvalidBatch::WritesNothing);
        }
        Ok(Batch { id: self.id, now: self.now, class: C::CLASS, writes: self.writes })
    }
}

/// A batch breaks a rule of the contract: a mistake of the program, not of the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBatch {
    /// More than 256 writes.
    #[error("a batch has at most {MAX_BATCH_WRITES} writes, this one has {0}")]
    TooManyWrites(usize),
    /// More than 1 MiB.
    #[error("a batch has at most {MAX_BATCH_BYTES} bytes, this one has {0}")]
    TooManyBytes(usize),
    /// A key stands in two writes.
    #[error("{0:?} stands in two writes of one batch")]
    KeyTwice(Key),
    /// A key of the other class.
    #[error("{0:?} is of another class than its batch")]
    OtherClass(Key),
    /// A shard that does not exist.
    #[error("there are {DUE_SHARDS} shards, {0} is none of them")]
    Shard(u16),
    /// An index entry over 512 bytes.
    #[error(
        "an entry of the index `{0}` is longer than {MAX_INDEX_LEN} bytes: index a prefix or digest"
    )]
    IndexTooLong(Cow<'static, str>),
    /// Deletes and checks alone leave nothing by which an unknown outcome could be resolved.
    #[error(
        "a batch that writes no record cannot be resolved when its outcome is unknown: put one"
    )]
    WritesNothing,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, Main};

    fn put(class: Class, name: &str) -> Write {
        let key = Key::builder(class, "thing").text(name).build().unwrap();
        let record =
            NewRecord { key, value: "{}".into(), index: Vec::new(), keep_until: None, due: None };
        Write::Put { record, when: When::Any, old_index: Vec::new() }
    }

    fn built(writes: Vec<Write>) -> Result<Batch, InvalidBatch> {
        let batch = Batch::builder::<Main>(CommitId::from_bytes([1; 16]), Timestamp::EPOCH);
        writes.into_iter().fold(batch, BatchBuilder::write).build()
    }

    #[test]
    fn a_batch_is_of_one_class_even_where_the_type_does_not_say_it() {
        assert!(built(vec![put(Class::Main, "a"), put(Class::Main, "b")]).is_ok());
        let side = put(Class::Side, "b");
        let mixed = built(vec![put(Class::Main, "a"), side.clone()]);
        assert_eq!(mixed.unwrap_err(), InvalidBatch::OtherClass(side.key().clone()));
    }

    #[test]
    fn a_batch_names_each_key_once_and_writes_something() {
        let a = put(Class::Main, "a");
        let twice = built(vec![a.clone(), a.clone()]);
        assert_eq!(twice.unwrap_err(), InvalidBatch::KeyTwice(a.key().clone()));
        let check = Write::Check { key: a.key().clone(), when: When::Absent };
        assert_eq!(built(vec![check]).unwrap_err(), InvalidBatch::WritesNothing);
        let many = (0..=MAX_BATCH_WRITES).map(|n| put(Class::Main, &n.to_string())).collect();
        assert!(matches!(built(many), Err(InvalidBatch::TooManyWrites(_))));
    }
}
