//! [`PostgresStore`]: the contract itself.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use auth_store::limits::{MAX_GET_KEYS, MAX_SCANS};
use auth_store::{
    Batch, CommitError, Committed, Key, Page, Queue, Record, Scan, Store, StoreError, Sweep, Swept,
    TenantId, Timestamp,
};
use tokio_postgres::types::{ToSql, Type};

use crate::commits::Commits;
use crate::connection::{Connector, Statement, Timeouts};
use crate::connections::{Connections, Sharing};
use crate::error::{NoConnection, OpenError, Peer, only_reads};
use crate::options::PostgresOptions;
use crate::row::{self, COLUMNS, WIDTH};
use crate::{archive, scan, schema, server, tls};

/// The storage contract on a PostgreSQL database.
///
/// Cheap to share behind an `Arc`; every process opens its own. Connections are made when they are
/// needed and made anew when they ended, so that work resumes by itself when the database is back.
///
/// A commit whose future is dropped may still be applied. [`sweep`](Store::sweep) removes at most 256
/// records a call, and says so by `more`.
pub struct PostgresStore {
    peer: Peer,
    pub(crate) writes: Arc<Connections>,
    commits: Commits,
    pub(crate) reads: Connections,
    pub(crate) statements: Statements,
}

/// One commit waits behind another if all connections commit: it would have to wait for one of them anyway.
const WRITES: Sharing = Sharing { first: 1, most: 2 };

/// A few reads of keys travel together even if other connections are idle.
const READS: Sharing = Sharing { first: 4, most: 4 };

/// The most records that one call of [`Store::sweep`] removes: each takes a lock of the server's table.
const MOST_SWEPT: u32 = 256;

/// Every statement that is sent.
#[derive(Debug)]
pub(crate) struct Statements {
    get: Statement,
    scan: scan::Statements,
    due: Statement,
    sweep_expired: Statement,
    sweep_range: Statement,
    pub(crate) archive: archive::Statements,
}

impl Statements {
    fn new(schema: &str) -> Self {
        // The rows to remove are chosen without locks and looked at again once they are locked.
        let sweep = |columns: &str, chosen: &str, expired_at: &str, limit: &str| {
            format!(
                "SELECT coalesce({schema}.remove_1(
                     array_agg(tenant) FILTER (WHERE n <= {limit}),
                     array_agg(key) FILTER (WHERE n <= {limit}), {expired_at}), 0),
                 count(*) > {limit}
                 FROM (SELECT tenant, key, row_number() OVER () AS n FROM (
                     SELECT {columns} FROM {schema}.record WHERE {chosen} LIMIT {limit} + 1
                 ) AS chosen) AS numbered"
            )
        };
        Self {
            get: Statement::new(
                format!(
                    // Key by key: for `= ANY ($2)` the planner may go through all of a tenant.
                    "SELECT {COLUMNS} FROM unnest($2) AS asked (key), LATERAL (
                         SELECT * FROM {schema}.record AS r
                         WHERE r.tenant = $1 AND r.key = asked.key OFFSET 0
                     ) AS r"
                ),
                &[Type::TEXT, Type::BYTEA_ARRAY],
            )
            .brief(),
            scan: scan::Statements::new(schema),
            due: Statement::new(
                format!(
                    "SELECT {COLUMNS}, r.tenant FROM {schema}.record AS r
                     WHERE r.due_queue = $1 AND r.due_at <= $2 AND r.due_shard >= $3
                     AND r.due_shard < $4 ORDER BY r.due_at LIMIT $5"
                ),
                &[Type::TEXT, Type::INT8, Type::INT4, Type::INT4, Type::INT8],
            ),
            sweep_expired: Statement::new(
                sweep("tenant, key", "keep_until <= $1 ORDER BY keep_until", "$1", "$2"),
                &[Type::INT8, Type::INT8],
            ),
            sweep_range: Statement::new(
                sweep(
                    "tenant, key",
                    "tenant = $1 AND key >= $2 AND key < $3 ORDER BY key",
                    "NULL",
                    "$4",
                ),
                &[Type::TEXT, Type::BYTEA, Type::BYTEA, Type::INT8],
            ),
            archive: archive::Statements::new(schema),
        }
    }
}

impl PostgresStore {
    /// Opens the database with the defaults of [`PostgresOptions`].
    ///
    /// # Errors
    /// [`OpenError`] says what is in the way and what to do.
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        PostgresOptions::from_url(url)?.connect().await
    }

    pub(crate) async fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        schema::check_name(&options.schema)?;
        let encrypted = options.dsn.encrypted(options.insecure_plaintext)?;
        let tls = match (encrypted, &options.root_certificates) {
            (false, _) => None,
            (true, None) => Some(tls::connector(None)?),
            (true, Some(path)) => {
                let file = path.display().to_string();
                let pem = std::fs::read(path).map_err(|error| OpenError::Certificates {
                    file: file.clone(),
                    source: error.into(),
                })?;
                Some(tls::connector(Some((&file, &pem)))?)
            }
        };
        let timeouts =
            Timeouts { connect: options.connect_timeout, statement: options.statement_timeout };
        let config = options.dsn.config(encrypted);
        let connector = Connector::new(config, tls, timeouts, options.statement_cache);
        let writes = Arc::new(Connections::new(connector.clone(), options.commits, WRITES));
        let store = Self {
            commits: Commits::new(writes.clone(), &options.schema),
            writes,
            reads: Connections::new(connector.clone(), options.reads, READS),
            peer: options.dsn.peer(),
            statements: Statements::new(&options.schema),
        };
        let first = match connector.connect().await {
            // Any server that answers says why.
            Err(NoConnection::Refused(error)) if only_reads(&error) => {
                connector.to_any_server().connect().await
            }
            first => first,
        };
        let mut first = first.map_err(|error| store.not_connected(error))?;
        server::check(&first.client, &store.peer, options.insecure_volatile).await?;
        schema::migrate(&mut first.client, &store.peer, &options.schema, options.migrate).await?;
        store.writes.adopt(first);
        Ok(store)
    }

    fn not_connected(&self, error: NoConnection) -> OpenError {
        match error {
            NoConnection::Refused(error) => OpenError::connect(&self.peer, error),
            other => OpenError::Unreachable { host: self.peer.host.clone(), source: other.into() },
        }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Peer { host, role, database } = &self.peer;
        write!(f, "PostgresStore({role} in {database} at {host})")
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn get(&self, tenant: TenantId, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        if keys.len() > MAX_GET_KEYS {
            return Err(StoreError::TooLarge);
        }
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let bytes: Vec<&[u8]> = keys.iter().map(Key::as_bytes).collect();
        let rows = self.reads.read(&self.statements.get, &[&tenant.as_str(), &bytes]).await?;
        let mut records = vec![None; keys.len()];
        for row in &rows {
            let record = row::record(row)?;
            let asked = |(key, _): &(&Key, &mut Option<Record>)| **key == record.key;
            for (_, slot) in keys.iter().zip(&mut records).filter(asked) {
                *slot = Some(record.clone());
            }
        }
        Ok(records)
    }

    async fn scan(&self, tenant: TenantId, scans: &[Scan]) -> Result<Vec<Page>, StoreError> {
        if scans.len() > MAX_SCANS || !scans.iter().all(Scan::is_permitted) {
            return Err(StoreError::TooLarge);
        }
        if scans.is_empty() {
            return Ok(Vec::new());
        }
        let bounds: Vec<_> = scans.iter().map(|scan| scan::Bounds::new(&tenant, scan)).collect();
        let statements: Vec<_> = scans
            .iter()
            .zip(&bounds)
            .map(|(scan, bounds)| (self.statements.scan.of(scan), bounds.parameters()))
            .collect();
        let pages = self.reads.read_all(&statements).await?;
        let pages = scans.iter().zip(&pages).map(|(scan, rows)| scan::page(scan, rows));
        Ok(pages.collect::<Result<_, _>>()?)
    }

    async fn commit(&self, tenant: TenantId, batch: &Batch) -> Result<Committed, CommitError> {
        if batch.is_empty() {
            return Ok(Committed::default());
        }
        self.commits.commit(tenant, batch).await
    }

    async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        let limit = i64::from(limit.min(MOST_SWEPT));
        let Statements { sweep_expired, sweep_range, .. } = &self.statements;
        let answer = match &what {
            Sweep::Expired { now } => {
                self.writes.query(sweep_expired, &[&row::millis(*now), &limit]).await?
            }
            Sweep::Range { tenant, range } => {
                let parameters: [&(dyn ToSql + Sync); 4] =
                    [&tenant.as_str(), &range.start(), &range.end(), &limit];
                self.writes.query(sweep_range, &parameters).await?
            }
        };
        let Some(answer) = answer.first() else { return Ok(Swept { removed: 0, more: false }) };
        let removed: i64 = row::column(answer, 0, "removed")?;
        let removed = u32::try_from(removed).unwrap_or(u32::MAX);
        Ok(Swept { removed, more: row::column(answer, 1, "more")? })
    }

    async fn due(
        &self,
        queue: Queue,
        now: Timestamp,
        shards: Range<u16>,
        limit: u32,
    ) -> Result<Vec<(TenantId, Record)>, StoreError> {
        let parameters: [&(dyn ToSql + Sync); 5] = [
            &queue.name(),
            &row::millis(now),
            &i32::from(shards.start),
            &i32::from(shards.end),
            &i64::from(limit),
        ];
        let rows = self.reads.read(&self.statements.due, &parameters).await?;
        let due = rows.iter().map(|row| Ok((row::tenant(row, WIDTH)?, row::record(row)?)));
        Ok(due.collect::<Result<_, crate::error::Unreadable>>()?)
    }
}
