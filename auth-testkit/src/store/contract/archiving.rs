//! An archive holds every record of every tenant once, with all that belongs to it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use auth_store::When::{Absent, Any};
use auth_store::limits::{MAX_ARCHIVED, MAX_BATCH_WRITES};
use auth_store::{
    Archive, Archived, Class, IndexEntry, Key, Place, Queue, Store, StoreError, TenantId,
};
use tokio::task::JoinSet;

use super::tenants::TENANTS;
use crate::store::caller::{Caller, after};
use crate::store::draft::{add, key, numbered, record};
use crate::store::violation::{Finding, ensure};

/// A caller of a store that is an archive as well.
pub(super) fn caller(archive: &Arc<dyn Archive>) -> Caller {
    let store: Arc<dyn Store> = archive.clone();
    Caller::new(&store)
}

/// All records of an archive, `limit` at a time.
pub(super) async fn archived(
    archive: &Arc<dyn Archive>,
    limit: u16,
) -> Result<Vec<Archived>, Finding> {
    const MOST: usize = 20_000;
    let mut all: Vec<Archived> = Vec::new();
    loop {
        let after = all.last().map(Archived::place);
        let page = archive.archived(after.as_ref(), limit).await?;
        ensure!(page.len() <= usize::from(limit), "{} records came of {limit}", page.len());
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
        ensure!(all.len() < MOST, "an archive does not end");
        // Between two pages others may write.
        tokio::task::yield_now().await;
    }
}

/// The same records with their index entries in order, which is nobody's promise.
pub(super) fn in_order(mut records: Vec<Archived>) -> Vec<Archived> {
    for archived in &mut records {
        archived.index.sort();
    }
    records
}

/// Writes a record of every sort into each of the tenants, and gives how many.
pub(super) async fn furnish(caller: &Caller, tenants: &[&str]) -> Result<usize, Finding> {
    let side = Key::builder(Class::Side, "kit").text("marker").build()?;
    for (n, tenant) in tenants.iter().enumerate() {
        let caller = caller.of(tenant)?;
        let n = n as u64;
        let (indexed, due) = (key("indexed")?, key("due")?);
        caller
            .apply([
                record(&key("plain")?).value(&format!("{{\"of\": \"{tenant}\"}}")).put(Absent),
                record(&indexed)
                    .entry("kit_a", b"same")
                    .entry("kit_a", tenant.as_bytes())
                    .entry("kit_b", b"\0\xff")
                    .put(Absent),
                record(&due).due(Queue::Outbox, after(n), 255).until(after(500 + n)).put(Absent),
                add(&key("counter")?, 3, Some(9), after(1000)),
                record(&key("expired")?).until(after(0)).put(Absent),
            ])
            .await?;
        caller.apply([record(&side).until(after(900)).put(Absent)]).await?;
    }
    Ok(tenants.len() * 6)
}

/// Pages go by tenant, then by key, both byte by byte; joined, they hold each record once, however many
/// stand in a page.
pub async fn pages_go_by_tenant_and_key(
    archive: Arc<dyn Archive>,
    _: Arc<dyn Archive>,
) -> Result<(), Finding> {
    let nothing = archived(&archive, 10).await?;
    ensure!(nothing.is_empty(), "an empty store is archived as {nothing:?}");
    let written = furnish(&caller(&archive), &TENANTS).await?;
    let mut first: Option<Vec<Archived>> = None;
    for limit in [MAX_ARCHIVED, 1, 2, 5, 6, 7, 36, 37] {
        let all = in_order(archived(&archive, limit).await?);
        let places: Vec<Place> = all.iter().map(Archived::place).collect();
        ensure!(places.is_sorted_by(|a, b| a < b), "{limit} a page come as {places:?}");
        ensure!(all.len() == written, "{} records were archived of {written}", all.len());
        let first = first.get_or_insert_with(|| all.clone());
        ensure!(all == *first, "{limit} a page make another archive");
    }
    Ok(())
}

/// A record is archived with its value to the last character, its version, retention, queue and index
/// entries, whether it is past its retention or not, a counter or not, in either class.
pub async fn an_archived_record_is_whole(
    archive: Arc<dyn Archive>,
    _: Arc<dyn Archive>,
) -> Result<(), Finding> {
    let caller = caller(&archive);
    furnish(&caller, &["default"]).await?;
    // What was replaced or removed is not archived.
    let gone = record(&key("gone")?).entry("kit_a", b"gone");
    caller.apply([gone.put(Absent)]).await?;
    let old = record(&key("moved")?).entry("kit_a", b"old");
    caller.apply([gone.delete(Any), old.put(Absent)]).await?;
    let new = record(&key("moved")?).value(" {\"a\" : 1.0}\n").entry("kit_a", b"new");
    caller.apply([new.over(&old, Any)]).await?;

    let all = in_order(archived(&archive, 100).await?);
    let keys: Vec<Key> = all.iter().map(|archived| archived.record.key.clone()).collect();
    ensure!(all.len() == 7, "7 records are archived as {keys:?}");
    for (archived, found) in all.iter().zip(caller.find_all(&keys).await?) {
        let same = found.as_ref() == Some(&archived.record);
        ensure!(same, "{:?} is archived as {:?}", found, archived.record);
    }
    let value = all.iter().find(|archived| archived.record.value.starts_with(' '));
    ensure!(value.is_some(), "a value lost its white space");
    for (name, expected) in [
        ("plain", vec![]),
        ("moved", vec![IndexEntry::new("kit_a", *b"new")]),
        (
            "indexed",
            vec![
                IndexEntry::new("kit_a", *b"default"),
                IndexEntry::new("kit_a", *b"same"),
                IndexEntry::new("kit_b", *b"\0\xff"),
            ],
        ),
    ] {
        let key = key(name)?;
        let index = all.iter().find(|a| a.record.key == key).map(|a| a.index.clone());
        ensure!(index.as_ref() == Some(&expected), "{name} is archived with the entries {index:?}");
    }
    Ok(())
}

/// A page begins after its place, whether a record stands there or not.
pub async fn a_place_is_exclusive(
    archive: Arc<dyn Archive>,
    _: Arc<dyn Archive>,
) -> Result<(), Finding> {
    let caller = caller(&archive);
    let keys = numbered("place", 9)?;
    let (before, after) = (caller.of("a")?, caller.of("z")?);
    let caller = caller.of("m")?;
    for caller in [&before, &caller, &after] {
        caller.apply(keys.iter().map(|key| record(key).put(Absent)).collect::<Vec<_>>()).await?;
    }
    caller.apply([record(&keys[4]).delete(Any), record(&key("beside")?).put(Any)]).await?;
    caller.apply([record(&key("beside")?).delete(Any), record(&keys[8]).put(Any)]).await?;
    for place in 0..9 {
        let after = Place { tenant: caller.tenant, key: keys[place].clone() };
        let page = archive.archived(Some(&after), 9 + 9).await?;
        let found = page.iter().filter(|archived| archived.tenant == caller.tenant);
        let mut expected = keys[place + 1..].to_vec();
        expected.retain(|key| *key != keys[4]);
        ensure!(
            found.map(|archived| &archived.record.key).eq(&expected),
            "after {place} of 9 follow {page:?}"
        );
        let others = page.iter().filter(|archived| archived.tenant != caller.tenant);
        ensure!(others.count() == 9, "after {place} the next tenant does not follow whole");
    }
    // A place in a tenant without records, before and after those that have some.
    for (tenant, follow) in [("0", 26), ("b", 17), ("zz", 0)] {
        let tenant = caller.of(tenant)?.tenant;
        let page = archive.archived(Some(&Place { tenant, key: keys[8].clone() }), 100).await?;
        ensure!(page.len() == follow, "after the tenant {tenant} follow {} records", page.len());
    }
    Ok(())
}

/// Many tenants with the same keys are archived one after the other, each with its own records.
pub async fn tenants_are_archived_side_by_side(
    archive: Arc<dyn Archive>,
    _: Arc<dyn Archive>,
) -> Result<(), Finding> {
    let caller = caller(&archive);
    let names: Vec<String> = (0..60).map(|n| format!("t{n}")).collect();
    for name in &names {
        let draft = record(&key("same")?).value(name).entry("kit_a", name.as_bytes());
        caller.of(name)?.apply([draft.put(Absent), record(&key("z")?).put(Absent)]).await?;
    }
    let mut tenants = BTreeSet::new();
    for archived in archived(&archive, 7).await? {
        let name = archived.tenant.to_string();
        if archived.record.key == key("same")? {
            let own = *archived.record.value == *name
                && archived.index == [IndexEntry::new("kit_a", name.as_bytes())];
            ensure!(own, "{name} is archived with another tenant's record: {archived:?}");
        }
        tenants.insert(archived.tenant);
    }
    let names: Result<BTreeSet<TenantId>, _> = names.iter().map(|name| name.parse()).collect();
    let names = names.map_err(|error| Finding::new(format!("{error}")))?;
    ensure!(tenants == names, "of 60 tenants {} were archived", tenants.len());
    Ok(())
}

/// 1000 records stand in one call; none and more than these are refused as too large.
pub async fn an_archive_takes_what_is_permitted_and_no_more(
    from: Arc<dyn Archive>,
    into: Arc<dyn Archive>,
) -> Result<(), Finding> {
    let caller = caller(&from);
    let keys = numbered("row", u64::from(MAX_ARCHIVED) + 1)?;
    for some in keys.chunks(MAX_BATCH_WRITES) {
        caller.apply(some.iter().map(|key| record(key).put(Absent)).collect::<Vec<_>>()).await?;
    }
    let most = usize::from(MAX_ARCHIVED);
    let mut all = from.archived(None, MAX_ARCHIVED).await?;
    ensure!((1..=most).contains(&all.len()), "{} records came of {most}", all.len());
    for limit in [0, MAX_ARCHIVED + 1, u16::MAX] {
        let page = from.archived(None, limit).await;
        let refused = matches!(page, Err(StoreError::TooLarge));
        ensure!(refused, "a page of {limit} records was not refused");
    }

    all = archived(&from, MAX_ARCHIVED).await?;
    ensure!(all.len() == most + 1, "{} records of {} came", all.len(), most + 1);
    for records in [&all[..], &[]] {
        let restored = into.restore(records).await;
        let refused = matches!(restored, Err(StoreError::TooLarge));
        ensure!(refused, "{} records at once gave {restored:?}", records.len());
    }
    let nothing = archived(&into, 1).await?;
    ensure!(nothing.is_empty(), "what was refused was written");
    let restored = into.restore(&all[..most]).await?;
    ensure!(restored.written as usize == most, "of {most} records were written {restored:?}");
    Ok(())
}

/// A record that is present throughout is archived once, whatever is written and removed meanwhile.
pub async fn what_is_present_throughout_is_archived_once(
    archive: Arc<dyn Archive>,
    _: Arc<dyn Archive>,
) -> Result<(), Finding> {
    let first = caller(&archive);
    let keys = numbered("row", 20)?;
    let stays = |n: usize| n.is_multiple_of(3);
    let tenants = ["a", "b", "c"];
    for tenant in tenants {
        let writes: Vec<_> = keys.iter().map(|key| record(key).put(Absent)).collect();
        first.of(tenant)?.apply(writes).await?;
    }
    let (done, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut writer = JoinSet::new();
    writer.spawn({
        let (first, keys) = (first.clone(), keys.clone());
        let (done, written) = (done.clone(), written.clone());
        async move {
            let beside = key("beside")?;
            let mut step: usize = 0;
            while !done.load(Ordering::Relaxed) {
                let n = step * 7 % 20;
                let draft = record(&keys[n]);
                let write = if stays(n) || (step / 20).is_multiple_of(2) {
                    draft.put(Any)
                } else {
                    draft.delete(Any)
                };
                let caller = first.of(tenants[step % 3])?;
                caller.apply([write, record(&beside).put(Any)]).await?;
                written.fetch_add(1, Ordering::Relaxed);
                step += 1;
                tokio::task::yield_now().await;
            }
            Ok::<_, Finding>(())
        }
    });
    let mut rounds = 0;
    while (rounds < 5 || written.load(Ordering::Relaxed) < 120) && rounds < 500 {
        rounds += 1;
        let all = archived(&archive, 7).await?;
        let places: Vec<Place> = all.iter().map(Archived::place).collect();
        ensure!(places.is_sorted_by(|a, b| a < b), "a record came twice, or out of order");
        let stayed = |archived: &&Archived| {
            keys.iter().position(|key| *key == archived.record.key).is_some_and(stays)
        };
        let found = all.iter().filter(stayed).count();
        ensure!(found == 3 * 7, "{found} of 21 records that were there all the time were archived");
    }
    done.store(true, Ordering::Relaxed);
    match writer.join_next().await {
        Some(Ok(outcome)) => outcome,
        ended => Err(Finding::new(format!("the writer ended early: {ended:?}"))),
    }
}
