//! The tables, and the steps that lead from one version of them to the next.

use rusqlite::{Connection, TransactionBehavior};

/// `auth` in ASCII: stands in the header of every database of this crate.
pub(crate) const APPLICATION_ID: u32 = 0x6175_7468;

/// One script for each version of the tables. Only ever add to the end: a script that was published
/// has run somewhere. A later version must leave tables that the previous one can still use, because
/// two versions share a database while an embedder rolls out an upgrade.
const STEPS: [&str; 1] = [
    // Version 1. The first files have `record` WITHOUT ROWID; all statements are the same for both.
    "
    CREATE TABLE record (
        tenant     TEXT NOT NULL,
        key        BLOB NOT NULL,
        version    BLOB NOT NULL,
        value      TEXT NOT NULL,
        keep_until INTEGER,
        due_queue  TEXT,
        due_at     INTEGER,
        due_shard  INTEGER,
        PRIMARY KEY (tenant, key)
    ) STRICT;

    CREATE INDEX record_by_keep_until ON record (keep_until) WHERE keep_until IS NOT NULL;
    CREATE INDEX record_by_due ON record (due_queue, due_at, due_shard) WHERE due_queue IS NOT NULL;

    CREATE TABLE entry (
        tenant TEXT NOT NULL,
        name   TEXT NOT NULL,
        bytes  BLOB NOT NULL,
        key    BLOB NOT NULL,
        PRIMARY KEY (tenant, name, bytes, key)
    ) STRICT, WITHOUT ROWID;

    CREATE INDEX entry_by_record ON entry (tenant, key);

    -- For people. The parts of a key begin with 01 and end with 00.
    CREATE VIEW record_text AS
    SELECT
        tenant,
        CASE substr(key, 1, 1) WHEN x'6d' THEN 'main' WHEN x'73' THEN 'side' END AS class,
        (
            WITH RECURSIVE walk (i, text) AS (
                SELECT 2, ''
                UNION ALL
                SELECT i + 1, text || CASE
                    WHEN substr(key, i, 1) = x'01' THEN '/'
                    WHEN substr(key, i, 1) = x'00' THEN ''
                    WHEN substr(key, i, 1) BETWEEN x'20' AND x'7e' THEN CAST(substr(key, i, 1) AS TEXT)
                    ELSE '\\x' || hex(substr(key, i, 1))
                END
                FROM walk WHERE i <= length(key)
            )
            SELECT text FROM walk ORDER BY i DESC LIMIT 1
        ) AS key,
        lower(hex(version)) AS version,
        strftime('%Y-%m-%dT%H:%M:%fZ', keep_until / 1000.0, 'unixepoch') AS keep_until,
        due_queue,
        strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch') AS due_at,
        due_shard,
        value
    FROM record;
    ",
];

/// The version of the tables that this crate writes.
pub(crate) const VERSION: u32 = STEPS.len() as u32;

/// What a file turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Nothing is in it.
    Empty,
    /// Ours, with tables of this version, which may be an older or a newer one.
    Ours(u32),
    /// The database of another program, with its application id.
    Foreign(u32),
}

/// Reads what the database is, without changing it.
pub(crate) fn identify(connection: &Connection) -> rusqlite::Result<Identity> {
    // One statement, hence one moment: another process may be making the tables just now.
    let (application, version, objects): (i64, i64, i64) = connection.query_row(
        "SELECT (SELECT application_id FROM pragma_application_id),
                (SELECT user_version FROM pragma_user_version),
                (SELECT count(*) FROM sqlite_schema)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    // The header holds 32 bits, which SQLite shows with a sign.
    let application = (application & 0xFFFF_FFFF) as u32;
    Ok(match (application, objects) {
        (APPLICATION_ID, _) => Identity::Ours((version & 0xFFFF_FFFF) as u32),
        (0, 0) if version == 0 => Identity::Empty,
        (other, _) => Identity::Foreign(other),
    })
}

/// Brings the tables to [`VERSION`], in one transaction. Whoever comes second finds the work done.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<Identity> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = match identify(&transaction)? {
        Identity::Empty => 0,
        Identity::Ours(version) if version < VERSION => version,
        other => return Ok(other),
    };
    for step in STEPS.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(Identity::Ours(VERSION))
}

/// Fails if a table or column that is needed is not there.
pub(crate) fn check_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare(
        "SELECT tenant, key, version, value, keep_until, due_queue, due_at, due_shard FROM record",
    )?;
    connection.prepare("SELECT tenant, name, bytes, key FROM entry")?;
    Ok(())
}
