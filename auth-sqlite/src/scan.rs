//! Pages of ranges.

use auth_store::{Cursor, Direction, Key, KeyRange, Page, Scan, ScanRange, TenantId, Want};
use rusqlite::{Connection, ToSql};

use crate::row::{self, COLUMNS};

/// The page of one scan, in one statement.
pub(crate) fn page(
    connection: &Connection,
    tenant: TenantId,
    scan: &Scan,
) -> rusqlite::Result<Page> {
    match &scan.range {
        ScanRange::Keys(range) => by_key(connection, tenant, scan, range),
        ScanRange::Index { name, start, end } => {
            by_index(connection, tenant, scan, name, (start, end))
        }
    }
}

fn by_key(
    connection: &Connection,
    tenant: TenantId,
    scan: &Scan,
    range: &KeyRange,
) -> rusqlite::Result<Page> {
    let ascending = scan.direction == Direction::Ascending;
    let (mut start, mut end) = (range.start().to_vec(), range.end());
    if let Some(after) = &scan.after {
        if ascending {
            // The smallest key after another one is that one and a zero byte.
            let beyond = [after.key.as_bytes(), &[0]].concat();
            start = start.max(beyond);
        } else {
            end = end.min(after.key.as_bytes());
        }
    }
    let from = "FROM record AS r WHERE r.tenant = ?1 AND r.key >= ?2 AND r.key < ?3";
    let order = if ascending { "ORDER BY r.key" } else { "ORDER BY r.key DESC" };
    let shape = Shape { from, order, cursor: "x''", limit: 4 };
    let bounds: [&dyn ToSql; 3] = [&tenant.as_str(), &start, &end];
    read(connection, scan, &shape, &bounds)
}

fn by_index(
    connection: &Connection,
    tenant: TenantId,
    scan: &Scan,
    name: &str,
    (start, end): (&[u8], &[u8]),
) -> rusqlite::Result<Page> {
    let ascending = scan.direction == Direction::Ascending;
    // No key is empty: all entries with the bytes `start` lie beyond (start, ""), and all with the
    // bytes `end` beyond (end, "").
    let (mut low, mut high) = ((start, b"".as_slice()), (end, b"".as_slice()));
    if let Some(after) = &scan.after {
        let place = (&*after.bytes, after.key.as_bytes());
        if ascending { low = low.max(place) } else { high = high.min(place) }
    }
    // CROSS JOIN keeps the order of the tables: entries lead, records follow.
    let with_record =
        "FROM entry AS e CROSS JOIN record AS r ON r.tenant = e.tenant AND r.key = e.key
         WHERE e.tenant = ?1 AND e.name = ?2 AND (e.bytes, e.key) > (?3, ?4)
         AND (e.bytes, e.key) < (?5, ?6)";
    let alone = "FROM entry AS r WHERE r.tenant = ?1 AND r.name = ?2
         AND (r.bytes, r.key) > (?3, ?4) AND (r.bytes, r.key) < (?5, ?6)";
    let (from, cursor) =
        if scan.want == Want::Records { (with_record, "e.bytes") } else { (alone, "r.bytes") };
    let order = match (scan.want, ascending) {
        (Want::Records, true) => "ORDER BY e.bytes, e.key",
        (Want::Records, false) => "ORDER BY e.bytes DESC, e.key DESC",
        (_, true) => "ORDER BY r.bytes, r.key",
        (_, false) => "ORDER BY r.bytes DESC, r.key DESC",
    };
    let shape = Shape { from, order, cursor, limit: 7 };
    let bounds: [&dyn ToSql; 6] = [&tenant.as_str(), &name, &low.0, &low.1, &high.0, &high.1];
    read(connection, scan, &shape, &bounds)
}

/// What differs between the statements.
struct Shape {
    from: &'static str,
    order: &'static str,
    /// The bytes of the cursor.
    cursor: &'static str,
    /// The number of the parameter for the limit; the one for the offset follows.
    limit: usize,
}

fn read(
    connection: &Connection,
    scan: &Scan,
    shape: &Shape,
    bounds: &[&dyn ToSql],
) -> rusqlite::Result<Page> {
    let Shape { from, order, cursor, limit: at } = shape;
    let window = format!("LIMIT ?{at} OFFSET ?{}", at + 1);
    let limit = match scan.want {
        Want::Count { cap } => i64::from(cap),
        // One more than a page holds tells whether another follows.
        Want::Keys | Want::Records => i64::from(scan.limit) + 1,
    };
    let parameters = [bounds, &[&limit, &scan.skip]].concat();
    let mut page = Page::default();
    match scan.want {
        Want::Count { .. } => {
            page.count = connection
                .prepare_cached(&format!("SELECT count(*) FROM (SELECT 1 {from} {window})"))?
                .query_row(&*parameters, |row| row.get(0))?;
        }
        Want::Keys => {
            let found = connection
                .prepare_cached(&format!("SELECT r.key, {cursor} {from} {order} {window}"))?
                .query_map(&*parameters, |row| Ok((row::key(row, 0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            (page.keys, page.next) = cut(found, scan.limit, |key| key);
        }
        Want::Records => {
            let found = connection
                .prepare_cached(&format!("SELECT {COLUMNS}, {cursor} {from} {order} {window}"))?
                .query_map(&*parameters, |row| Ok((row::record(row)?, row.get(7)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            (page.records, page.next) = cut(found, scan.limit, |record| &record.key);
        }
    }
    Ok(page)
}

/// What was found, each with the bytes of its cursor, as a page and the place where the next begins.
fn cut<T>(
    mut found: Vec<(T, Vec<u8>)>,
    limit: u16,
    key: impl Fn(&T) -> &Key,
) -> (Vec<T>, Option<Cursor>) {
    let more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found
        .last()
        .filter(|_| more)
        .map(|(last, bytes)| Cursor { bytes: bytes.as_slice().into(), key: key(last).clone() });
    (found.into_iter().map(|(entry, _)| entry).collect(), next)
}
