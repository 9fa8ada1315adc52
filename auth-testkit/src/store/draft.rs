//! Keys, records and writes in few words.

use auth_store::{
    Class, Due, IndexEntry, Key, KeyRange, NewRecord, Queue, ScanRange, Timestamp, When, Write,
};

use super::violation::Finding;

/// The kind of the kit's records.
const KIND: &str = "kit";

/// A key of class `Main`.
#[track_caller]
pub(crate) fn key(name: &str) -> Result<Key, Finding> {
    Ok(Key::builder(Class::Main, KIND).text(name).build()?)
}

/// Keys of class `Main`.
#[track_caller]
pub(crate) fn keys<const N: usize>(names: [&str; N]) -> Result<[Key; N], Finding> {
    let keys: Result<Vec<Key>, Finding> = names.iter().map(|name| key(name)).collect();
    keys?.try_into().map_err(|_| Finding::new("the kit lost a key"))
}

/// `count` keys of class `Main` under a name, in their order.
#[track_caller]
pub(crate) fn numbered(name: &str, count: u64) -> Result<Vec<Key>, Finding> {
    (0..count).map(|n| Ok(Key::builder(Class::Main, KIND).text(name).number(n).build()?)).collect()
}

/// The range of the [`numbered`] keys.
pub(crate) fn all_numbered(name: &str) -> KeyRange {
    Key::builder(Class::Main, KIND).text(name).range()
}

/// All entries of an index.
pub(crate) fn whole_index(name: &'static str) -> ScanRange {
    ScanRange::Index { name, start: Box::default(), end: Box::from([0xFF; 600]) }
}

/// A record to be written.
#[derive(Debug, Clone)]
pub(crate) struct Draft(NewRecord);

/// A record that is kept for ever and stands in no index and no queue.
pub(crate) fn record(key: &Key) -> Draft {
    Draft(NewRecord {
        key: key.clone(),
        value: "{}".into(),
        index: Vec::new(),
        keep_until: None,
        due: None,
    })
}

impl Draft {
    pub(crate) fn value(mut self, value: &str) -> Self {
        self.0.value = value.into();
        self
    }

    pub(crate) fn until(mut self, at: Timestamp) -> Self {
        self.0.keep_until = Some(at);
        self
    }

    pub(crate) fn entry(mut self, name: &'static str, bytes: &[u8]) -> Self {
        self.0.index.push(IndexEntry::new(name, bytes));
        self
    }

    pub(crate) fn due(mut self, queue: Queue, at: Timestamp, shard: u16) -> Self {
        self.0.due = Some(Due { queue, at, shard });
        self
    }

    /// Writes the record where nothing that is indexed stood.
    pub(crate) fn put(&self, when: When) -> Write {
        Write::Put { record: self.0.clone(), when, old_index: Vec::new() }
    }

    /// Writes the record over another one.
    pub(crate) fn over(&self, old: &Self, when: When) -> Write {
        Write::Put { record: self.0.clone(), when, old_index: old.0.index.clone() }
    }

    /// Removes the record.
    pub(crate) fn delete(&self, when: When) -> Write {
        Write::Delete { key: self.0.key.clone(), when, old_index: self.0.index.clone() }
    }
}

/// Checks a key.
pub(crate) fn check(key: &Key, when: When) -> Write {
    Write::Check { key: key.clone(), when }
}

/// Adds to a counter.
pub(crate) fn add(key: &Key, n: u64, below: Option<u64>, keep_until: Timestamp) -> Write {
    Write::Add { key: key.clone(), n, below, keep_until }
}
