//! Index entries are written and removed with their record.

use std::sync::Arc;

use auth_store::When::{Absent, Any, At, Present};
use auth_store::{Direction, Key, Scan, ScanRange, Store, Sweep};

use crate::store::caller::{Caller, after};
use crate::store::draft::{all_numbered, key, keys, numbered, record, whole_index};
use crate::store::violation::{Finding, ensure};

async fn entries(caller: &Caller, name: &'static str) -> Result<Vec<Key>, Finding> {
    caller.scanned(Scan::records(whole_index(name), 100)).await
}

/// A record is found by its entries, in every index, with the state that it has now.
pub async fn a_record_is_found_by_its_entries(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let subject = key("subject")?;
    let draft = record(&subject).entry("kit_a", b"1").entry("kit_b", b"2");
    let first = caller.apply([draft.put(Absent)]).await?;
    for index in ["kit_a", "kit_b"] {
        let found = caller.records(Scan::records(whole_index(index), 10)).await?;
        let versions: Vec<_> = found.iter().map(|r| r.version).collect();
        ensure!(versions == [first], "{index} leads to {found:?}");
    }
    let second = caller.apply([draft.clone().value("2").over(&draft, At(first))]).await?;
    let found = caller.records(Scan::records(whole_index("kit_a"), 10)).await?;
    let found: Vec<_> = found.iter().map(|r| (r.version, &*r.value)).collect();
    ensure!(found == [(second, "2")], "an entry leads to an old state: {found:?}");
    Ok(())
}

/// A put removes the entries of the state that it replaces, adds the new ones, and leaves those that
/// are in both.
pub async fn a_put_replaces_the_entries(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let subject = key("subject")?;
    let old =
        record(&subject).entry("kit_gone", b"1").entry("kit_same", b"1").entry("kit_moved", b"1");
    caller.apply([old.put(Absent)]).await?;
    let new =
        record(&subject).entry("kit_same", b"1").entry("kit_moved", b"2").entry("kit_new", b"1");
    caller.apply([new.over(&old, Present)]).await?;
    for (index, expected) in [("kit_gone", 0), ("kit_same", 1), ("kit_moved", 1), ("kit_new", 1)] {
        let found = entries(&caller, index).await?;
        ensure!(found.len() == expected, "{index} has {found:?} instead of {expected}");
    }
    let moved = |start: &[u8], end: &[u8]| {
        let (start, end) = (start.into(), end.into());
        Scan::records(ScanRange::Index { name: "kit_moved", start, end }, 10)
    };
    let before = caller.scanned(moved(b"1", b"2")).await?;
    let now = caller.scanned(moved(b"2", b"3")).await?;
    ensure!(before.is_empty() && now.len() == 1, "an entry was not moved: {before:?}, {now:?}");
    Ok(())
}

/// Entries go with their record, whether it is deleted or swept.
pub async fn entries_go_with_their_record(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let stays = key("stays")?;
    let keys = numbered("goes", 3)?;
    let goes = |i: usize| record(&keys[i]).until(after(10)).entry("kit_a", b"same");
    let writes = [
        record(&stays).entry("kit_a", b"same").put(Absent),
        goes(0).put(Absent),
        goes(1).put(Absent),
    ];
    caller.apply(writes).await?;
    caller.apply([goes(0).delete(Present), record(&key("beside")?).put(Any)]).await?;
    let found = entries(&caller, "kit_a").await?;
    ensure!(found.len() == 2, "a delete left the entries {found:?}");

    super::sweeping::to_the_end(&caller, Sweep::Expired { now: after(10) }, 10).await?;
    let found = entries(&caller, "kit_a").await?;
    ensure!(found == [stays.clone()], "a sweep of the expired left the entries {found:?}");

    caller.apply([goes(2).put(Absent)]).await?;
    let range = Sweep::Range { tenant: caller.tenant, range: all_numbered("goes") };
    super::sweeping::to_the_end(&caller, range, 10).await?;
    let found = entries(&caller, "kit_a").await?;
    ensure!(found == [stays.clone()], "a sweep of a range left the entries {found:?}");
    // Nor does what was removed come back with the record.
    caller.apply([record(&keys[0]).put(Absent)]).await?;
    let found = entries(&caller, "kit_a").await?;
    ensure!(found == [stays], "a record came back with its old entries {found:?}");
    Ok(())
}

/// Many records may stand under one entry: they sort by key.
pub async fn entries_are_not_unique(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = numbered("same", 5)?;
    for i in [3, 0, 4, 2, 1] {
        caller.apply([record(&keys[i]).entry("kit_a", b"same").put(Absent)]).await?;
    }
    let found = entries(&caller, "kit_a").await?;
    ensure!(found == keys, "equal entries are not in the order of their keys: {found:?}");
    Ok(())
}

/// A record may stand under several entries of one index, and is found at each.
pub async fn a_record_may_have_several_entries(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let [a, b] = keys(["a", "b"])?;
    caller
        .apply([
            record(&a).entry("kit_a", b"1").entry("kit_a", b"3").put(Absent),
            record(&b).entry("kit_a", b"2").put(Absent),
        ])
        .await?;
    let found = entries(&caller, "kit_a").await?;
    ensure!(found == [a.clone(), b, a], "the entries lead to {found:?}");
    Ok(())
}

/// Entries sort by their bytes, whatever bytes these are; a range includes its start and excludes its
/// end; other indexes are not in it.
pub async fn entries_sort_by_their_bytes(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let sorted: [&[u8]; 9] =
        [b"", b"\0", b"\0\0", b"\0\xff", b"A", b"a", b"a\0", b"\xc3\xa4", b"\xff"];
    let keys = numbered("entry", 9)?;
    // Written in another order, and with keys in another order than the entries.
    for i in [4, 8, 0, 6, 2, 5, 1, 7, 3] {
        let draft = record(&keys[8 - i]).entry("kit_a", sorted[i]).entry("kit_aa", b"a");
        caller.apply([draft.entry("kit", b"a").put(Absent)]).await?;
    }
    let of = |range: std::ops::Range<usize>| -> Vec<Key> {
        range.map(|i| keys[8 - i].clone()).collect()
    };
    for start in 0..9 {
        for end in 0..9 {
            let range = ScanRange::Index {
                name: "kit_a",
                start: sorted[start].into(),
                end: sorted[end].into(),
            };
            let mut scan = Scan::records(range, 100);
            let found = caller.scanned(scan.clone()).await?;
            let expected = of(start..end.max(start));
            ensure!(found == expected, "from {start} to {end} there are {found:?}");
            scan.direction = Direction::Descending;
            let mut found = caller.scanned(scan).await?;
            found.reverse();
            ensure!(found == expected, "from {end} down to {start} there are {found:?}");
        }
    }
    Ok(())
}
