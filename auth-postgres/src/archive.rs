//! The whole database, read and restored as it is.

use async_trait::async_trait;
use auth_store::limits::MAX_ARCHIVED;
use auth_store::{Archive, Archived, IndexEntry, Place, Restored, StoreError};
use tokio_postgres::types::{ToSql, Type};

use crate::commit::Rows;
use crate::connection::Statement;
use crate::error::Unreadable;
use crate::row::{self, COLUMNS, WIDTH};
use crate::store::PostgresStore;

/// The statements of an archive.
#[derive(Debug)]
pub(crate) struct Statements {
    page: Statement,
    restore: Statement,
}

impl Statements {
    pub(crate) fn new(schema: &str) -> Self {
        Self {
            page: Statement::new(
                format!(
                    "SELECT {COLUMNS}, r.tenant, e.names, e.bytes
                     FROM {schema}.record AS r LEFT JOIN LATERAL (
                         SELECT array_agg(name ORDER BY name, bytes) AS names,
                                array_agg(bytes ORDER BY name, bytes) AS bytes
                         FROM {schema}.entry WHERE tenant = r.tenant AND key = r.key
                     ) AS e ON r.entries > 0
                     WHERE (r.tenant, r.key) > ($1, $2) ORDER BY r.tenant, r.key LIMIT $3"
                ),
                &[Type::TEXT, Type::BYTEA, Type::INT8],
            ),
            restore: Statement::new(
                format!(
                    "SELECT {schema}.restore_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
                ),
                &[
                    Type::TEXT_ARRAY,
                    Type::BYTEA_ARRAY,
                    Type::BYTEA_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::INT8_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::INT8_ARRAY,
                    Type::INT2_ARRAY,
                    Type::INT2_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::BYTEA_ARRAY,
                    Type::TEXT_ARRAY,
                    Type::BYTEA_ARRAY,
                ],
            ),
        }
    }
}

fn archived(row: &tokio_postgres::Row) -> Result<Archived, Unreadable> {
    let names: Option<Vec<String>> = row::column(row, WIDTH + 1, "name")?;
    let bytes: Option<Vec<Vec<u8>>> = row::column(row, WIDTH + 2, "bytes")?;
    let entries = names.unwrap_or_default().into_iter().zip(bytes.unwrap_or_default());
    Ok(Archived {
        tenant: row::tenant(row, WIDTH)?,
        record: row::record(row)?,
        index: entries.map(|(name, bytes)| IndexEntry::new(name, bytes)).collect(),
    })
}

#[async_trait]
impl Archive for PostgresStore {
    async fn archived(
        &self,
        after: Option<&Place>,
        limit: u16,
    ) -> Result<Vec<Archived>, StoreError> {
        if !(1..=MAX_ARCHIVED).contains(&limit) {
            return Err(StoreError::TooLarge);
        }
        let tenant = after.map_or("", |place| place.tenant.as_str());
        let key: &[u8] = after.map_or(&[], |place| place.key.as_bytes());
        let parameters: [&(dyn ToSql + Sync); 3] = [&tenant, &key, &i64::from(limit)];
        let rows = self.reads.read(&self.statements.archive.page, &parameters).await?;
        Ok(rows.iter().map(archived).collect::<Result<_, _>>()?)
    }

    async fn restore(&self, records: &[Archived]) -> Result<Restored, StoreError> {
        if !(1..=usize::from(MAX_ARCHIVED)).contains(&records.len()) {
            return Err(StoreError::TooLarge);
        }
        let mut rows = Rows::default();
        let (mut tenants, mut versions, mut entry_tenants) = (Vec::new(), Vec::new(), Vec::new());
        for Archived { tenant, record, index } in records {
            tenants.push(tenant.as_str());
            versions.push(record.version.as_bytes().as_slice());
            entry_tenants.extend(index.iter().map(|_| tenant.as_str()));
            rows.push(&record.key, &record.value, record.keep_until, record.due);
            rows.index(&record.key, index);
        }
        let Rows { keys, values, keep, queues, due, shards, entries, indexed, names, bytes } =
            &rows;
        let parameters: [&(dyn ToSql + Sync); 13] = [
            &tenants,
            keys,
            &versions,
            values,
            keep,
            queues,
            due,
            shards,
            entries,
            &entry_tenants,
            indexed,
            names,
            bytes,
        ];
        let answer = self.writes.query(&self.statements.archive.restore, &parameters).await?;
        let written: i64 = match answer.first() {
            Some(row) => row::column(row, 0, "restore_1")?,
            None => 0,
        };
        let written = u32::try_from(written).unwrap_or(u32::MAX);
        let kept = u32::try_from(records.len()).unwrap_or(u32::MAX).saturating_sub(written);
        Ok(Restored { written, kept })
    }
}
