//! Batches as the parameters of one call, and its answers.

use auth_store::{
    Batch, CommitError, Committed, Due, IndexEntry, Key, NewRecord, TenantId, Timestamp, When,
    Write,
};
use smallvec::SmallVec;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::column::Column;
use crate::connection::Statement;
use crate::connections::Connections;
use crate::error::{Failure, Unreadable};
use crate::row;

/// The calls of the functions that apply batches.
#[derive(Debug)]
pub(crate) struct Statements {
    /// One batch.
    one: Statement,
    /// Several, in one transaction.
    several: Statement,
}

/// What became of a batch.
pub(crate) type Outcome = Result<Committed, CommitError>;

impl Statements {
    pub(crate) fn new(schema: &str) -> Self {
        const ONE: &[Type] = &[Type::TEXT, Type::BYTEA, Type::INT8];
        const SEVERAL: &[Type] = &[
            Type::TEXT_ARRAY,
            Type::BYTEA_ARRAY,
            Type::TEXT_ARRAY,
            Type::BYTEA_ARRAY,
            Type::INT8_ARRAY,
            Type::INT4_ARRAY,
        ];
        let types = |own: &[Type]| [own, WRITES].concat();
        let one = format!(
            "SELECT outcome, named, sums FROM {schema}.commit_1($1, $2, $3, $4, $5, $6, $7, $8, $9, \
             $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)"
        );
        let several = format!(
            "SELECT outcome, named, sums FROM {schema}.commit_2($1, $2, $3, $4, $5, $6, $7, $8, $9, \
             $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)"
        );
        Self {
            one: Statement::new(one, types(ONE)).brief(),
            several: Statement::new(several, types(SEVERAL)).brief(),
        }
    }
}

/// Applies a batch in one round trip.
pub(crate) async fn one(
    connections: &Connections,
    statements: &Statements,
    (tenant, batch): (TenantId, &Batch),
) -> Result<Outcome, Failure> {
    let tenant = tenant.as_str();
    let id = batch.id();
    let id = id.as_bytes().as_slice();
    let now = row::millis(batch.now());
    let mut writes = Writes::default();
    writes.push(batch);
    let mut parameters: Parameters<'_> = SmallVec::new();
    parameters.extend_from_slice(&[&tenant, &id, &now]);
    writes.add_to(&mut parameters);
    let rows = connections.query(&statements.one, &parameters).await?;
    Ok(answer(rows.first()))
}

/// Applies batches one after the other in one round trip and one transaction: a batch that is refused leaves the
/// others alone, a failure is that of all.
pub(crate) async fn several(
    connections: &Connections,
    statements: &Statements,
    batches: impl Iterator<Item = (TenantId, &Batch)> + Clone,
) -> Result<SmallVec<[Outcome; 1]>, Failure> {
    let ids: Vec<_> = batches.clone().map(|(_, batch)| batch.id()).collect();
    let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    let (mut tenants, mut times, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lock_tenants, mut lock_keys) = (Vec::new(), Vec::new());
    let mut writes = Writes::default();
    for (tenant, batch) in batches {
        tenants.push(tenant);
        times.push(row::millis(batch.now()));
        sizes.extend(writes.push(batch));
        lock_tenants.extend(batch.writes().iter().map(|_| tenant));
        lock_keys.extend(batch.writes().iter().map(|write| write.key().as_bytes()));
    }
    let tenants: Vec<&str> = tenants.iter().map(TenantId::as_str).collect();
    let lock_tenants: Vec<&str> = lock_tenants.iter().map(TenantId::as_str).collect();
    let mut parameters: Parameters<'_> = SmallVec::new();
    parameters.extend_from_slice(&[&lock_tenants, &lock_keys, &tenants, &ids, &times, &sizes]);
    writes.add_to(&mut parameters);
    let rows = connections.query(&statements.several, &parameters).await?;
    Ok((0..ids.len()).map(|number| answer(rows.get(number))).collect())
}

/// What an answer says. Whatever it is, the function ran to its end: only the answer can be unreadable.
fn answer(row: Option<&Row>) -> Outcome {
    let unknown = |error: Unreadable| CommitError::Unknown(error.into());
    read(row.ok_or_else(|| unknown(odd("outcome")))?).map_err(unknown)?
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

/// The parameters that hold the writes of batches.
type Parameters<'p> = SmallVec<[&'p (dyn ToSql + Sync); 24]>;

/// Their types.
const WRITES: &[Type] = &[
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

/// The writes of batches, kind by kind and column by column.
#[derive(Default)]
struct Writes<'a> {
    puts: Rows<'a>,
    deletes: Column<&'a [u8]>,
    adds: Adds<'a>,
    checks: Column<&'a [u8]>,
    /// Batch by batch of all keys, in the order puts, deletes, adds, checks.
    conditions: Column<&'static str>,
    versions: Column<Option<&'a [u8]>>,
}

impl<'a> Writes<'a> {
    /// Adds a batch, and says how many puts, deletes, adds, checks and entries it has.
    fn push(&mut self, batch: &'a Batch) -> [i32; 5] {
        let before = self.sizes();
        let (mut deleted, mut checked) = (SmallVec::<[_; 2]>::new(), SmallVec::<[_; 2]>::new());
        for write in batch.writes() {
            match write {
                Write::Put { record, when, .. } => {
                    let NewRecord { key, value, index, keep_until, due } = record;
                    self.puts.push(key, value, *keep_until, *due);
                    self.puts.index(key, index);
                    self.demand(when);
                }
                Write::Delete { key, when, .. } => {
                    self.deletes.push(key.as_bytes());
                    deleted.push(when);
                }
                Write::Check { key, when } => {
                    self.checks.push(key.as_bytes());
                    checked.push(when);
                }
                Write::Add { key, n, below, keep_until } => {
                    self.adds.keys.push(key.as_bytes());
                    self.adds.by.push(n.to_string());
                    self.adds.below.push(below.map(|below| below.to_string()));
                    self.adds.keep.push(row::millis(*keep_until));
                }
            }
        }
        let after = self.sizes();
        deleted.into_iter().for_each(|when| self.demand(when));
        (before[2]..after[2]).for_each(|_| self.demand(&When::Any));
        checked.into_iter().for_each(|when| self.demand(when));
        // Far fewer than fit: a batch has at most 256 writes and 1 MiB.
        std::array::from_fn(|kind| i32::try_from(after[kind] - before[kind]).unwrap_or(i32::MAX))
    }

    fn sizes(&self) -> [usize; 5] {
        let Self { puts, deletes, adds, checks, .. } = self;
        [puts.keys.len(), deletes.len(), adds.keys.len(), checks.len(), puts.indexed.len()]
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

    fn add_to<'p>(&'p self, parameters: &mut Parameters<'p>) {
        let Self { puts, deletes, adds, checks, conditions, versions } = self;
        let Rows { keys, values, keep, queues, due, shards, entries, indexed, names, bytes } = puts;
        parameters.extend_from_slice(&[
            conditions,
            versions,
            keys,
            values,
            keep,
            queues,
            due,
            shards,
            entries,
            deletes,
            &adds.keys,
            &adds.by,
            &adds.below,
            &adds.keep,
            checks,
            indexed,
            names,
            bytes,
        ]);
    }
}
