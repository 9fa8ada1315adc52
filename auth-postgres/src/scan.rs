//! Pages of ranges.

use auth_store::{Cursor, Direction, Key, Page, Scan, ScanRange, TenantId, Want};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::connection::Statement;
use crate::error::Unreadable;
use crate::row::{self, COLUMNS, WIDTH};

/// A statement for each form of a scan.
#[derive(Debug)]
pub(crate) struct Statements {
    /// By key: ascending, descending.
    by_key: [Forms; 2],
    /// By index: ascending, descending.
    by_index: [Forms; 2],
}

#[derive(Debug)]
struct Forms {
    records: Statement,
    keys: Statement,
    count: Statement,
}

impl Statements {
    pub(crate) fn new(schema: &str) -> Self {
        let by_key = |order: &str| {
            let from = format!(
                "FROM {schema}.record AS r WHERE r.tenant = $1 AND r.key >= $2 AND r.key < $3"
            );
            let order = format!("ORDER BY r.key {order} LIMIT $4 OFFSET $5");
            const TYPES: &[Type] = &[Type::TEXT, Type::BYTEA, Type::BYTEA, Type::INT8, Type::INT8];
            Forms {
                records: statement(format!("SELECT {COLUMNS}, ''::bytea {from} {order}"), TYPES),
                keys: statement(format!("SELECT r.key, ''::bytea {from} {order}"), TYPES),
                count: counted(&from, "LIMIT $4 OFFSET $5", TYPES),
            }
        };
        let by_index = |order: &str| {
            let range = "WHERE e.tenant = $1 AND e.name = $2 AND (e.bytes, e.key) > ($3, $4)
                 AND (e.bytes, e.key) < ($5, $6)";
            let alone = format!("FROM {schema}.entry AS e {range}");
            let with_record = format!(
                "FROM {schema}.entry AS e
                 JOIN {schema}.record AS r ON r.tenant = e.tenant AND r.key = e.key {range}"
            );
            let order = format!("ORDER BY e.bytes {order}, e.key {order} LIMIT $7 OFFSET $8");
            const TYPES: &[Type] = &[
                Type::TEXT,
                Type::TEXT,
                Type::BYTEA,
                Type::BYTEA,
                Type::BYTEA,
                Type::BYTEA,
                Type::INT8,
                Type::INT8,
            ];
            let records = format!("SELECT {COLUMNS}, e.bytes {with_record} {order}");
            Forms {
                records: statement(records, TYPES),
                keys: statement(format!("SELECT e.key, e.bytes {alone} {order}"), TYPES),
                count: counted(&alone, "LIMIT $7 OFFSET $8", TYPES),
            }
        };
        Self { by_key: ["ASC", "DESC"].map(by_key), by_index: ["ASC", "DESC"].map(by_index) }
    }

    /// The statement of a scan.
    pub(crate) fn of(&self, scan: &Scan) -> &Statement {
        let of = match scan.range {
            ScanRange::Keys(_) => &self.by_key,
            ScanRange::Index { .. } => &self.by_index,
        };
        let forms = &of[usize::from(scan.direction == Direction::Descending)];
        match scan.want {
            Want::Records => &forms.records,
            Want::Keys => &forms.keys,
            Want::Count { .. } => &forms.count,
        }
    }
}

fn statement(text: String, types: &'static [Type]) -> Statement {
    Statement::new(text, types)
}

fn counted(from: &str, window: &str, types: &'static [Type]) -> Statement {
    statement(format!("SELECT count(*) FROM (SELECT {from} {window}) AS counted"), types)
}

/// The values of the parameters of a scan's statement.
pub(crate) struct Bounds<'a> {
    tenant: &'a str,
    range: Range<'a>,
    limit: i64,
    skip: i64,
}

enum Range<'a> {
    Keys { start: Vec<u8>, end: &'a [u8] },
    Index { name: &'a str, low: (&'a [u8], &'a [u8]), high: (&'a [u8], &'a [u8]) },
}

impl<'a> Bounds<'a> {
    pub(crate) fn new(tenant: &'a TenantId, scan: &'a Scan) -> Self {
        let ascending = scan.direction == Direction::Ascending;
        let range = match &scan.range {
            ScanRange::Keys(range) => {
                let (mut start, mut end) = (range.start().to_vec(), range.end());
                match &scan.after {
                    // The smallest key after another one is that one and a zero byte.
                    Some(after) if ascending => {
                        start = start.max([after.key.as_bytes(), &[0]].concat());
                    }
                    Some(after) => end = end.min(after.key.as_bytes()),
                    None => {}
                }
                Range::Keys { start, end }
            }
            ScanRange::Index { name, start, end } => {
                // No key is empty: all entries with the bytes `start` lie beyond (start, ""), and all
                // with the bytes `end` beyond (end, "").
                let mut low: (&[u8], &[u8]) = (start, b"");
                let mut high: (&[u8], &[u8]) = (end, b"");
                if let Some(after) = &scan.after {
                    let place = (&*after.bytes, after.key.as_bytes());
                    if ascending { low = low.max(place) } else { high = high.min(place) }
                }
                Range::Index { name, low, high }
            }
        };
        let limit = match scan.want {
            Want::Count { cap } => i64::from(cap),
            // One more than a page holds tells whether another follows.
            Want::Keys | Want::Records => i64::from(scan.limit) + 1,
        };
        Self { tenant: tenant.as_str(), range, limit, skip: i64::from(scan.skip) }
    }

    pub(crate) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        match &self.range {
            Range::Keys { start, end } => {
                vec![&self.tenant, start, end, &self.limit, &self.skip]
            }
            Range::Index { name, low, high } => {
                vec![&self.tenant, name, &low.0, &low.1, &high.0, &high.1, &self.limit, &self.skip]
            }
        }
    }
}

/// The page of a scan's rows.
pub(crate) fn page(scan: &Scan, rows: &[Row]) -> Result<Page, Unreadable> {
    let shown = &rows[..rows.len().min(usize::from(scan.limit))];
    let next = |at_bytes: usize, key: Option<&Key>| -> Result<Option<Cursor>, Unreadable> {
        match (shown.last(), key) {
            (Some(last), Some(key)) if rows.len() > shown.len() => {
                let bytes: &[u8] = row::column(last, at_bytes, "bytes")?;
                Ok(Some(Cursor { bytes: bytes.into(), key: key.clone() }))
            }
            _ => Ok(None),
        }
    };
    match scan.want {
        Want::Count { cap } => {
            let count: i64 = match rows.first() {
                Some(row) => row::column(row, 0, "count")?,
                None => 0,
            };
            Ok(Page { count: u32::try_from(count).unwrap_or(cap), ..Page::default() })
        }
        Want::Keys => {
            let keys: Vec<Key> =
                shown.iter().map(|row| row::key(row, 0)).collect::<Result<_, _>>()?;
            let next = next(1, keys.last())?;
            Ok(Page { keys, next, ..Page::default() })
        }
        Want::Records => {
            let records: Vec<auth_store::Record> =
                shown.iter().map(row::record).collect::<Result<_, _>>()?;
            let next = next(WIDTH, records.last().map(|record| &record.key))?;
            Ok(Page { records, next, ..Page::default() })
        }
    }
}
