//! Reads by key and by due time.

use std::ops::Range;

use auth_store::{Key, Queue, Record, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::row;

const BY_KEY: &str =
    "SELECT r.key, r.version, r.value, r.keep_until, r.due_queue, r.due_at, r.due_shard
     FROM record AS r WHERE r.tenant = ?1 AND r.key = ?2";

const DUE: &str =
    "SELECT r.key, r.version, r.value, r.keep_until, r.due_queue, r.due_at, r.due_shard, r.tenant
     FROM record AS r
     WHERE r.due_queue = ?1 AND r.due_at <= ?2 AND r.due_shard >= ?3 AND r.due_shard < ?4
     ORDER BY r.due_at LIMIT ?5";

/// The records of the keys, in their order; one statement for each.
pub(crate) fn get(
    connection: &Connection,
    tenant: TenantId,
    keys: &[Key],
) -> rusqlite::Result<Vec<Option<Record>>> {
    let mut by_key = connection.prepare_cached(BY_KEY)?;
    let mut one = |key: &Key| {
        by_key.query_row(params![tenant.as_str(), key.as_bytes()], row::record).optional()
    };
    keys.iter().map(&mut one).collect()
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
