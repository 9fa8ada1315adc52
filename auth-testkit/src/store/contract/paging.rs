//! Scans: order, cursors, pages, counts.

use std::sync::Arc;

use auth_store::When::{Absent, Any};
use auth_store::{Cursor, Direction, Key, KeyRange, Scan, ScanRange, Store, Want};

use crate::store::caller::Caller;
use crate::store::draft::{all_numbered, key, numbered, record, whole_index};
use crate::store::violation::{Finding, ensure};

pub(super) const DIRECTIONS: [Direction; 2] = [Direction::Ascending, Direction::Descending];

/// Writes `count` numbered records, each with an entry of its own number in the index `kit_n`.
pub(super) async fn shelf(caller: &Caller, count: u64) -> Result<Vec<Key>, Finding> {
    let keys = numbered("shelf", count)?;
    for some in keys.chunks(100) {
        let write = |key: &Key| record(key).entry("kit_n", key.as_bytes()).put(Any);
        caller.apply(some.iter().map(write).collect::<Vec<_>>()).await?;
    }
    Ok(keys)
}

pub(super) fn ranges() -> [ScanRange; 2] {
    [all_numbered("shelf").into(), whole_index("kit_n")]
}

pub(super) fn scan(range: &ScanRange, direction: Direction, limit: u16) -> Scan {
    Scan { direction, ..Scan::records(range.clone(), limit) }
}

pub(super) fn in_direction(keys: &[Key], direction: Direction) -> Vec<Key> {
    let mut keys = keys.to_vec();
    if direction == Direction::Descending {
        keys.reverse();
    }
    keys
}

/// Records sort by their key, byte by byte, in either direction; a range includes its start and
/// excludes its end.
pub async fn a_scan_goes_by_the_bytes_of_the_keys(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let parts: [&[u8]; 8] = [b"", b"\0", b"\0\xff", b"A", b"a", b"a\0", b"ab", b"\xff"];
    let keys: Result<Vec<Key>, _> = parts
        .iter()
        .map(|part| Key::builder(auth_store::Class::Main, "order").bytes(part).build())
        .collect();
    let keys = keys?;
    for i in [3, 7, 0, 5, 2, 4, 1, 6] {
        caller.apply([record(&keys[i]).put(Absent)]).await?;
    }
    for start in 0..8 {
        for end in 0..8 {
            let range = ScanRange::from(KeyRange::new(&keys[start], &keys[end]));
            for direction in DIRECTIONS {
                let found = caller.scanned(scan(&range, direction, 100)).await?;
                let expected = in_direction(&keys[start..end.max(start)], direction);
                ensure!(found == expected, "{start}..{end} {direction:?} gave {found:?}");
            }
        }
    }
    Ok(())
}

/// Pages of any size, joined, are the whole range: nothing twice, nothing left out. Only a page
/// without `next` ends a scan.
pub async fn pages_join_to_the_whole_range(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = shelf(&caller, 23).await?;
    for range in ranges() {
        for direction in DIRECTIONS {
            for limit in [1, 2, 7, 22, 23, 24, 1000] {
                let mut asked = scan(&range, direction, limit);
                let expected = in_direction(&keys, direction);
                let found = caller.scanned(asked.clone()).await?;
                ensure!(found == expected, "{limit} a page {direction:?} gave {found:?}");
                asked.want = Want::Keys;
                let pages = caller.pages(asked).await?;
                ensure!(pages.iter().all(|p| p.records.is_empty()), "records came for keys");
                let found: Vec<Key> = pages.into_iter().flat_map(|page| page.keys).collect();
                ensure!(found == expected, "{limit} keys a page {direction:?} gave {found:?}");
            }
        }
    }
    Ok(())
}

/// A cursor is exclusive, and stays one when the entry that it names is deleted, or never was.
pub async fn a_cursor_is_exclusive(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = shelf(&caller, 9).await?;
    let gone = record(&keys[4]).entry("kit_n", keys[4].as_bytes()).delete(Any);
    caller.apply([gone, record(&key("beside")?).put(Any)]).await?;
    for range in ranges() {
        for place in 0..9 {
            let bytes: Box<[u8]> = match range {
                ScanRange::Keys(_) => Box::default(),
                ScanRange::Index { .. } => keys[place].as_bytes().into(),
            };
            let cursor = Cursor { bytes, key: keys[place].clone() };
            for (direction, mut expected) in [
                (Direction::Ascending, keys[place + 1..].to_vec()),
                (Direction::Descending, in_direction(&keys[..place], Direction::Descending)),
            ] {
                expected.retain(|key| *key != keys[4]);
                let asked = scan(&range, direction, 100).after(cursor.clone());
                let found = caller.scanned(asked).await?;
                ensure!(found == expected, "after {place} {direction:?} there are {found:?}");
            }
        }
    }
    Ok(())
}

/// `skip` leaves out entries, counted from the cursor if there is one.
pub async fn skip_leaves_entries_out(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = shelf(&caller, 10).await?;
    for range in ranges() {
        for direction in DIRECTIONS {
            let all = in_direction(&keys, direction);
            for skip in [0, 1, 5, 9, 10, 11, u32::MAX] {
                let from = (skip as usize).min(10);
                let asked = Scan { skip, ..scan(&range, direction, 3) };
                let found = caller.scanned(asked.clone()).await?;
                ensure!(found == all[from..], "skip {skip} {direction:?} gave {found:?}");
                let first = caller.page(&scan(&range, direction, 2)).await?;
                let Some(cursor) = first.next else {
                    return Err(Finding::new("two of ten records are all"));
                };
                let from = (skip as usize).saturating_add(first.records.len()).min(10);
                let found = caller.scanned(asked.after(cursor)).await?;
                ensure!(found == all[from..], "skip {skip} from a cursor gave {found:?}");
            }
        }
    }
    Ok(())
}

/// A count counts what a scan would return, from the cursor on, without what is skipped, and no
/// further than its cap; it returns nothing else.
pub async fn a_count_stops_at_its_cap(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    shelf(&caller, 10).await?;
    for range in ranges() {
        for direction in DIRECTIONS {
            let first = caller.page(&scan(&range, direction, 4)).await?;
            let used = u32::try_from(first.records.len()).unwrap_or(u32::MAX);
            for cap in [0, 1, 5, 10, 11, u32::MAX] {
                for (after, skip, left) in [
                    (None, 0, 10),
                    (None, 3, 7),
                    (None, 12, 0),
                    (first.next.clone(), 0, 10 - used),
                    (first.next.clone(), 2, 10 - used - 2),
                ] {
                    let want = Want::Count { cap };
                    // The size of a page has no part in it.
                    let asked = Scan { after, skip, want, ..scan(&range, direction, 1) };
                    let page = caller.page(&asked).await?;
                    let count = page.count;
                    ensure!(
                        count == left.min(cap),
                        "{count} were counted of {left} with cap {cap} and skip {skip}"
                    );
                    ensure!(
                        page.records.is_empty() && page.keys.is_empty() && page.next.is_none(),
                        "a count returned {page:?}"
                    );
                }
            }
        }
    }
    Ok(())
}

/// A scan of an empty range ends, and has nothing.
pub async fn an_empty_range_has_no_entries(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = shelf(&caller, 3).await?;
    let nothing = [
        KeyRange::new(&keys[1], &keys[1]).into(),
        KeyRange::new(&keys[2], &keys[0]).into(),
        all_numbered("elsewhere").into(),
        whole_index("kit_elsewhere"),
        ScanRange::Index { name: "kit_n", start: Box::from([0xFF]), end: Box::from([0x00]) },
    ];
    for range in nothing {
        for direction in DIRECTIONS {
            let found = caller.scanned(scan(&range, direction, 2)).await?;
            ensure!(found.is_empty(), "{range:?} has {found:?}");
        }
    }
    Ok(())
}

/// Several ranges in one call have a page each, in their order.
pub async fn several_ranges_have_a_page_each(store: Arc<dyn Store>) -> Result<(), Finding> {
    let caller = Caller::new(&store);
    let keys = shelf(&caller, 6).await?;
    let [by_key, by_index] = ranges();
    let scans = [
        Scan { want: Want::Keys, ..scan(&by_index, Direction::Descending, 2) },
        scan(&all_numbered("elsewhere").into(), Direction::Ascending, 5),
        Scan { want: Want::Count { cap: 4 }, ..scan(&by_key, Direction::Ascending, 1) },
        Scan { skip: 1, ..scan(&by_key, Direction::Ascending, 3) },
    ];
    let pages = store.scan(caller.tenant, &scans).await?;
    ensure!(pages.len() == 4, "four scans have {} pages", pages.len());
    let first: Vec<&Key> = pages[0].keys.iter().collect();
    let whole = first.is_empty() || first == [&keys[5]] || first == [&keys[5], &keys[4]];
    ensure!(whole, "the first page has {first:?}");
    ensure!(pages[1].records.is_empty(), "the second page has {:?}", pages[1].records);
    ensure!(pages[2].count == 4, "the third page counts {}", pages[2].count);
    let fourth: Vec<&Key> = pages[3].records.iter().map(|record| &record.key).collect();
    let expected: Vec<&Key> = keys[1..4].iter().take(fourth.len()).collect();
    ensure!(fourth == expected, "the fourth page has {fourth:?}");
    ensure!(pages[3].next.is_some(), "the fourth page claims to be the last");
    let none = store.scan(caller.tenant, &[]).await?;
    ensure!(none.is_empty(), "no scans have {} pages", none.len());
    Ok(())
}
