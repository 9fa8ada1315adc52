//! How a record lies in Redis: one string, described in `script/record.lua`.

use std::borrow::Cow;
use std::sync::Arc;

use auth_store::{
    CommitId, Due, IndexEntry, InvalidKey, Key, NewRecord, Queue, Record, StoreError, Timestamp,
};

use crate::escape;

const FORMAT: u8 = b'1';
const FOR_EVER: [u8; 8] = [0xFF; 8];
const NO_QUEUE: u8 = b'-';
/// Format, version, keep_until, queue, due time, shard, number of index entries.
const HEAD: usize = 1 + 16 + 8 + 1 + 8 + 2 + 4;

/// What was read is no record of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Damage {
    #[error("a stored record ends early")]
    Short,
    #[error("a stored record is of a format that this version does not know")]
    Format,
    #[error("a stored record has a time, a queue or an index entry that cannot be read")]
    Member,
    #[error("a stored record is not text")]
    Text,
    #[error("Redis answered in a shape that this version does not know")]
    Shape,
    #[error("a key stands in the order of keys and has no record: the data were changed by hand")]
    Missing,
}

impl From<Damage> for StoreError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage.into())
    }
}

impl From<InvalidKey> for Damage {
    fn from(_: InvalidKey) -> Self {
        Self::Member
    }
}

/// A moment, or for ever.
pub(crate) fn keep_until(at: Option<Timestamp>) -> [u8; 8] {
    at.map_or(FOR_EVER, |at| at.as_millis().to_be_bytes())
}

fn queue_tag(queue: Queue) -> Option<u8> {
    match queue {
        Queue::Outbox => Some(b'o'),
        Queue::Jobs => Some(b'j'),
        // A queue of a later contract: this layout has no place for it.
        _ => None,
    }
}

/// A record with its index entries as Redis keeps it; `None` for a queue that this layout does not have.
pub(crate) fn pack(
    version: CommitId,
    value: &str,
    index: &[IndexEntry],
    keep: Option<Timestamp>,
    due: Option<Due>,
) -> Option<Vec<u8>> {
    let mut packed = Vec::with_capacity(HEAD + value.len() + 64 * index.len());
    packed.push(FORMAT);
    packed.extend(version.as_bytes());
    packed.extend(keep_until(keep));
    match due {
        None => {
            packed.push(NO_QUEUE);
            packed.extend([0; 10]);
        }
        Some(due) => {
            packed.push(queue_tag(due.queue)?);
            packed.extend(due.at.as_millis().to_be_bytes());
            packed.extend(due.shard.to_be_bytes());
        }
    }
    packed.extend(u32::try_from(index.len()).ok()?.to_be_bytes());
    for entry in index {
        let stem = stem(entry);
        packed.extend(u32::try_from(stem.len()).ok()?.to_be_bytes());
        packed.extend(stem);
    }
    packed.extend(value.as_bytes());
    Some(packed)
}

/// The record that a put writes.
pub(crate) fn pack_new(version: CommitId, record: &NewRecord) -> Option<Vec<u8>> {
    pack(version, &record.value, &record.index, record.keep_until, record.due)
}

/// An index entry as it stands in the index, without the key that follows.
fn stem(entry: &IndexEntry) -> Vec<u8> {
    let mut stem = escape::ended(entry.name.as_bytes());
    stem.extend(escape::ended(&entry.bytes));
    stem
}

/// Reads from the front of a packed record.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Damage::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        self.take(N)?.try_into().map_err(|_| Damage::Short)
    }

    fn timestamp(&mut self) -> Result<Timestamp, Damage> {
        let millis = u64::from_be_bytes(self.array()?);
        Timestamp::from_millis(millis).ok_or(Damage::Member)
    }

    fn length(&mut self) -> Result<usize, Damage> {
        usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| Damage::Member)
    }
}

/// A record, and the stems of its index entries.
fn unpack_stems(key: Key, packed: &[u8]) -> Result<(Record, Vec<&[u8]>), Damage> {
    let mut reader = Reader(packed);
    if reader.take(1)? != [FORMAT] {
        return Err(Damage::Format);
    }
    let version = CommitId::from_bytes(reader.array()?);
    let keep_until = if reader.0.starts_with(&FOR_EVER) {
        reader.take(FOR_EVER.len())?;
        None
    } else {
        Some(reader.timestamp()?)
    };
    let queue = match reader.take(1)? {
        b"-" => None,
        b"o" => Some(Queue::Outbox),
        b"j" => Some(Queue::Jobs),
        _ => return Err(Damage::Member),
    };
    let (at, shard) = (reader.timestamp()?, u16::from_be_bytes(reader.array()?));
    let due = queue.map(|queue| Due { queue, at, shard });
    let count = reader.length()?;
    let mut stems = Vec::new();
    for _ in 0..count {
        let length = reader.length()?;
        stems.push(reader.take(length)?);
    }
    let value = std::str::from_utf8(reader.0).map_err(|_| Damage::Text)?;
    Ok((Record { key, version, value: Arc::from(value), keep_until, due }, stems))
}

/// The record that lies under `key`.
pub(crate) fn unpack(key: Key, packed: &[u8]) -> Result<Record, Damage> {
    unpack_stems(key, packed).map(|(record, _)| record)
}

/// The record that lies under `key`, with its index entries.
pub(crate) fn unpack_whole(key: Key, packed: &[u8]) -> Result<(Record, Vec<IndexEntry>), Damage> {
    let (record, stems) = unpack_stems(key, packed)?;
    let entry = |stem: &[u8]| {
        let (name, rest) = escape::split(stem)?;
        let (bytes, rest) = escape::split(rest)?;
        let name = String::from_utf8(name).ok()?;
        rest.is_empty().then(|| IndexEntry::new(Cow::Owned(name), bytes))
    };
    let index = stems.into_iter().map(|stem| entry(stem).ok_or(Damage::Member));
    Ok((record, index.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use auth_store::Class;

    use super::*;

    fn whole() -> (Record, Vec<IndexEntry>) {
        let record = Record {
            key: Key::builder(Class::Main, "kind").text("a").build().unwrap(),
            version: CommitId::from_bytes([7; 16]),
            value: "{\"ä\":1}".into(),
            keep_until: Some(Timestamp::MAX),
            due: Some(Due { queue: Queue::Jobs, at: Timestamp::EPOCH, shard: 255 }),
        };
        let index = vec![
            IndexEntry::new("by_name", *b"\0\x01\xff\0"),
            IndexEntry::new("by_name", *b""),
            IndexEntry::new("", [0xFF; 512]),
        ];
        (record, index)
    }

    #[test]
    fn a_record_is_read_back_as_it_was_packed() {
        let (record, index) = whole();
        let bare = Record { keep_until: None, due: None, ..record.clone() };
        for (record, index) in [(record, index), (bare, Vec::new())] {
            let Record { key, version, value, keep_until, due } = record.clone();
            let packed = pack(version, &value, &index, keep_until, due).unwrap();
            assert_eq!(unpack(key.clone(), &packed), Ok(record.clone()));
            assert_eq!(unpack_whole(key, &packed), Ok((record, index)));
        }
    }

    #[test]
    fn what_is_no_record_is_told() {
        let (record, index) = whole();
        let packed =
            pack(record.version, &record.value, &index, record.keep_until, record.due).unwrap();
        let read = |bytes: &[u8]| unpack_whole(record.key.clone(), bytes).map(drop);
        assert_eq!(read(&packed), Ok(()));
        assert_eq!(read(&packed[..HEAD - 1]), Err(Damage::Short));
        assert_eq!(read(&packed[..HEAD + 9]), Err(Damage::Short));
        assert_eq!(read(&[b"2", &packed[1..]].concat()), Err(Damage::Format));
        let mut queue = packed.clone();
        queue[25] = b'x';
        assert_eq!(read(&queue), Err(Damage::Member));
        assert_eq!(read(&[&packed[..], &[0xFF]].concat()), Err(Damage::Text));
    }
}
