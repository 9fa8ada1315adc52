//! Reads by key and by due time.

use std::ops::Range;
use std::sync::LazyLock;

use auth_store::{Key, Queue, Record, TenantId, Timestamp};
use rusqlite::{Connection, params};

use crate::row::{self, COLUMNS};

/// How many keys one statement reads.
const TOGETHER: usize = 8;

/// The statement for so many keys, less one: a moment of the database without a transaction around it.
static BY_KEY: LazyLock<[String; TOGETHER]> = LazyLock::new(|| {
    let one = format!("SELECT {COLUMNS} FROM record AS r WHERE r.tenant = ?1 AND r.key = ?");
    std::array::from_fn(|last| vec![one.as_str(); last + 1].join(" UNION ALL "))
});

const DUE: &str =
    "SELECT r.key, r.version, r.value, r.keep_until, r.due_queue, r.due_at, r.due_shard, r.tenant
     FROM record AS r
     WHERE r.due_queue = ?1 AND r.due_at <= ?2 AND r.due_shard >= ?3 AND r.due_shard < ?4
     ORDER BY r.due_at LIMIT ?5";

/// How many statements [`get`] takes for so many keys.
pub(crate) fn statements(keys: usize) -> usize {
    keys.div_ceil(TOGETHER)
}

/// The records of the keys, in their order.
pub(crate) fn get(
    connection: &Connection,
    tenant: TenantId,
    keys: &[Key],
) -> rusqlite::Result<Vec<Option<Record>>> {
    let mut records = vec![None; keys.len()];
    for (keys, records) in keys.chunks(TOGETHER).zip(records.chunks_mut(TOGETHER)) {
        let by_key = BY_KEY.get(keys.len() - 1).ok_or(rusqlite::Error::InvalidQuery)?;
        let mut by_key = connection.prepare_cached(by_key)?;
        by_key.raw_bind_parameter(1, tenant.as_str())?;
        for (n, key) in keys.iter().enumerate() {
            by_key.raw_bind_parameter(n + 2, key.as_bytes())?;
        }
        let mut rows = by_key.raw_query();
        while let Some(row) = rows.next()? {
            let record = row::record(row)?;
            let asked = |(key, _): &(&Key, &mut Option<Record>)| **key == record.key;
            for (_, slot) in keys.iter().zip(records.iter_mut()).filter(asked) {
                *slot = Some(record.clone());
            }
        }
    }
    Ok(records)
}

/// The records that are due, oldest first.
pub(crate) fn due(
    connection: &Connection,
    queue: Queue,
    now: Timestamp,
    shards: Range<u16>,
    limit: u32,
) -> rusqlite::Result<Vec<(TenantId, Record)>> {
    let mut due = connection.prepare_cached(DUE)?;
    let bounds = params![queue.name(), row::millis(now), shards.start, shards.end, limit];
    due.query_map(bounds, |row| Ok((row::tenant(row, 7)?, row::record(row)?)))?.collect()
}
