//! The statements by tokio-postgres alone.

use async_trait::async_trait;
use auth_core::store::{Batch, Key, NewRecord, TenantId, Timestamp, When, Write};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Statement as Prepared};

use crate::cpu::MANY;
use crate::floor_sqlite::renew;
use crate::scene::Failure;
use crate::served::floor::Driver;
use crate::served::recorded::Statement;

/// A connection for each caller.
pub(crate) struct PostgresFloor(Vec<Connection>);

/// A connection with its statements prepared.
struct Connection {
    client: Client,
    get: Prepared,
    commit: Prepared,
}

impl PostgresFloor {
    /// `postgres://…?schema=NAME`
    pub(crate) async fn open(spec: &str) -> Result<Self, Failure> {
        let mut connections = Vec::new();
        for _ in 0..MANY {
            connections.push(Connection::open(spec).await?);
        }
        Ok(Self(connections))
    }
}

#[async_trait]
impl Driver for PostgresFloor {
    async fn run(&self, statement: &Statement, number: u64) -> Result<(), Failure> {
        let connection = &self.0[number as usize % MANY];
        match statement {
            Statement::Get(keys) => connection.get(keys).await,
            Statement::Commit(batch) => connection.commit(batch, number).await,
        }
    }
}

impl Connection {
    async fn open(spec: &str) -> Result<Self, Failure> {
        let (url, schema) = spec.split_once("?schema=").ok_or("a URL without a schema")?;
        let mut config: Config = url.parse()?;
        // As the store has it.
        config.options(
            "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off",
        );
        let (client, connection) = config.connect(NoTls).await?;
        // Its end is told by the next statement.
        tokio::spawn(async move { drop(connection.await) });
        let get = client
            .prepare_typed(
                &format!(
                    "SELECT r.key, r.version, r.value, r.keep_until, r.due_queue, r.due_at, r.due_shard
                     FROM unnest($2) AS asked (key), LATERAL (
                         SELECT * FROM {schema}.record AS r
                         WHERE r.tenant = $1 AND r.key = asked.key OFFSET 0
                     ) AS r"
                ),
                &[Type::TEXT, Type::BYTEA_ARRAY],
            )
            .await?;
        let commit = client
            .prepare(&format!(
                "SELECT outcome, named, sums FROM {schema}.commit_1($1, $2, $3, $4, $5, $6, $7, $8, \
                 $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)"
            ))
            .await?;
        Ok(Self { client, get, commit })
    }

    async fn get(&self, keys: &[Key]) -> Result<(), Failure> {
        let keys: Vec<&[u8]> = keys.iter().map(Key::as_bytes).collect();
        let rows = self.client.query(&self.get, &[&TenantId::DEFAULT.as_str(), &keys]).await?;
        for row in rows {
            let (key, version): (&[u8], &[u8]) = (row.try_get(0)?, row.try_get(1)?);
            let (value, keep): (String, Option<i64>) = (row.try_get(2)?, row.try_get(3)?);
            std::hint::black_box((key, version, value, keep));
        }
        Ok(())
    }

    async fn commit(&self, batch: &Batch, number: u64) -> Result<(), Failure> {
        let mut id = *batch.id().as_bytes();
        id[..8].copy_from_slice(&number.to_be_bytes());
        let millis = |at: Timestamp| i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        let (mut keys, mut values, mut keep) = (Vec::new(), Vec::new(), Vec::new());
        let (mut conditions, mut checks) = (Vec::new(), Vec::<Vec<u8>>::new());
        let (mut entry_keys, mut names, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        let mut entries: Vec<i16> = Vec::new();
        for write in batch.writes() {
            let mut key = write.key().as_bytes().to_vec();
            let Write::Put { record: NewRecord { value, index, keep_until, .. }, when, .. } = write
            else {
                checks.push(key);
                continue;
            };
            if *when == When::Absent {
                renew(&mut key, number);
            }
            for entry in index {
                entry_keys.push(key.clone());
                names.push(&*entry.name);
                bytes.push(&*entry.bytes);
            }
            conditions.push(if *when == When::Absent { "a" } else { "p" });
            values.push(&**value);
            keep.push(keep_until.map(millis));
            entries.push(i16::try_from(index.len())?);
            keys.push(key);
        }
        conditions.extend(checks.iter().map(|_| ""));
        let versions: Vec<Option<&[u8]>> = vec![None; conditions.len()];
        let (texts, numbers) = (vec![None::<&str>; keys.len()], vec![None::<i64>; keys.len()]);
        let shards = vec![None::<i16>; keys.len()];
        let (no_keys, no_texts): (Vec<&[u8]>, Vec<&str>) = (Vec::new(), Vec::new());
        let no_numbers: Vec<i64> = Vec::new();
        let parameters: [&(dyn ToSql + Sync); 21] = [
            &TenantId::DEFAULT.as_str(),
            &id.as_slice(),
            &millis(batch.now()),
            &conditions,
            &versions,
            &keys,
            &values,
            &keep,
            &texts,
            &numbers,
            &shards,
            &entries,
            &no_keys,
            &no_keys,
            &no_texts,
            &no_texts,
            &no_numbers,
            &checks,
            &entry_keys,
            &names,
            &bytes,
        ];
        let row = self.client.query_one(&self.commit, &parameters).await?;
        let outcome: &str = row.try_get(0)?;
        if outcome == "applied" {
            Ok(())
        } else {
            Err(format!("the floor's commit: {outcome}").into())
        }
    }
}
