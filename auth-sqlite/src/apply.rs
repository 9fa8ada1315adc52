//! Applies one batch inside the writer's transaction.

use auth_store::{
    Batch, CommitError, Committed, IndexEntry, Key, NewRecord, Record, TenantId, Timestamp,
    Version, When, Write,
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::row;

/// What stands under a key before the batch.
struct Found {
    version: Version,
    keep_until: Option<Timestamp>,
    /// Read for counters only.
    value: Option<String>,
}

impl Found {
    fn is_present(&self, now: Timestamp) -> bool {
        self.keep_until.is_none_or(|until| until > now)
    }
}

/// A counter before and after an addition.
struct Counter {
    sum: u64,
    keep_until: Timestamp,
}

/// Applies the batch, or says why not. After a refusal nothing was written; after an error of SQLite
/// the caller rolls back.
pub(crate) fn apply(
    connection: &Connection,
    tenant: TenantId,
    batch: &Batch,
) -> rusqlite::Result<Result<Committed, CommitError>> {
    let table = Table { connection, tenant: tenant.as_str() };
    let found: Vec<Option<Found>> =
        batch.writes().iter().map(|write| table.find(write)).collect::<Result<_, _>>()?;
    if found.iter().flatten().any(|found| found.version == batch.id()) {
        return Ok(Ok(Committed::default()));
    }

    let now = batch.now();
    let writes = || batch.writes().iter().zip(&found);
    let failed: Vec<Key> = writes()
        .filter(|(write, found)| !holds(write, found.as_ref(), now))
        .map(|(write, _)| write.key().clone())
        .collect();
    if !failed.is_empty() {
        return Ok(Err(CommitError::Conflict(failed)));
    }

    let mut counters = Vec::new();
    for (write, found) in writes() {
        if let Write::Add { key, n, below, keep_until } = write {
            let running = found.as_ref().filter(|found| found.is_present(now));
            let counter = add(running, *n, *keep_until)?;
            if below.is_some_and(|below| counter.sum > below) {
                return Ok(Err(CommitError::Full(key.clone())));
            }
            counters.push(counter);
        }
    }

    let mut sums = counters.iter();
    for (write, found) in writes() {
        let exists = found.is_some();
        match write {
            Write::Put { record, .. } => table.put(record, batch.id(), exists)?,
            Write::Delete { key, .. } if exists => table.delete(key)?,
            Write::Delete { .. } | Write::Check { .. } => {}
            Write::Add { key, .. } => {
                if let Some(counter) = sums.next() {
                    table.put(&counter_record(key, counter), batch.id(), exists)?;
                }
            }
        }
    }
    Ok(Ok(Committed { counters: counters.iter().map(|counter| counter.sum).collect() }))
}

/// Removes a record and its index entries.
pub(crate) fn remove(connection: &Connection, tenant: TenantId, key: &Key) -> rusqlite::Result<()> {
    Table { connection, tenant: tenant.as_str() }.delete(key)
}

/// Writes a record as it is, unless something stands under its key; says whether it did.
pub(crate) fn insert(
    connection: &Connection,
    tenant: TenantId,
    record: &Record,
    index: &[IndexEntry],
) -> rusqlite::Result<bool> {
    let table = Table { connection, tenant: tenant.as_str() };
    let written = connection
        .prepare_cached(
            "INSERT INTO record
             (tenant, key, version, value, keep_until, due_queue, due_at, due_shard)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (tenant, key) DO NOTHING",
        )?
        .execute(params![
            table.tenant,
            record.key.as_bytes(),
            record.version.as_bytes(),
            &*record.value,
            record.keep_until.map(row::millis),
            record.due.map(|due| due.queue.name()),
            record.due.map(|due| row::millis(due.at)),
            record.due.map(|due| due.shard),
        ])?;
    if written == 0 {
        return Ok(false);
    }
    index.iter().try_for_each(|entry| table.add_entry(&record.key, entry))?;
    Ok(true)
}

fn holds(write: &Write, found: Option<&Found>, now: Timestamp) -> bool {
    let when = match write {
        Write::Put { when, .. } | Write::Delete { when, .. } | Write::Check { when, .. } => *when,
        Write::Add { .. } => When::Any,
    };
    match (when, found.filter(|found| found.is_present(now))) {
        (When::Any, _) | (When::Absent, None) | (When::Present, Some(_)) => true,
        (When::At(version), Some(found)) => found.version == version,
        _ => false,
    }
}

/// The counter after adding `n`. What is not a number is no counter: to take it for 0 would let pass
/// what a bound is to stop.
fn add(running: Option<&Found>, n: u64, begins: Timestamp) -> rusqlite::Result<Counter> {
    let count = match running.and_then(|found| found.value.as_deref()) {
        Some(value) => value.parse::<u64>().map_err(|error| row::unreadable(2, error))?,
        None => 0,
    };
    let keep_until = running.and_then(|found| found.keep_until).unwrap_or(begins);
    Ok(Counter { sum: count.saturating_add(n), keep_until })
}

fn counter_record(key: &Key, counter: &Counter) -> NewRecord {
    NewRecord {
        key: key.clone(),
        value: counter.sum.to_string().into(),
        index: Vec::new(),
        keep_until: Some(counter.keep_until),
        due: None,
    }
}

/// One tenant's rows.
struct Table<'c> {
    connection: &'c Connection,
    tenant: &'c str,
}

impl Table<'_> {
    fn find(&self, write: &Write) -> rusqlite::Result<Option<Found>> {
        let mut find = self.connection.prepare_cached(
            "SELECT version, keep_until, CASE WHEN ?3 THEN value END
             FROM record WHERE tenant = ?1 AND key = ?2",
        )?;
        let counts = matches!(write, Write::Add { .. });
        find.query_row(params![self.tenant, write.key().as_bytes(), counts], |row| {
            let keep_until: Option<i64> = row.get(1)?;
            Ok(Found {
                version: Version::from_bytes(row.get(0)?),
                keep_until: keep_until.map(|millis| row::timestamp(1, millis)).transpose()?,
                value: row.get(2)?,
            })
        })
        .optional()
    }

    fn put(&self, record: &NewRecord, version: Version, exists: bool) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO record
                 (tenant, key, version, value, keep_until, due_queue, due_at, due_shard)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (tenant, key) DO UPDATE SET version = excluded.version,
                 value = excluded.value, keep_until = excluded.keep_until,
                 due_queue = excluded.due_queue, due_at = excluded.due_at,
                 due_shard = excluded.due_shard",
            )?
            .execute(params![
                self.tenant,
                record.key.as_bytes(),
                version.as_bytes(),
                &*record.value,
                record.keep_until.map(row::millis),
                record.due.map(|due| due.queue.name()),
                record.due.map(|due| row::millis(due.at)),
                record.due.map(|due| due.shard),
            ])?;
        if exists {
            self.reindex(&record.key, &record.index)
        } else {
            record.index.iter().try_for_each(|entry| self.add_entry(&record.key, entry))
        }
    }

    fn delete(&self, key: &Key) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("DELETE FROM entry WHERE tenant = ?1 AND key = ?2")?
            .execute(params![self.tenant, key.as_bytes()])?;
        self.connection
            .prepare_cached("DELETE FROM record WHERE tenant = ?1 AND key = ?2")?
            .execute(params![self.tenant, key.as_bytes()])?;
        Ok(())
    }

    /// Leaves just the entries `new` of a record. The stored ones are compared, not the ones that the
    /// batch names as old: over an expired record a batch may name none, and most changes of a record
    /// leave its entries as they are.
    fn reindex(&self, key: &Key, new: &[IndexEntry]) -> rusqlite::Result<()> {
        let mut stored = self
            .connection
            .prepare_cached("SELECT name, bytes FROM entry WHERE tenant = ?1 AND key = ?2")?;
        let stored: Vec<(String, Vec<u8>)> = stored
            .query_map(params![self.tenant, key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let is = |entry: &IndexEntry, (name, bytes): &(String, Vec<u8>)| {
            entry.name == name.as_str() && *entry.bytes == **bytes
        };
        for old in stored.iter().filter(|old| !new.iter().any(|entry| is(entry, old))) {
            self.connection
                .prepare_cached(
                    "DELETE FROM entry WHERE tenant = ?1 AND name = ?2 AND bytes = ?3 AND key = ?4",
                )?
                .execute(params![self.tenant, old.0, old.1, key.as_bytes()])?;
        }
        new.iter()
            .filter(|entry| !stored.iter().any(|old| is(entry, old)))
            .try_for_each(|entry| self.add_entry(key, entry))
    }

    fn add_entry(&self, key: &Key, entry: &IndexEntry) -> rusqlite::Result<()> {
        // A record may name one entry twice; it stands in the index once.
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO entry (tenant, name, bytes, key) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![self.tenant, &*entry.name, &*entry.bytes, key.as_bytes()])?;
        Ok(())
    }
}
