//! [`Key`]: the bytes that name a record, in an order-preserving tuple encoding.

use std::fmt;

use smallvec::SmallVec;

use crate::class::Class;
use crate::limits::MAX_KEY_LEN;

/// The name of one record inside a tenant.
///
/// A key is a tuple: the [`Class`], the kind of the record, then parts. It is stored and compared as
/// bytes (BLOB, `bytea`), never as collated text, and the encoding keeps the order of the tuples: keys
/// sort by class, then kind, then part by part. It is at most 512 bytes long; whoever has a longer
/// part puts its digest in.
///
/// ```
/// use auth_store::{Class, Key};
///
/// let a = Key::builder(Class::Main, "consent").text("alice").text("app").build()?;
/// let b = Key::builder(Class::Main, "consent").text("alice2").text("app").build()?;
/// assert!(a < b, "a shorter part sorts before its own extension");
/// # Ok::<(), auth_store::KeyTooLong>(())
/// ```
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

/// On the stack for nearly all keys, of which a request makes dozens: a kind and two digests fit.
type Bytes = SmallVec<[u8; 88]>;

impl Key {
    /// Starts a key of `kind`, a short lower-case name such as `client`.
    pub fn builder(class: Class, kind: &str) -> KeyBuilder {
        let mut builder = KeyBuilder { bytes: Bytes::new() };
        builder.bytes.push(class.tag());
        builder.text(kind)
    }

    /// The key of `kind` whose only part is a digest, for tuples that would be too long. Cannot fail: a
    /// kind over 64 bytes is cut there.
    #[must_use]
    pub fn digest(class: Class, kind: &str, digest: &[u8; 32]) -> Self {
        let kind = kind.get(..64).unwrap_or(kind);
        Self(Self::builder(class, kind).bytes(digest).bytes)
    }

    /// The encoded bytes, as a backend stores them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key from the bytes that [`Key::as_bytes`] gave: for backends, when they read a row.
    ///
    /// # Errors
    /// [`InvalidKey`] if the bytes begin with no class or are over 512.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        match bytes.first() {
            Some(tag) if Class::from_tag(*tag).is_some() && bytes.len() <= MAX_KEY_LEN => {
                Ok(Self(Bytes::from_slice(bytes)))
            }
            _ => Err(InvalidKey),
        }
    }

    /// A key before every other.
    pub(crate) fn smallest() -> Self {
        Self(Bytes::new())
    }

    /// The class of the record, which is the first byte of its key.
    #[must_use]
    pub fn class(&self) -> Class {
        // Every constructor puts a class tag first.
        self.0.first().and_then(|tag| Class::from_tag(*tag)).unwrap_or(Class::Main)
    }

    /// The parts after the kind, as the builder was given them.
    ///
    /// ```
    /// use auth_store::{Class, Key};
    ///
    /// let key = Key::builder(Class::Main, "consent").text("alice").bytes(&[0, 255]).build()?;
    /// assert_eq!(key.parts(), [b"alice".to_vec(), vec![0, 255]]);
    /// # Ok::<(), auth_store::KeyTooLong>(())
    /// ```
    #[must_use]
    pub fn parts(&self) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        let mut part = Vec::new();
        let mut bytes = self.0.iter().copied().skip(1).peekable();
        let mut inside = false;
        while let Some(byte) = bytes.next() {
            match byte {
                PART if !inside => inside = true,
                END if bytes.next_if_eq(&ESCAPE).is_none() => {
                    parts.push(std::mem::take(&mut part));
                    inside = false;
                }
                byte => part.push(byte),
            }
        }
        // The first one is the kind.
        parts.drain(..1.min(parts.len()));
        parts
    }

    /// The kind of the record, such as `client`.
    #[must_use]
    pub fn kind(&self) -> &str {
        let rest = self.0.get(2..).unwrap_or_default();
        let end = rest.iter().position(|b| *b == END).unwrap_or(rest.len());
        std::str::from_utf8(&rest[..end]).unwrap_or_default()
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        // In one piece; what is derived copies byte by byte.
        Self(Bytes::from_slice(&self.0))
    }
}

impl std::borrow::Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    /// Shows class and kind, and the number of bytes: parts may be names of people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?} {} {}B)", self.class(), self.kind(), self.0.len())
    }
}

/// Begins each part, so that what follows an [`END`] is never an [`ESCAPE`].
const PART: u8 = 0x01;
/// Ends each part; a zero byte inside a part is written as two bytes, [`END`] [`ESCAPE`].
const END: u8 = 0x00;
const ESCAPE: u8 = 0xFF;

/// Builds a [`Key`] part by part.
#[derive(Debug, Clone)]
#[must_use]
pub struct KeyBuilder {
    bytes: Bytes,
}

impl KeyBuilder {
    /// Adds a text part.
    pub fn text(self, part: &str) -> Self {
        self.bytes(part.as_bytes())
    }

    /// Adds a part of bytes.
    pub fn bytes(mut self, part: &[u8]) -> Self {
        self.bytes.push(PART);
        if part.contains(&END) {
            for byte in part {
                self.bytes.push(*byte);
                if *byte == END {
                    self.bytes.push(ESCAPE);
                }
            }
        } else {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(END);
        self
    }

    /// Adds a number, in the order of numbers.
    pub fn number(self, part: u64) -> Self {
        self.bytes(&part.to_be_bytes())
    }

    /// The finished key.
    ///
    /// # Errors
    /// [`KeyTooLong`] over 512 bytes.
    pub fn build(self) -> Result<Key, KeyTooLong> {
        if self.bytes.len() > MAX_KEY_LEN {
            return Err(KeyTooLong { len: self.bytes.len() });
        }
        Ok(Key(self.bytes))
    }

    /// The range of all keys that begin with the parts so far.
    #[must_use]
    pub fn range(self) -> KeyRange {
        let start = self.bytes.into_vec();
        // What follows is a PART, so this bound lies past every continuation.
        let end = [&start[..], &[ESCAPE]].concat();
        KeyRange { start, end }
    }
}

/// A range of keys: from `start`, included, to `end`, excluded, in bytewise order.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRange {
    start: Vec<u8>,
    end: Vec<u8>,
}

impl KeyRange {
    /// The range from `start`, included, to `end`, excluded; empty if `end` is not after `start`.
    #[must_use]
    pub fn new(start: &Key, end: &Key) -> Self {
        Self { start: start.0.to_vec(), end: end.max(start).0.to_vec() }
    }

    /// Every key of one class.
    #[must_use]
    pub fn class(class: Class) -> Self {
        Self { start: vec![class.tag()], end: vec![class.tag() + 1] }
    }

    /// First key bytes of the range, included.
    #[must_use]
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// The bound after the last key, excluded.
    #[must_use]
    pub fn end(&self) -> &[u8] {
        &self.end
    }

    /// The class that the range lies in: the class of its first key.
    #[must_use]
    pub fn start_class(&self) -> Class {
        self.start.first().and_then(|tag| Class::from_tag(*tag)).unwrap_or(Class::Main)
    }

    /// The part of the range that lies in `class`, if there is one.
    pub(crate) fn within(&self, class: Class) -> Option<Self> {
        let whole = Self::class(class);
        let (start, end) = (whole.start.max(self.start.clone()), whole.end.min(self.end.clone()));
        (start < end).then_some(Self { start, end })
    }

    /// Whether the range holds `key`.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        self.start.as_slice() <= key.as_bytes() && key.as_bytes() < self.end.as_slice()
    }
}

impl fmt::Debug for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRange({}B..{}B)", self.start.len(), self.end.len())
    }
}

/// A key was longer than 512 bytes; long parts are to be hashed by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key has at most {MAX_KEY_LEN} bytes, this one has {len}: put the digest of a long part in"
)]
#[non_exhaustive]
pub struct KeyTooLong {
    /// The length that was asked for, in bytes.
    pub len: usize,
}

/// Bytes read from a backend are not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not a key of this contract")]
#[non_exhaustive]
pub struct InvalidKey;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[&[u8]]) -> Key {
        parts.iter().fold(Key::builder(Class::Main, "k"), |b, part| b.bytes(part)).build().unwrap()
    }

    #[test]
    fn the_encoding_keeps_the_order_of_tuples() {
        let mut tuples: Vec<Vec<&[u8]>> = vec![
            vec![],
            vec![b""],
            vec![b"", b"a"],
            vec![b"\0"],
            vec![b"\0\0"],
            vec![b"\0\xff"],
            vec![b"\x01"],
            vec![b"a"],
            vec![b"a", b""],
            vec![b"a", b"b"],
            vec![b"a\0"],
            vec![b"a\0b"],
            vec![b"ab"],
            vec![b"b"],
            vec![b"\xff"],
            vec![b"\xff\xff"],
        ];
        tuples.sort();
        let keys: Vec<Key> = tuples.iter().map(|t| key(t)).collect();
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(keys, sorted);
        sorted.dedup();
        assert_eq!(sorted.len(), tuples.len(), "different tuples have different keys");
    }

    #[test]
    fn a_range_of_a_prefix_holds_its_continuations_and_nothing_else() {
        let range = Key::builder(Class::Main, "k").text("a").range();
        for inside in [key(&[b"a"]), key(&[b"a", b""]), key(&[b"a", b"\xff"])] {
            assert!(range.contains(&inside));
        }
        for outside in [key(&[b""]), key(&[b"ab"]), key(&[b"a\0"]), key(&[b"b"])] {
            assert!(!range.contains(&outside));
        }
    }

    #[test]
    fn a_range_is_cut_at_the_end_of_a_class() {
        let (main, side) = (key(&[b"a"]), Key::builder(Class::Side, "k").build().unwrap());
        let range = KeyRange::new(&main, &side);
        assert_eq!(range.within(Class::Main).unwrap().start(), main.as_bytes());
        assert!(!range.within(Class::Main).unwrap().contains(&side));
        assert_eq!(
            range.within(Class::Side).unwrap(),
            KeyRange { start: b"s".into(), end: side.0.to_vec() }
        );
        let range = KeyRange::class(Class::Main);
        assert_eq!(
            (range.within(Class::Main), range.within(Class::Side)),
            (Some(range.clone()), None)
        );
        let empty = KeyRange::new(&main, &main);
        assert_eq!((empty.within(Class::Main), empty.within(Class::Side)), (None, None));
    }

    #[test]
    fn parts_are_read_back() {
        for parts in [
            vec![],
            vec![&b""[..]],
            vec![b"\0", b"\x01", b"\xff"],
            vec![b"a\0\xff\x01b", b"", b"\0\0"],
        ] {
            assert_eq!(key(&parts).parts(), parts);
        }
    }

    #[test]
    fn numbers_sort_as_numbers() {
        let number = |n| Key::builder(Class::Main, "k").number(n).build().unwrap();
        for pair in [0, 1, 255, 256, u64::from(u32::MAX), u64::MAX].windows(2) {
            assert!(number(pair[0]) < number(pair[1]));
        }
    }

    #[test]
    fn class_and_kind_are_read_back_and_parts_are_not_shown() {
        let key = Key::builder(Class::Side, "rate").text("alice@example.com").build().unwrap();
        assert_eq!((key.class(), key.kind()), (Class::Side, "rate"));
        assert!(!format!("{key:?}").contains("alice"));
        assert_eq!(Key::from_bytes(key.as_bytes()), Ok(key));
        assert_eq!(Key::from_bytes(b"?x"), Err(InvalidKey));
    }

    #[test]
    fn a_long_key_is_refused() {
        let long = Key::builder(Class::Main, "k").bytes(&[b'a'; MAX_KEY_LEN]).build();
        assert!(matches!(long, Err(KeyTooLong { .. })));
    }
}
