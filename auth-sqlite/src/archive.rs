//! The whole database in order, and back.

use std::cmp::Ordering;

use async_trait::async_trait;
use auth_store::limits::MAX_ARCHIVED;
use auth_store::{Archive, Archived, IndexEntry, Key, Place, Restored, StoreError, TenantId};
use rusqlite::{Connection, params};

use crate::apply;
use crate::row::{self, COLUMNS};
use crate::store::SqliteStore;

/// The entries of all records between two places, both included, in the order of the records.
const ENTRIES: &str = "SELECT tenant, key, name, bytes FROM entry
     WHERE (tenant, key) >= (?1, ?2) AND (tenant, key) <= (?3, ?4)
     ORDER BY tenant, key";

#[async_trait]
impl Archive for SqliteStore {
    async fn archived(
        &self,
        after: Option<&Place>,
        limit: u16,
    ) -> Result<Vec<Archived>, StoreError> {
        if !is_permitted(limit.into()) {
            return Err(StoreError::TooLarge);
        }
        self.readers().at_one_moment(2, |connection| page(connection, after, limit))
    }

    /// One transaction, or part of one that other changes share: all of the records, or none.
    async fn restore(&self, records: &[Archived]) -> Result<Restored, StoreError> {
        if !is_permitted(records.len()) {
            return Err(StoreError::TooLarge);
        }
        self.writer().restore(records.to_vec()).await
    }
}

fn is_permitted(records: usize) -> bool {
    (1..=usize::from(MAX_ARCHIVED)).contains(&records)
}

fn page(
    connection: &Connection,
    after: Option<&Place>,
    limit: u16,
) -> rusqlite::Result<Vec<Archived>> {
    // No tenant is empty: the place before all others.
    let (tenant, key) =
        after.map_or(("", b"".as_slice()), |after| (after.tenant.as_str(), after.key.as_bytes()));
    let mut page = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, r.tenant FROM record AS r WHERE (r.tenant, r.key) > (?1, ?2)
             ORDER BY r.tenant, r.key LIMIT ?3"
        ))?
        .query_map(params![tenant, key, limit], |row| {
            Ok(Archived {
                tenant: row::tenant(row, 7)?,
                record: row::record(row)?,
                index: Vec::new(),
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if let (Some(first), Some(last)) = (page.first(), page.last()) {
        let (first, last) = (first.place(), last.place());
        let found = connection
            .prepare_cached(ENTRIES)?
            .query_map(
                params![
                    first.tenant.as_str(),
                    first.key.as_bytes(),
                    last.tenant.as_str(),
                    last.key.as_bytes()
                ],
                |row| {
                    let name: String = row.get(2)?;
                    let entry = IndexEntry::new(name, row.get::<_, Vec<u8>>(3)?);
                    Ok((row::tenant(row, 0)?, row::key(row, 1)?, entry))
                },
            )?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        hand_out(found, &mut page);
    }
    Ok(page)
}

/// Gives each record its entries; both come in the same order.
fn hand_out(entries: Vec<(TenantId, Key, IndexEntry)>, page: &mut [Archived]) {
    let mut records = page.iter_mut().peekable();
    for (tenant, key, entry) in entries {
        while let Some(record) = records.peek_mut() {
            match (record.tenant, &record.record.key).cmp(&(tenant, &key)) {
                Ordering::Less => drop(records.next()),
                Ordering::Equal => {
                    record.index.push(entry);
                    break;
                }
                // An entry that leads to no record.
                Ordering::Greater => break,
            }
        }
    }
}

/// Writes inside the writer's transaction whatever is not there yet.
pub(crate) fn restore(connection: &Connection, records: &[Archived]) -> rusqlite::Result<Restored> {
    let mut restored = Restored::default();
    for Archived { tenant, record, index } in records {
        if apply::insert(connection, *tenant, record, index)? {
            restored.written += 1;
        } else {
            restored.kept += 1;
        }
    }
    Ok(restored)
}
