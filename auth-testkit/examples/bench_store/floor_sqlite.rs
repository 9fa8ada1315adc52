//! The statements by rusqlite alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::store::{Batch, Key, NewRecord, TenantId, When, Write};
use auth_sqlite::SqliteOptions;
use rusqlite::{Connection, OptionalExtension, params};

use crate::scene::Failure;
use crate::served::floor::Driver;
use crate::served::recorded::Statement;

/// A connection that reads on the caller's thread, and one that commits on a thread for blocking work.
pub(crate) struct SqliteFloor {
    reader: Mutex<Connection>,
    writer: Arc<Mutex<Connection>>,
}

impl SqliteFloor {
    pub(crate) fn open(file: &str) -> Result<Self, Failure> {
        let connect = || {
            let connection = Connection::open(file)?;
            connection.set_prepared_statement_cache_capacity(48);
            connection.pragma_update(None, "synchronous", "FULL")?;
            let mapped = SqliteOptions::MEMORY_MAP;
            connection.pragma_update_and_check(None, "mmap_size", mapped as i64, |_| Ok(()))?;
            connection.busy_timeout(Duration::from_secs(5))?;
            Ok::<_, Failure>(connection)
        };
        Ok(Self { reader: Mutex::new(connect()?), writer: Arc::new(Mutex::new(connect()?)) })
    }
}

#[async_trait]
impl Driver for SqliteFloor {
    async fn run(&self, statement: &Statement, number: u64) -> Result<(), Failure> {
        match statement {
            Statement::Get(keys) => {
                let connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
                step(&connection, "BEGIN")?;
                keys.iter().try_for_each(|key| get(&connection, key))?;
                step(&connection, "COMMIT")?;
            }
            Statement::Commit(batch) => {
                let (writer, batch) = (self.writer.clone(), batch.clone());
                tokio::task::spawn_blocking(move || commit(&writer, &batch, number)).await??;
            }
        }
        Ok(())
    }
}

fn commit(writer: &Mutex<Connection>, batch: &Batch, number: u64) -> rusqlite::Result<()> {
    let connection = writer.lock().unwrap_or_else(PoisonError::into_inner);
    let version = u128::from(number).to_be_bytes();
    step(&connection, "BEGIN IMMEDIATE")?;
    for write in batch.writes() {
        put(&connection, write, number, &version)?;
    }
    step(&connection, "COMMIT")
}

fn step(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

fn get(connection: &Connection, key: &Key) -> rusqlite::Result<()> {
    let found = connection
        .prepare_cached(
            "SELECT key, version, value, keep_until, due_queue, due_at, due_shard FROM record
             WHERE tenant = ?1 AND key = ?2",
        )?
        .query_row(params![TenantId::DEFAULT.as_str(), key.as_bytes()], |row| {
            let (key, version): (Vec<u8>, [u8; 16]) = (row.get(0)?, row.get(1)?);
            let (value, keep): (String, Option<i64>) = (row.get(2)?, row.get(3)?);
            Ok((key, version, value, keep))
        })
        .optional()?;
    std::hint::black_box(found);
    Ok(())
}

/// Writes what the provider wrote; under another key where it wrote a new record.
fn put(
    connection: &Connection,
    write: &Write,
    number: u64,
    version: &[u8; 16],
) -> rusqlite::Result<()> {
    let mut key = write.key().as_bytes().to_vec();
    if matches!(write, Write::Put { when: When::Absent, .. }) {
        renew(&mut key, number);
    }
    let tenant = TenantId::DEFAULT.as_str();
    let held: Option<[u8; 16]> = connection
        .prepare_cached("SELECT version, keep_until FROM record WHERE tenant = ?1 AND key = ?2")?
        .query_row(params![tenant, key], |row| row.get(0))
        .optional()?;
    let Write::Put { record: NewRecord { value, index, keep_until, .. }, .. } = write else {
        return Ok(());
    };
    let keep = keep_until.map(|until| i64::try_from(until.as_millis()).unwrap_or(i64::MAX));
    connection
        .prepare_cached(
            "INSERT INTO record (tenant, key, version, value, keep_until) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (tenant, key) DO UPDATE SET version = excluded.version,
             value = excluded.value, keep_until = excluded.keep_until",
        )?
        .execute(params![tenant, key, version, &**value, keep])?;
    if held.is_some() {
        connection
            .prepare_cached("SELECT name, bytes FROM entry WHERE tenant = ?1 AND key = ?2")?
            .query_row(params![tenant, key], |row| row.get::<_, String>(0))
            .optional()?;
    }
    for entry in index {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO entry (tenant, name, bytes, key) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![tenant, &*entry.name, &*entry.bytes, key])?;
    }
    Ok(())
}

/// Kinds whose keys begin with the time, so that those of one moment lie together.
const BY_TIME: [&[u8]; 4] = [b"access_token", b"authorization_code", b"grant", b"refresh_family"];

/// Another key of the same kind and length.
pub(crate) fn renew(key: &mut [u8], number: u64) {
    let by_time = BY_TIME.iter().any(|kind| key.windows(kind.len()).any(|part| part == *kind));
    // Mixed, so that keys lie as far apart as digests do.
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes().map(|byte| byte | 1);
    let ascending = number.to_be_bytes().map(|byte| byte ^ 0xA5);
    let (first, second) = if by_time { (ascending, mixed) } else { (mixed, ascending) };
    // The last byte ends the part.
    let end = key.len() - 1;
    let start = end.saturating_sub(24);
    key[start..start + 8].copy_from_slice(&first);
    key[start + 8..start + 16].copy_from_slice(&second);
}
