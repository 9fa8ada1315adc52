//! Removes what need not be kept.

use auth_store::{Key, Sweep, Swept, TenantId};
use rusqlite::{Connection, params};

use crate::{apply, row};

/// The most records that one call removes, so that a sweep does not hold up the commits behind it.
const MOST: u32 = 200;

/// Removes up to `limit` records inside the writer's transaction.
pub(crate) fn sweep(connection: &Connection, what: &Sweep, limit: u32) -> rusqlite::Result<Swept> {
    let limit = limit.min(MOST);
    let mut doomed: Vec<(TenantId, Key)> = match what {
        Sweep::Expired { now } => {
            let mut expired = connection.prepare_cached(
                "SELECT tenant, key FROM record WHERE keep_until <= ?1
                 ORDER BY keep_until LIMIT ?2",
            )?;
            let bounds = params![row::millis(*now), limit + 1];
            expired
                .query_map(bounds, |row| Ok((row::tenant(row, 0)?, row::key(row, 1)?)))?
                .collect::<Result<_, _>>()?
        }
        Sweep::Range { tenant, range } => {
            let mut inside = connection.prepare_cached(
                "SELECT key FROM record WHERE tenant = ?1 AND key >= ?2 AND key < ?3
                 ORDER BY key LIMIT ?4",
            )?;
            let bounds = params![tenant.as_str(), range.start(), range.end(), limit + 1];
            inside
                .query_map(bounds, |row| Ok((*tenant, row::key(row, 0)?)))?
                .collect::<Result<_, _>>()?
        }
    };
    let more = doomed.len() > limit as usize;
    doomed.truncate(limit as usize);
    for (tenant, key) in &doomed {
        apply::remove(connection, *tenant, key)?;
    }
    Ok(Swept { removed: u32::try_from(doomed.len()).unwrap_or(u32::MAX), more })
}
