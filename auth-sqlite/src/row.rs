//! Rows as records.

use std::error::Error;
use std::str::FromStr;

use auth_store::{CommitId, Due, Key, Queue, Record, TenantId, Timestamp};
use rusqlite::Row;
use rusqlite::types::Type;

/// The columns that [`record`] reads, of the table `r`.
pub(crate) const COLUMNS: &str =
    "r.key, r.version, r.value, r.keep_until, r.due_queue, r.due_at, r.due_shard";

/// The record of a row that begins with [`COLUMNS`].
pub(crate) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let queue: Option<String> = row.get(4)?;
    let due = match queue {
        None => None,
        Some(name) => Some(Due {
            queue: Queue::from_str(&name).map_err(|error| unreadable(4, error))?,
            at: timestamp(5, row.get(5)?)?,
            shard: row.get(6)?,
        }),
    };
    let keep_until: Option<i64> = row.get(3)?;
    Ok(Record {
        key: key(row, 0)?,
        version: CommitId::from_bytes(row.get(1)?),
        value: row.get(2)?,
        keep_until: keep_until.map(|millis| timestamp(3, millis)).transpose()?,
        due,
    })
}

/// The key in a column.
pub(crate) fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<Key> {
    let bytes = row.get_ref(column)?.as_blob().map_err(|error| unreadable(column, error))?;
    Key::from_bytes(bytes).map_err(|error| unreadable(column, error))
}

/// The tenant in a column.
pub(crate) fn tenant(row: &Row<'_>, column: usize) -> rusqlite::Result<TenantId> {
    let id = row.get_ref(column)?.as_str().map_err(|error| unreadable(column, error))?;
    TenantId::new(id).map_err(|error| unreadable(column, error))
}

/// The moment in a column.
pub(crate) fn timestamp(column: usize, millis: i64) -> rusqlite::Result<Timestamp> {
    u64::try_from(millis)
        .ok()
        .and_then(Timestamp::from_millis)
        .ok_or_else(|| rusqlite::Error::IntegralValueOutOfRange(column, millis))
}

/// A moment as a column holds it; the year 9999 fits.
pub(crate) fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// What stands in a column cannot have been written by this crate.
pub(crate) fn unreadable(
    column: usize,
    error: impl Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Null, Box::new(error))
}
