//! [`Kind`]: a type of record, its schema and its place.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use auth_store::{
    ClassMarker, Due, IndexEntry, Key, KeyRange, NewRecord, Record, Timestamp, Version, When,
    Write, WriteTo,
};
use ring::digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A type of record.
///
/// A record's value is the JSON text `{"schema":N,"value":{…}}`. A version of the program reads older
/// schemas through [`Kind::upcast`] and newer ones as far as it understands them, keeps members it does
/// not know (give the struct an [`Unknown`] member), and never rewrites a record of a newer schema.
pub trait Kind: Serialize + DeserializeOwned + Send + Sync + fmt::Debug + 'static {
    /// Which class of store the record lives in.
    type Class: ClassMarker;
    /// The name in the key, such as `client`.
    const NAME: &'static str;
    /// The number of the form that this version writes; it grows by one with each incompatible change.
    const SCHEMA: u32 = 1;

    /// Brings the JSON of an older schema to this one.
    ///
    /// # Errors
    /// [`DamagedRecord`] if the value is not of the schema it claims.
    fn upcast(from: u32, value: serde_json::Value) -> Result<serde_json::Value, DamagedRecord> {
        let _ = from;
        Ok(value)
    }

    /// The index entries of this state.
    fn index(&self) -> Vec<IndexEntry> {
        Vec::new()
    }

    /// Until when the record is retained; see [`Record::keep_until`].
    fn keep_until(&self) -> Option<Timestamp>;

    /// When a worker is to look at the record.
    fn due(&self) -> Option<Due> {
        None
    }

    /// The key with the given parts. A part over 100 bytes is replaced by its digest.
    fn key(parts: &[&[u8]]) -> TypedKey<Self>
    where
        Self: Sized,
    {
        let builder = parts.iter().fold(
            Key::builder(<Self::Class as ClassMarker>::CLASS, Self::NAME),
            |builder, part| match part.len() {
                0..=100 => builder.bytes(part),
                _ => builder.bytes(digest::digest(&digest::SHA256, part).as_ref()),
            },
        );
        let key = builder.build().unwrap_or_else(|_| {
            // More than a handful of parts: the digest of all of them names the record.
            let mut all = digest::Context::new(&digest::SHA256);
            for part in parts {
                all.update(digest::digest(&digest::SHA256, part).as_ref());
            }
            let mut name = [0; 32];
            name.copy_from_slice(all.finish().as_ref());
            Key::digest(<Self::Class as ClassMarker>::CLASS, Self::NAME, &name)
        });
        TypedKey { key, kind: PhantomData }
    }

    /// The range of all keys of this kind that begin with the given parts, each of at most 100 bytes.
    fn range(parts: &[&[u8]]) -> KeyRange
    where
        Self: Sized,
    {
        let builder = Key::builder(<Self::Class as ClassMarker>::CLASS, Self::NAME);
        parts.iter().fold(builder, |builder, part| builder.bytes(part)).range()
    }
}

/// The key of a record of the kind `K`.
pub struct TypedKey<K> {
    key: Key,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> TypedKey<K> {
    /// The key as a store knows it.
    #[must_use]
    pub fn raw(&self) -> &Key {
        &self.key
    }

    /// Writes `value` here if `when` holds, over a state without index entries (such as none at all).
    #[must_use]
    pub fn put(&self, value: &K, when: When) -> WriteTo<K::Class> {
        self.write(value, when, Vec::new())
    }

    /// Writes `value` here, where nothing may stand.
    #[must_use]
    pub fn create(&self, value: &K) -> WriteTo<K::Class> {
        self.put(value, When::Absent)
    }

    fn write(&self, value: &K, when: When, old_index: Vec<IndexEntry>) -> WriteTo<K::Class> {
        #[derive(Serialize)]
        struct Envelope<'a, K> {
            schema: u32,
            value: &'a K,
        }
        // Most records are no longer.
        let mut text = Vec::with_capacity(512);
        // A kind is a struct with text keys, for which serialisation cannot fail; JSON is UTF-8.
        if serde_json::to_writer(&mut text, &Envelope { schema: K::SCHEMA, value }).is_err() {
            text.clear();
        }
        let record = NewRecord {
            key: self.key.clone(),
            value: std::str::from_utf8(&text).unwrap_or_default().into(),
            index: value.index(),
            keep_until: value.keep_until(),
            due: value.due(),
        };
        WriteTo::of(Write::Put { record, when, old_index })
    }
}

impl<K> Clone for TypedKey<K> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for TypedKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

/// A record that was read, parsed.
#[derive(Debug)]
pub struct Found<K> {
    /// Its value.
    pub value: K,
    key: TypedKey<K>,
    version: Version,
    schema: u32,
}

/// A record's text.
#[derive(Deserialize)]
struct Envelope<'a> {
    schema: u32,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// The value inside an envelope that reads as this version writes it, which spares looking through the
/// value for its end. `None` says nothing about the text.
fn current<K: Kind>(text: &str) -> Option<&str> {
    let schema = text.strip_prefix(r#"{"schema":"#)?;
    let (schema, value) = schema.split_once(r#","value":"#)?;
    (schema.parse() == Ok(K::SCHEMA)).then(|| value.strip_suffix('}')).flatten()
}

impl<K: Kind> Found<K> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`DamagedRecord`] if the text is not of the kind.
    pub fn read(record: &Record) -> Result<Self, DamagedRecord> {
        let damaged = |source| DamagedRecord { kind: K::NAME, source };
        let at_once =
            current::<K>(&record.value).and_then(|value| serde_json::from_str(value).ok());
        let (schema, value) = match at_once {
            Some(value) => (K::SCHEMA, value),
            None => {
                let Envelope { schema, value } =
                    serde_json::from_str(&record.value).map_err(damaged)?;
                (schema, Self::parse(schema, value.get())?)
            }
        };
        let key = TypedKey { key: record.key.clone(), kind: PhantomData };
        Ok(Self { value, key, version: record.version, schema })
    }

    fn parse(schema: u32, text: &str) -> Result<K, DamagedRecord> {
        let damaged = |source| DamagedRecord { kind: K::NAME, source };
        if schema < K::SCHEMA {
            let old = serde_json::from_str(text).map_err(damaged)?;
            return serde_json::from_value(K::upcast(schema, old)?).map_err(damaged);
        }
        serde_json::from_str(text).map_err(damaged)
    }

    /// The state that `value` is in once the commit `version` has replaced this one by it.
    pub(crate) fn replaced(&self, value: K, version: Version) -> Self {
        Self { value, key: self.key.clone(), version, schema: K::SCHEMA }
    }

    /// Where it stands.
    #[must_use]
    pub fn key(&self) -> &TypedKey<K> {
        &self.key
    }

    /// Whether a newer version of the program wrote this state, so that it must not be rewritten.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        self.schema > K::SCHEMA
    }

    /// Replaces this state, and no other, by `value`.
    ///
    /// # Errors
    /// [`NewerSchema`] if a newer version of the program wrote this state.
    pub fn replace(&self, value: &K) -> Result<WriteTo<K::Class>, NewerSchema> {
        self.check_schema()?;
        Ok(self.key.write(value, When::At(self.version), self.value.index()))
    }

    /// Removes this state, and no other.
    #[must_use]
    pub fn delete(&self) -> WriteTo<K::Class> {
        WriteTo::of(Write::Delete {
            key: self.key.key.clone(),
            when: When::At(self.version),
            old_index: self.value.index(),
        })
    }

    /// Requires that this is still the state when the batch is applied.
    #[must_use]
    pub fn unchanged(&self) -> WriteTo<K::Class> {
        WriteTo::of(Write::Check { key: self.key.key.clone(), when: When::At(self.version) })
    }

    fn check_schema(&self) -> Result<(), NewerSchema> {
        if self.is_newer() {
            return Err(NewerSchema { kind: K::NAME, found: self.schema, known: K::SCHEMA });
        }
        Ok(())
    }
}

/// Members of a record that this version does not know; they are written back as they were read.
///
/// ```
/// # use auth_core::record::Unknown;
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Thing {
///     name: String,
///     #[serde(flatten)]
///     unknown: Unknown,
/// }
/// let thing: Thing = serde_json::from_str(r#"{"name":"x","later":1}"#)?;
/// assert_eq!(serde_json::to_string(&thing)?, r#"{"name":"x","later":1}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unknown(BTreeMap<String, serde_json::Value>);

/// A stored value is not of its kind.
#[derive(Debug, thiserror::Error)]
#[error("a stored record of the kind `{kind}` cannot be read")]
#[non_exhaustive]
pub struct DamagedRecord {
    /// The kind.
    pub kind: &'static str,
    /// Where the text differs.
    #[source]
    pub source: serde_json::Error,
}

/// A record was written by a newer version of the program, and would lose by being rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a `{kind}` record has schema {found}, this version writes {known}: upgrade this process")]
#[non_exhaustive]
pub struct NewerSchema {
    /// The kind.
    pub kind: &'static str,
    /// The schema of the record.
    pub found: u32,
    /// The schema of this version.
    pub known: u32,
}

#[cfg(test)]
mod tests {
    use auth_store::{CommitId, Main};

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Thing {
        name: String,
        #[serde(flatten)]
        unknown: Unknown,
    }

    impl Kind for Thing {
        type Class = Main;
        const NAME: &'static str = "thing";
        const SCHEMA: u32 = 2;

        fn upcast(_: u32, mut v: serde_json::Value) -> Result<serde_json::Value, DamagedRecord> {
            let old = v.as_object_mut().and_then(|map| map.remove("title"));
            v["name"] = old.unwrap_or_default();
            Ok(v)
        }

        fn keep_until(&self) -> Option<Timestamp> {
            None
        }
    }

    fn record(value: &str) -> Record {
        Record {
            key: Thing::key(&[b"x"]).raw().clone(),
            version: CommitId::from_bytes([1; 16]),
            value: value.into(),
            keep_until: None,
            due: None,
        }
    }

    fn text(write: &Write) -> &str {
        match write {
            Write::Put { record, .. } => &record.value,
            _ => "",
        }
    }

    #[test]
    fn an_older_schema_is_brought_up_and_unknown_members_are_kept() {
        let old = record(r#"{"schema":1,"value":{"title":"a","colour":"red"}}"#);
        let found = Found::<Thing>::read(&old).unwrap();
        let write = found.replace(&found.value).unwrap();
        assert_eq!(text(&write), r#"{"schema":2,"value":{"name":"a","colour":"red"}}"#);
    }

    #[test]
    fn a_newer_schema_is_read_and_never_rewritten() {
        let newer = record(r#"{"schema":3,"value":{"name":"a"}}"#);
        let found = Found::<Thing>::read(&newer).unwrap();
        assert_eq!(found.value.name, "a");
        assert_eq!(found.replace(&found.value).unwrap_err().found, 3);
    }

    #[test]
    fn a_later_version_may_add_members_to_the_envelope() {
        for text in [
            r#"{"schema":2,"value":{"name":"a"},"later":{"value":1}}"#,
            r#"{ "later": 1, "schema": 2, "value": {"name":"a"} }"#,
        ] {
            assert_eq!(Found::<Thing>::read(&record(text)).unwrap().value.name, "a");
        }
    }

    #[test]
    fn a_damaged_record_names_its_kind() {
        let error = Found::<Thing>::read(&record("{}")).unwrap_err();
        assert!(error.to_string().contains("`thing`"));
    }

    #[test]
    fn long_parts_are_hashed() {
        let long = [b'a'; 5000];
        let key = Thing::key(&[&long, b"x"]);
        assert!(key.raw().as_bytes().len() < 100);
        assert_ne!(key.raw(), Thing::key(&[&long[1..], b"x"]).raw());
        let many: Vec<&[u8]> = vec![&long[..100]; 20];
        assert!(Thing::key(&many).raw().as_bytes().len() < 100);
    }
}
