//! A batch as the parameters of one call, and its answer.

use auth_store::{
    Batch, CommitError, Committed, Due, IndexEntry, Key, NewRecord, TenantId, Timestamp, When,
    Write,
};
use smallvec::SmallVec;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::connection::Statement;
use crate::connections::Connections;
use crate::error::{Unreadable, commit_failed};
use crate::row;

/// The call of the function that applies a batch.
pub(crate) fn statement(schema: &str) -> Statement {
    const TYPES: &[Type] = &[
        Type::TEXT,
        Type::BYTEA,
        Type::INT8,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
        Type::BYTEA_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::INT2_ARRAY,
        Type::INT2_ARRAY,
        Type::BYTEA_ARRAY,
        Type::BYTEA_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::BYTEA_ARRAY,
        Type::BYTEA_ARRAY,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
    ];
    Statement::new(
        format!(
            "SELECT outcome, named, sums FROM {schema}.commit_1($1, $2, $3, $4, $5, $6, $7, $8, $9, \
             $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)"
        ),
        TYPES,
    )
    .brief()
}

/// Applies a batch in one round trip.
pub(crate) async fn commit(
    connections: &Connections,
    statement: &Statement,
    tenant: TenantId,
    batch: &Batch,
) -> Result<Committed, CommitError> {
    let tenant = tenant.as_str();
    let id = batch.id();
    let id = id.as_bytes().as_slice();
    let now = row::millis(batch.now());
    let Call { puts, deletes, adds, checks, conditions, versions } = Call::of(batch);
    let Rows { keys, values, keep, queues, due, shards, entries, indexed, names, bytes } = &puts;
    let parameters: [&(dyn ToSql + Sync); 21] = [
        &tenant,
        &id,
        &now,
        &&*conditions,
        &&*versions,
        &&**keys,
        &&**values,
        &&**keep,
        &&**queues,
        &&**due,
        &&**shards,
        &&**entries,
        &&*deletes,
        &&*adds.keys,
        &&*adds.by,
        &&*adds.below,
        &&*adds.keep,
        &&*checks,
        &&**indexed,
        &&**names,
        &&**bytes,
    ];
    let rows = connections
        .query(statement, &parameters)
        .await
        .map_err(|failure| commit_failed(failure, batch))?;
    // Whatever the answer is, the function ran to its end: only what it says is unreadable.
    let unknown = |error: Unreadable| CommitError::Unknown(error.into());
    let answer = rows.first().ok_or_else(|| unknown(odd("outcome")))?;
    read(answer).map_err(unknown)?
}

fn read(answer: &Row) -> Result<Result<Committed, CommitError>, Unreadable> {
    let outcome: &str = row::column(answer, 0, "outcome")?;
    Ok(match outcome {
        "applied" => {
            let sums: Option<Vec<&str>> = row::column(answer, 2, "sums")?;
            let sums = sums.unwrap_or_default().into_iter().map(str::parse);
            Ok(Committed { counters: sums.collect::<Result<_, _>>().map_err(|_| odd("sums"))? })
        }
        "replayed" => Ok(Committed::default()),
        "conflict" => Err(CommitError::Conflict(named(answer)?)),
        "full" => Err(named(answer)?
            .into_iter()
            .next()
            .map_or_else(|| CommitError::Unavailable(odd("named").into()), CommitError::Full)),
        _ => Err(CommitError::Unavailable("a record that is added to is not a counter".into())),
    })
}

fn named(answer: &Row) -> Result<Vec<Key>, Unreadable> {
    let keys: Vec<&[u8]> = row::column(answer, 1, "named")?;
    keys.into_iter().map(|key| Key::from_bytes(key).map_err(|_| odd("named"))).collect()
}

fn odd(column: &'static str) -> Unreadable {
    Unreadable { column, source: None }
}

/// What a column holds of each row: on the stack for most batches, which have a row or two in it.
type Column<T> = SmallVec<[T; 2]>;

/// Records and index entries, column by column.
#[derive(Default)]
pub(crate) struct Rows<'a> {
    pub(crate) keys: Column<&'a [u8]>,
    pub(crate) values: Column<&'a str>,
    pub(crate) keep: Column<Option<i64>>,
    pub(crate) queues: Column<Option<&'static str>>,
    pub(crate) due: Column<Option<i64>>,
    pub(crate) shards: Column<Option<i16>>,
    pub(crate) entries: Column<i16>,
    /// The keys of the entries.
    pub(crate) indexed: Column<&'a [u8]>,
    pub(crate) names: Column<&'a str>,
    pub(crate) bytes: Column<&'a [u8]>,
}

impl<'a> Rows<'a> {
    /// Adds a record; its entries are to follow by [`index`](Self::index).
    pub(crate) fn push(
        &mut self,
        key: &'a Key,
        value: &'a str,
        keep_until: Option<Timestamp>,
        due: Option<Due>,
    ) {
        self.keys.push(key.as_bytes());
        self.values.push(value);
        self.keep.push(keep_until.map(row::millis));
        self.queues.push(due.map(|due| due.queue.name()));
        self.due.push(due.map(|due| row::millis(due.at)));
        self.shards.push(due.map(|due| row::shard(due.shard)));
    }

    /// Adds the entries of the record that was pushed last.
    pub(crate) fn index(&mut self, key: &'a Key, index: &'a [IndexEntry]) {
        self.entries.push(i16::try_from(index.len()).unwrap_or(i16::MAX));
        for entry in index {
            self.indexed.push(key.as_bytes());
            self.names.push(&entry.name);
            self.bytes.push(&entry.bytes);
        }
    }
}

#[derive(Default)]
struct Adds<'a> {
    keys: Column<&'a [u8]>,
    by: Column<String>,
    below: Column<Option<String>>,
    keep: Column<i64>,
}

/// The parameters, column by column.
#[derive(Default)]
struct Call<'a> {
    puts: Rows<'a>,
    deletes: Column<&'a [u8]>,
    adds: Adds<'a>,
    checks: Column<&'a [u8]>,
    /// Of all keys, in the order puts, deletes, adds, checks.
    conditions: Column<&'static str>,
    versions: Column<Option<&'a [u8]>>,
}

impl<'a> Call<'a> {
    fn of(batch: &'a Batch) -> Self {
        let mut call = Self::default();
        let (mut deleted, mut checked) = (Column::new(), Column::new());
        for write in batch.writes() {
            match write {
                Write::Put { record, when, .. } => {
                    let NewRecord { key, value, index, keep_until, due } = record;
                    call.puts.push(key, value, *keep_until, *due);
                    call.puts.index(key, index);
                    call.demand(when);
                }
                Write::Delete { key, when, .. } => {
                    call.deletes.push(key.as_bytes());
                    deleted.push(when);
                }
                Write::Check { key, when } => {
                    call.checks.push(key.as_bytes());
                    checked.push(when);
                }
                Write::Add { key, n, below, keep_until } => {
                    call.adds.keys.push(key.as_bytes());
                    call.adds.by.push(n.to_string());
                    call.adds.below.push(below.map(|below| below.to_string()));
                    call.adds.keep.push(row::millis(*keep_until));
                }
            }
        }
        deleted.into_iter().for_each(|when| call.demand(when));
        call.adds.keys.iter().for_each(|_| {
            call.conditions.push("");
            call.versions.push(None);
        });
        checked.into_iter().for_each(|when| call.demand(when));
        call
    }

    fn demand(&mut self, when: &'a When) {
        let (condition, version) = match when {
            When::Any => ("", None),
            When::Absent => ("a", None),
            When::Present => ("p", None),
            When::At(version) => ("v", Some(version.as_bytes().as_slice())),
        };
        self.conditions.push(condition);
        self.versions.push(version);
    }
}
