//! Records and pages.

use auth_store::limits::{MAX_GET_KEYS, MAX_SCANS};
use auth_store::{
    Cursor, Direction, Key, Page, Record, Scan, ScanRange, StoreError, TenantId, Want,
};
use redis::Value;

use crate::escape;
use crate::packed::{Damage, unpack};
use crate::reply;
use crate::script::{Call, SCAN};
use crate::store::RedisStore;

impl RedisStore {
    pub(crate) async fn read_records(
        &self,
        tenant: TenantId,
        keys: &[Key],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        if keys.len() > MAX_GET_KEYS {
            return Err(StoreError::TooLarge);
        }
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let records = self.names.records(tenant);
        let mut command = redis::cmd("HMGET");
        command.arg(&records);
        for key in keys {
            command.arg(key.as_bytes());
        }
        let found = reply::list(self.server.read(records.as_bytes(), &command).await?)?;
        if found.len() != keys.len() {
            return Err(Damage::Shape.into());
        }
        let record = |(key, found): (&Key, Value)| {
            let packed = reply::optional(found)?;
            packed.map(|packed| unpack(key.clone(), &packed)).transpose()
        };
        let records = keys.iter().zip(found).map(record);
        Ok(records.collect::<Result<_, Damage>>()?)
    }

    pub(crate) async fn read_pages(
        &self,
        tenant: TenantId,
        scans: &[Scan],
    ) -> Result<Vec<Page>, StoreError> {
        if scans.len() > MAX_SCANS || !scans.iter().all(Scan::is_permitted) {
            return Err(StoreError::TooLarge);
        }
        if scans.is_empty() {
            return Ok(Vec::new());
        }
        let keys = [self.names.records(tenant), self.names.order(tenant), self.names.index(tenant)];
        let mut call = SCAN.call(&keys);
        for scan in scans {
            ask(&mut call, scan);
        }
        let pages = reply::list(self.server.run_again(&call).await?)?;
        if pages.len() != scans.len() {
            return Err(Damage::Shape.into());
        }
        let pages = scans.iter().zip(pages).map(|(scan, answer)| page(scan, answer));
        Ok(pages.collect::<Result<_, Damage>>()?)
    }
}

/// Members of the index from those of a name and bytes on.
fn entries(name: &str, bytes: &[u8]) -> Vec<u8> {
    [escape::ended(name.as_bytes()), escape::ended(bytes)].concat()
}

/// A bound of a range of members: the bytes after `[` belong to it, those after `(` do not.
fn bound(sign: u8, bytes: &[u8]) -> Vec<u8> {
    [&[sign], bytes].concat()
}

/// The arguments of `scan.lua` for one range.
fn ask(call: &mut Call, scan: &Scan) {
    let (set, start, end, after, search) = match &scan.range {
        ScanRange::Keys(range) => {
            let after = scan.after.as_ref().map(|cursor| cursor.key.as_bytes().to_vec());
            ("order", range.start().to_vec(), range.end().to_vec(), after, 0)
        }
        ScanRange::Index { name, start, end } => {
            let member = |c: &Cursor| [&entries(name, &c.bytes), c.key.as_bytes()].concat();
            let after = scan.after.as_ref().map(member);
            let search = escape::ended(name.as_bytes()).len() + 1;
            ("index", entries(name, start), entries(name, end), after, search)
        }
    };
    let (mut low, mut high) = (bound(b'[', &start), bound(b'(', &end));
    let direction = match scan.direction {
        Direction::Ascending => {
            if let Some(after) = after.filter(|after| *after >= start) {
                low = bound(b'(', &after);
            }
            "up"
        }
        Direction::Descending => {
            if let Some(after) = after.filter(|after| *after < end) {
                high = bound(b'(', &after);
            }
            "down"
        }
    };
    let (limit, want) = match scan.want {
        Want::Records => (u32::from(scan.limit), "records"),
        Want::Keys => (u32::from(scan.limit), "keys"),
        Want::Count { cap } => (cap, "count"),
    };
    call.arg(set).arg(direction).arg(low).arg(high).arg(scan.skip).arg(limit).arg(want).arg(search);
}

/// The entry that a member of a set stands for.
fn cursor(range: &ScanRange, member: &[u8]) -> Result<Cursor, Damage> {
    match range {
        ScanRange::Keys(_) => Ok(Cursor { bytes: Box::default(), key: Key::from_bytes(member)? }),
        ScanRange::Index { .. } => {
            let (_, rest) = escape::split(member).ok_or(Damage::Member)?;
            let (bytes, key) = escape::split(rest).ok_or(Damage::Member)?;
            Ok(Cursor { bytes: bytes.into(), key: Key::from_bytes(key)? })
        }
    }
}

fn page(scan: &Scan, answer: Value) -> Result<Page, Damage> {
    if let Want::Count { .. } = scan.want {
        let [count] = reply::array(answer)?;
        return Ok(Page { count: reply::number(&count)?, ..Page::default() });
    }
    let [more, members, found] = reply::array(answer)?;
    let mut entries = Vec::new();
    for member in reply::list(members)? {
        entries.push(cursor(&scan.range, &reply::bytes(member)?)?);
    }
    let next = if reply::number(&more)? == 1 { entries.last().cloned() } else { None };
    let keys = entries.into_iter().map(|entry| entry.key);
    if scan.want == Want::Keys {
        return Ok(Page { keys: keys.collect(), next, ..Page::default() });
    }
    let found = reply::list(found)?;
    if found.len() != keys.len() {
        return Err(Damage::Shape);
    }
    let record = |(key, found)| unpack(key, &reply::optional(found)?.ok_or(Damage::Missing)?);
    let records = keys.zip(found).map(record).collect::<Result<_, _>>()?;
    Ok(Page { records, next, ..Page::default() })
}
