//! Rows as records.

use std::str::FromStr;

use auth_store::{CommitId, Due, Key, Queue, Record, Source, TenantId, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::error::Unreadable;

/// The columns that [`record`] reads, of the table `r`.
pub(crate) const COLUMNS: &str =
    "r.key, r.version, r.value, r.keep_until, r.due_queue, r.due_at, r.due_shard";

/// The number of [`COLUMNS`].
pub(crate) const WIDTH: usize = 7;

/// The record of a row that begins with [`COLUMNS`].
pub(crate) fn record(row: &Row) -> Result<Record, Unreadable> {
    let version: &[u8] = column(row, 1, "version")?;
    let value: &str = column(row, 2, "value")?;
    let keep_until: Option<i64> = column(row, 3, "keep_until")?;
    let queue: Option<&str> = column(row, 4, "due_queue")?;
    let due = match queue {
        None => None,
        Some(name) => Some(Due {
            queue: Queue::from_str(name).map_err(|error| unreadable("due_queue", error))?,
            at: timestamp("due_at", column(row, 5, "due_at")?)?,
            shard: u16::try_from(column::<i16>(row, 6, "due_shard")?)
                .map_err(|error| unreadable("due_shard", error))?,
        }),
    };
    Ok(Record {
        key: key(row, 0)?,
        version: CommitId::from_bytes(
            version.try_into().map_err(|error| unreadable("version", error))?,
        ),
        value: value.into(),
        keep_until: keep_until.map(|millis| timestamp("keep_until", millis)).transpose()?,
        due,
    })
}

/// The key in a column.
pub(crate) fn key(row: &Row, at: usize) -> Result<Key, Unreadable> {
    Key::from_bytes(column(row, at, "key")?).map_err(|error| unreadable("key", error))
}

/// The tenant in a column.
pub(crate) fn tenant(row: &Row, at: usize) -> Result<TenantId, Unreadable> {
    TenantId::new(column(row, at, "tenant")?).map_err(|error| unreadable("tenant", error))
}

/// What stands in a column.
pub(crate) fn column<'a, T: FromSql<'a>>(
    row: &'a Row,
    at: usize,
    name: &'static str,
) -> Result<T, Unreadable> {
    row.try_get(at).map_err(|error| unreadable(name, error))
}

fn timestamp(column: &'static str, millis: i64) -> Result<Timestamp, Unreadable> {
    u64::try_from(millis)
        .ok()
        .and_then(Timestamp::from_millis)
        .ok_or(Unreadable { column, source: None })
}

/// A moment as a column holds it; the year 9999 fits.
pub(crate) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// A shard as a column holds it; there are 256.
pub(crate) fn shard(shard: u16) -> i16 {
    i16::try_from(shard).unwrap_or(i16::MAX)
}

fn unreadable(column: &'static str, error: impl Into<Source>) -> Unreadable {
    Unreadable { column, source: Some(error.into()) }
}
