//! The lines of an archive: header, record, trailer.

use std::borrow::Cow;

use auth_store::limits::{DUE_SHARDS, MAX_INDEX_LEN};
use auth_store::{Archived, CommitId, Due, IndexEntry, Key, Queue, Record, TenantId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Sha256, TransferError};

const FORMAT: &str = "auth-archive";
const VERSION: u32 = 1;

/// What a trailer begins with, and no record does.
const TRAILER: &[u8] = b"{\"records\":";

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    format: Cow<'a, str>,
    version: u32,
    exported_at: Timestamp,
}

/// The first line.
pub(super) fn header(exported_at: Timestamp) -> String {
    line(&Header { format: FORMAT.into(), version: VERSION, exported_at })
}

/// Whether this may be the beginning of a header that was cut.
pub(super) fn begins_header(line: &[u8]) -> bool {
    let begin = format!("{{\"format\":\"{FORMAT}\"");
    line.starts_with(begin.as_bytes()) || begin.as_bytes().starts_with(line)
}

pub(super) fn check_header(line: &[u8]) -> Result<(), TransferError> {
    // A later version may have other members, but these two will tell.
    #[derive(Deserialize)]
    struct Kept<'a> {
        #[serde(borrow)]
        format: Cow<'a, str>,
        version: u32,
    }
    let header: Kept<'_> = serde_json::from_slice(line).map_err(|_| TransferError::NotAnArchive)?;
    if header.format != FORMAT {
        return Err(TransferError::NotAnArchive);
    }
    if header.version != VERSION {
        return Err(TransferError::Version { found: header.version, known: VERSION });
    }
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer<'a> {
    records: u64,
    #[serde(borrow)]
    sha256: Cow<'a, str>,
}

/// The last line.
pub(super) fn trailer(records: u64, sha256: Sha256) -> String {
    line(&Trailer { records, sha256: sha256.to_string().into() })
}

pub(super) fn is_trailer(line: &[u8]) -> bool {
    line.starts_with(TRAILER)
}

pub(super) fn read_trailer(line: &[u8]) -> Result<(u64, Sha256), String> {
    let trailer: Trailer<'_> = serde_json::from_slice(line).map_err(said)?;
    let sha256 = Sha256::parse(&trailer.sha256).ok_or("the trailer has no SHA-256")?;
    Ok((trailer.records, sha256))
}

/// A record. What it lacks is left out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine<'a> {
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    index: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_until: Option<Timestamp>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    due: Option<DueLine<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DueLine<'a> {
    #[serde(borrow)]
    queue: Cow<'a, str>,
    at: Timestamp,
    shard: u16,
}

/// The line of a record, the same for equal records: its index entries are sorted, each stands once.
pub(super) fn record(archived: &Archived) -> String {
    let Archived { tenant, record, index } = archived;
    let mut index: Vec<&IndexEntry> = index.iter().collect();
    index.sort_unstable();
    index.dedup();
    let entry = |entry: &IndexEntry| (entry.name.clone(), base64(&entry.bytes));
    let value = embeddable(&record.value);
    line(&RecordLine {
        tenant: tenant.as_str().into(),
        key: base64(record.key.as_bytes()),
        version: base64(record.version.as_bytes()),
        index: index.into_iter().map(entry).collect(),
        keep_until: record.keep_until,
        due: record.due.map(|due| DueLine {
            queue: due.queue.name().into(),
            at: due.at,
            shard: due.shard,
        }),
        value,
        text: value.is_none().then(|| (&*record.value).into()),
    })
}

/// A value that is read back byte for byte when it stands in a line as it is.
fn embeddable(value: &str) -> Option<&RawValue> {
    let raw: &RawValue = serde_json::from_str(value).ok()?;
    // What it leaves off is white space; a newline would end the line.
    let whole = raw.get().len() == value.len() && !value.contains(['\n', '\r']);
    // `null` would be read back as a member that is not there.
    (whole && value != "null").then_some(raw)
}

pub(super) fn read_record(line: &[u8]) -> Result<Archived, String> {
    let line: RecordLine<'_> = serde_json::from_slice(line).map_err(said)?;
    let tenant = TenantId::new(&line.tenant).map_err(|error| error.to_string())?;
    let key = Key::from_bytes(&bytes(&line.key, "key")?).map_err(|error| error.to_string())?;
    let version = bytes(&line.version, "version")?;
    let version = version.try_into().map_err(|_| "its version has not 16 bytes")?;
    let value = match (line.value, &line.text) {
        (Some(value), None) => value.get(),
        (None, Some(text)) => text,
        _ => return Err("it has not one of `value` and `text`".into()),
    };
    let due = line.due.map(|due| {
        let queue: Queue = due.queue.parse().map_err(|_| "its queue is unknown")?;
        if due.shard >= DUE_SHARDS {
            return Err("its shard is none");
        }
        Ok(Due { queue, at: due.at, shard: due.shard })
    });
    let entry = |(name, entry): (Cow<'_, str>, Cow<'_, str>)| {
        let entry = bytes(&entry, "index entry")?;
        if entry.len() > MAX_INDEX_LEN {
            return Err("an index entry is too long".to_owned());
        }
        Ok(IndexEntry::new(name.into_owned(), entry))
    };
    let record = Record {
        key,
        version: CommitId::from_bytes(version),
        value: value.into(),
        keep_until: line.keep_until,
        due: due.transpose()?,
    };
    Ok(Archived {
        tenant,
        record,
        index: line.index.into_iter().map(entry).collect::<Result<_, _>>()?,
    })
}

fn line(value: &impl Serialize) -> String {
    // A struct with text keys, for which serialisation cannot fail.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

fn base64(bytes: &[u8]) -> Cow<'static, str> {
    URL_SAFE_NO_PAD.encode(bytes).into()
}

fn bytes(text: &str, what: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("its {what} is not base64url"))
}

/// What the parser says, without the text itself, which may be secret.
fn said(error: serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends early".to_owned(),
        serde_json::error::Category::Syntax => format!("no JSON from column {}", error.column()),
        _ => format!("another member or type than expected at column {}", error.column()),
    }
}

#[cfg(test)]
mod tests {
    use auth_store::Class;

    use super::*;

    fn archived(value: &str) -> Archived {
        Archived {
            tenant: TenantId::DEFAULT,
            record: Record {
                key: Key::builder(Class::Main, "thing").bytes(&[0, 255, 10]).build().unwrap(),
                version: CommitId::from_bytes([7; 16]),
                value: value.into(),
                keep_until: Some(Timestamp::MAX),
                due: Some(Due { queue: Queue::Jobs, at: Timestamp::EPOCH, shard: 255 }),
            },
            index: vec![IndexEntry::new("b", *b"\0\xff"), IndexEntry::new("a", *b"\n")],
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let values = [
            r#"{"schema":1,"value":{"a":1.0,"a":18446744073709551616,"b":"\u00e4ä"}}"#,
            "17",
            "null",
            "\"text\"",
            " 1",
            "{\n}",
            "",
            "no JSON: \u{2028} \0 \"",
        ];
        for value in values {
            let before = archived(value);
            let line = record(&before);
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert!(!is_trailer(line.as_bytes()));
            let mut after = read_record(line.trim_end().as_bytes()).unwrap();
            after.index.reverse();
            assert_eq!(after, before);
        }
    }

    #[test]
    fn the_order_of_index_entries_does_not_matter() {
        let mut other = archived("{}");
        other.index.reverse();
        other.index.push(other.index[0].clone());
        assert_eq!(record(&other), record(&archived("{}")));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told_without_its_text() {
        let good = record(&archived("{}"));
        assert!(read_record(good.as_bytes()).is_ok());
        for (from, to) in [
            ("\"default\"", "\"No\""),
            ("\"key\":\"", "\"key\":\"!"),
            ("\"version\":\"", "\"version\":\"AA"),
            ("\"value\":{}", "\"value\":{},\"text\":\"secret\""),
            ("\"value\":{}", "\"secret\":{}"),
            ("\"jobs\"", "\"secret\""),
            ("255}", "256}"),
        ] {
            assert!(good.contains(from), "{good}");
            let refused = read_record(good.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
