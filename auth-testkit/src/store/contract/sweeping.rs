//! Sweeps remove what they are told to, and do nothing else.

use std::sync::Arc;

use auth_store::When::Absent;
use auth_store::{KeyRange, Queue, Store, Sweep, Timestamp};

use crate::store::caller::{Caller, after};
use crate::store::draft::{all_numbered, key, numbered, record};
use crate::store::violation::{Finding, ensure};

/// Sweeps until there is no more, and gives how many records went.
pub(super) async fn to_the_end(caller: &Caller, what: Sweep, limit: u32) -> Result<u32, Finding> {
    let mut removed = 0;
    for _ in 0..10_000 {
        let swept = caller.store.sweep(what.clone(), limit).await?;
        ensure!(swept.removed <= limit, "{} records were swept of {limit}", swept.removed);
        removed += swept.removed;
        if !swept.more {
            return Ok(removed);
        }
    }
    Err(Finding::new("a sweep always says that there is more"))
}

/// A sweep of the expired removes the records whose `keep_until` is at or before its time, and no
/// other.
pub async fn the_expired_are_swept_and_nothing_else(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = numbered("record", 5)?;
    let untils = [Some(Timestamp::EPOCH), Some(after(9)), Some(after(10)), Some(after(11)), None];
    for (key, until) in keys.iter().zip(untils) {
        let draft = record(key).due(Queue::Jobs, after(0), 1);
        caller.apply([until.map_or(draft.clone(), |at| draft.until(at)).put(Absent)]).await?;
    }
    let before = caller.find_all(&keys).await?;
    let removed = to_the_end(&caller, Sweep::Expired { now: after(10) }, 100).await?;
    ensure!(removed == 3, "{removed} records were swept instead of 3");
    let now = caller.find_all(&keys).await?;
    ensure!(now[..3].iter().all(Option::is_none), "expired records were left: {now:?}");
    ensure!(now[3..] == before[3..], "a sweep changed other records: {now:?}");
    let due = store.due(Queue::Jobs, after(0), 0..256, 10).await?;
    ensure!(due.len() == 2, "{} of the 2 records that are left are due", due.len());
    let again = to_the_end(&caller, Sweep::Expired { now: after(10) }, 100).await?;
    ensure!(again == 0, "{again} records were swept a second time");
    Ok(())
}

/// What was swept is absent, at an earlier time too.
pub async fn what_was_swept_is_absent(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let subject = key("subject")?;
    caller.apply([record(&subject).until(after(10)).put(Absent)]).await?;
    to_the_end(&caller, Sweep::Expired { now: after(10) }, 100).await?;
    caller.at(after(5)).apply([record(&subject).put(Absent)]).await.map(drop)
}

/// A sweep of a range removes all of its records, kept or not, and no other: its start is in it, its
/// end is not.
pub async fn a_range_is_swept_whole(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = numbered("record", 6)?;
    for (n, key) in keys.iter().enumerate() {
        let draft = record(key);
        let draft = if n.is_multiple_of(2) { draft.until(after(10)) } else { draft };
        caller.apply([draft.put(Absent)]).await?;
    }
    let range = KeyRange::new(&keys[1], &keys[4]);
    let removed = to_the_end(&caller, Sweep::Range { tenant: caller.tenant, range }, 100).await?;
    ensure!(removed == 3, "{removed} records were swept instead of 3");
    let left = caller.find_all(&keys).await?;
    let left: Vec<bool> = left.iter().map(Option::is_some).collect();
    ensure!(left == [true, false, false, false, true, true], "the records left are {left:?}");
    Ok(())
}

/// A sweep removes no more than its limit, says so, and comes to an end when it is repeated.
pub async fn a_sweep_keeps_its_limit(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = numbered("record", 20)?;
    let expired = Sweep::Expired { now: after(10) };
    let range = Sweep::Range { tenant: caller.tenant, range: all_numbered("record") };
    for what in [expired, range] {
        let write = |key| record(key).until(after(10)).put(Absent);
        caller.apply(keys.iter().map(write).collect::<Vec<_>>()).await?;
        for limit in [0, 1, 7] {
            let before = caller.find_all(&keys).await?.into_iter().flatten().count();
            let swept = store.sweep(what.clone(), limit).await?;
            let left = caller.find_all(&keys).await?.into_iter().flatten().count();
            let gone = before - left;
            ensure!(gone <= limit as usize, "{gone} records went with a limit of {limit}");
            ensure!(gone == swept.removed as usize, "{gone} went and {} were told", swept.removed);
            ensure!(swept.more, "a sweep left {left} records and says that there are none");
        }
        to_the_end(&caller, what, 3).await?;
        let left = caller.find_all(&keys).await?.into_iter().flatten().count();
        ensure!(left == 0, "a sweep that ended left {left} records");
    }
    Ok(())
}
