//! [`Phase`]: one part of what a deletion has to remove.

use auth_core::GrantId;
use auth_core::decision::Unavailable;
use auth_core::job::Site;
use auth_core::store::{
    Cursor, Direction, Key, KeyRange, MainWrite, Scan, ScanRange, Sweep, Want, When, Write,
};
use serde_json::Value;

use crate::deletion::ByRelation;
use crate::token::refresh::RefreshFamily;

/// Records that are found in the same way.
#[derive(Debug)]
pub(super) enum Phase {
    /// Everything below a prefix of keys.
    Below(KeyRange),
    /// Records in an index; a grant takes its refresh family along.
    Indexed { index: ByRelation, grants: bool },
    /// Records of a range whose value belongs to it: the way to those that no index leads to.
    Among { range: KeyRange, belongs: fn(&Value, &str) -> bool, grants: bool },
}

/// What became of a phase.
pub(super) enum Progress {
    /// There is more: remove these first, and go on from there.
    More(Vec<MainWrite>, Option<Key>),
    Over(Vec<MainWrite>),
}

/// How many records a call of the store sweeps at most.
const SWEEP: u32 = 500;
/// How many grants a step takes: each is two writes.
const GRANTS: u16 = 90;
/// How many other records a step takes.
const RECORDS: u16 = 180;

impl Phase {
    /// A step of the phase for the client or subject `id`.
    pub(super) async fn step(
        &self,
        site: &Site<'_>,
        id: &str,
        after: Option<Key>,
    ) -> Result<Progress, Unavailable> {
        match self {
            Self::Below(range) => Ok(match sweep(site, range).await? {
                true => Progress::More(Vec::new(), None),
                false => Progress::Over(Vec::new()),
            }),
            Self::Indexed { index, grants } => {
                let limit = if *grants { GRANTS } else { RECORDS };
                let page = page(site, index.range(id), limit, Want::Keys, None).await?;
                let mut writes = Vec::new();
                for key in page.keys {
                    if *grants {
                        writes.extend(family(&key));
                    }
                    writes.push(delete(key));
                }
                // What was found is gone with the commit, so the next step begins at the same place.
                Ok(match page.next {
                    Some(_) => Progress::More(writes, None),
                    None => Progress::Over(writes),
                })
            }
            Self::Among { range, belongs, grants } => {
                let limit = if *grants { GRANTS } else { RECORDS };
                let want = Want::Records;
                let page = page(site, range.clone().into(), limit, want, after).await?;
                let mut writes = Vec::new();
                for record in page.records {
                    let value: Value = serde_json::from_str(&record.value).unwrap_or_default();
                    if belongs(&value["value"], id) {
                        if *grants {
                            writes.extend(family(&record.key));
                        }
                        writes.push(delete(record.key));
                    }
                }
                Ok(match page.next {
                    Some(next) => Progress::More(writes, Some(next.key)),
                    None => Progress::Over(writes),
                })
            }
        }
    }
}

/// The write that removes the refresh family of a grant.
fn family(grant: &Key) -> Option<MainWrite> {
    let id = grant.parts().into_iter().next().and_then(|id| <[u8; 16]>::try_from(id).ok())?;
    Some(delete(RefreshFamily::at(&GrantId::from_bytes(id)).raw().clone()))
}

/// Removes some of a range; says whether there may be more.
async fn sweep(site: &Site<'_>, range: &KeyRange) -> Result<bool, Unavailable> {
    let what = Sweep::Range { tenant: site.tenant, range: range.clone() };
    Ok(site.store.sweep(what, SWEEP).await?.more)
}

async fn page(
    site: &Site<'_>,
    range: ScanRange,
    limit: u16,
    want: Want,
    after: Option<Key>,
) -> Result<auth_core::store::Page, Unavailable> {
    let after = after.map(|key| Cursor { bytes: Box::default(), key });
    let scan = Scan { range, direction: Direction::Ascending, limit, after, skip: 0, want };
    Ok(site.store.scan(site.tenant, &[scan]).await?.into_iter().next().unwrap_or_default())
}

fn delete(key: Key) -> MainWrite {
    MainWrite::of(Write::Delete { key, when: When::Any, old_index: Vec::new() })
}
