//! Two stores as one, beside one store that holds the same.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, and so may what it is made of"
)]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use auth_store::{
    Archive, Batch, Class, ClassMarker, CommitId, Direction, Due, IndexEntry, Key, KeyRange, Main,
    MemoryStore, NewRecord, Page, Queue, Scan, ScanRange, Side, Store, StoreError, Sweep, TenantId,
    Tiered, Timestamp, Want, When, Write,
};

const TENANT: TenantId = TenantId::DEFAULT;

/// The stores in memory never wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(given) => given,
        Poll::Pending => panic!("a store in memory waits"),
    }
}

struct World {
    main: Arc<MemoryStore>,
    side: Arc<MemoryStore>,
    tiered: Tiered<MemoryStore, MemoryStore>,
    /// All of it in one store.
    whole: MemoryStore,
}

fn key(class: Class, n: u64) -> Key {
    Key::builder(class, "test").number(n).build().unwrap()
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

fn batch<C: ClassMarker>(n: u64) -> Batch {
    let record = NewRecord {
        key: key(C::CLASS, n),
        value: n.to_string().into(),
        index: vec![IndexEntry::new("by_n", n.to_be_bytes())],
        keep_until: Some(at(n)),
        due: Some(Due { queue: Queue::Jobs, at: at(n), shard: 0 }),
    };
    let mut id = [0; 16];
    id[0] = C::CLASS.tag();
    id[8..].copy_from_slice(&n.to_be_bytes());
    Batch::builder::<C>(CommitId::from_bytes(id), Timestamp::EPOCH)
        .write(Write::Put { record, when: When::Absent, old_index: vec![] })
        .build()
        .unwrap()
}

/// Even numbers in class Main, odd ones in class Side.
fn world(main: u64, side: u64) -> World {
    let (a, b) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    let tiered = Tiered::shared(a.clone(), b.clone());
    let world = World { main: a, side: b, tiered, whole: MemoryStore::new() };
    let batches = (0..main).map(|n| batch::<Main>(2 * n));
    for batch in batches.chain((0..side).map(|n| batch::<Side>(2 * n + 1))) {
        now(world.tiered.commit(TENANT, &batch)).unwrap();
        now(world.whole.commit(TENANT, &batch)).unwrap();
    }
    world
}

fn everything() -> KeyRange {
    KeyRange::new(&key(Class::Main, 0), &key(Class::Side, u64::MAX))
}

fn scan(store: &dyn Store, scan: &Scan) -> Page {
    now(store.scan(TENANT, std::slice::from_ref(scan))).unwrap().remove(0)
}

/// The keys of all pages, joined.
fn scanned(store: &dyn Store, mut asked: Scan) -> Vec<Key> {
    let mut keys = Vec::new();
    for _ in 0..100 {
        let page = scan(store, &asked);
        assert!(page.records.len() <= usize::from(asked.limit));
        keys.extend(page.records.into_iter().map(|record| record.key));
        let Some(next) = page.next else { return keys };
        asked = asked.after(next);
        asked.skip = 0;
    }
    panic!("a scan does not end");
}

#[test]
fn each_class_lies_in_its_store_and_keys_are_found_in_their_order() {
    let world = world(3, 2);
    let all = |store: &dyn Store| scanned(store, Scan::records(everything(), 100));
    assert_eq!(all(&*world.main), [0, 2, 4].map(|n| key(Class::Main, n)));
    assert_eq!(all(&*world.side), [1, 3].map(|n| key(Class::Side, n)));
    let keys = [
        key(Class::Side, 3),
        key(Class::Main, 4),
        key(Class::Main, 1),
        key(Class::Side, 9),
        key(Class::Side, 1),
        key(Class::Main, 0),
    ];
    let found = now(world.tiered.get(TENANT, &keys)).unwrap();
    assert_eq!(found, now(world.whole.get(TENANT, &keys)).unwrap());
    assert_eq!(found.iter().flatten().count(), 4);
    let many: Vec<Key> =
        (0..129).flat_map(|n| [key(Class::Main, n), key(Class::Side, n)]).collect();
    assert!(matches!(now(world.tiered.get(TENANT, &many)), Err(StoreError::TooLarge)));
}

#[test]
fn a_scan_of_both_classes_is_that_of_one_store() {
    for (main, side) in [(5, 4), (0, 3), (3, 0), (0, 0)] {
        let world = world(main, side);
        for direction in [Direction::Ascending, Direction::Descending] {
            for skip in [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, u32::MAX] {
                for limit in [1, 2, 3, 5, 100] {
                    let asked = Scan { direction, skip, ..Scan::records(everything(), limit) };
                    let told = scanned(&world.tiered, asked.clone());
                    assert_eq!(told, scanned(&world.whole, asked), "{direction:?} {skip} {limit}");
                }
                for cap in [0, 1, 4, 5, 6, 9, u32::MAX] {
                    let want = Want::Count { cap };
                    let asked = Scan { direction, skip, want, ..Scan::records(everything(), 1) };
                    let told = scan(&world.tiered, &asked);
                    assert_eq!(told.count, scan(&world.whole, &asked).count, "{skip} {cap}");
                }
            }
        }
    }
}

#[test]
fn a_count_and_a_page_go_on_from_every_cursor() {
    let world = world(4, 4);
    for direction in [Direction::Ascending, Direction::Descending] {
        let mut asked = Scan { direction, ..Scan::records(everything(), 1) };
        let mut left = 8;
        loop {
            let count = Scan { want: Want::Count { cap: 100 }, ..asked.clone() };
            assert_eq!(scan(&world.tiered, &count).count, left, "{:?}", asked.after);
            let skipped = Scan { skip: 2, limit: 100, ..asked.clone() };
            let rest = scanned(&world.tiered, skipped).len();
            assert_eq!(rest, (left as usize).saturating_sub(2), "{:?}", asked.after);
            let page = scan(&world.tiered, &asked);
            left -= u32::try_from(page.records.len()).unwrap();
            let Some(next) = page.next else { break };
            asked = asked.after(next);
        }
        assert_eq!(left, 0);
    }
}

#[test]
fn an_index_of_both_classes_has_each_entry_once() {
    let world = world(5, 4);
    let range = || ScanRange::Index {
        name: "by_n",
        start: Box::from(2_u64.to_be_bytes()),
        end: Box::from(8_u64.to_be_bytes()),
    };
    for limit in [1, 2, 3, 100] {
        let found = scanned(&world.tiered, Scan::records(range(), limit));
        let expected = [2, 4, 6].map(|n| key(Class::Main, n)).into_iter();
        let expected = expected.chain([3, 5, 7].map(|n| key(Class::Side, n)));
        assert_eq!(found, expected.collect::<Vec<_>>(), "{limit} a page");
    }
    // One whose entries are of one class, as it should be, ends with its last entry.
    let world = self::world(5, 0);
    let page = scan(&world.tiered, &Scan::records(range(), 3));
    assert_eq!((page.records.len(), page.next.is_none()), (3, true));
}

#[test]
fn several_scans_come_back_in_their_order() {
    let world = world(3, 3);
    let class = |class| Scan::records(KeyRange::class(class), 10);
    let empty = Scan::records(KeyRange::new(&key(Class::Main, 1), &key(Class::Main, 1)), 10);
    let scans = [
        class(Class::Side),
        Scan::records(everything(), 10),
        empty,
        class(Class::Main),
        class(Class::Side),
    ];
    let told = now(world.tiered.scan(TENANT, &scans)).unwrap();
    let told: Vec<usize> = told.into_iter().map(|page| page.records.len()).collect();
    assert_eq!(told, [3, 3, 0, 3, 3], "the second holds the first part of both classes");
    let odd = Scan { limit: 0, ..class(Class::Main) };
    assert!(matches!(now(world.tiered.scan(TENANT, &[odd])), Err(StoreError::TooLarge)));
}

#[test]
fn a_sweep_reaches_both_and_keeps_its_limit() {
    let world = world(3, 3);
    let sweep = |what: &Sweep, limit| {
        let swept = now(world.tiered.sweep(what.clone(), limit)).unwrap();
        (swept.removed, swept.more)
    };
    // The records 0 to 3 are kept until then.
    let expired = Sweep::Expired { now: at(3) };
    assert_eq!([sweep(&expired, 0), sweep(&expired, 3)], [(0, true), (3, true)]);
    assert_eq!([sweep(&expired, 3), sweep(&expired, 3)], [(1, false), (0, false)]);
    let range = Sweep::Range { tenant: TENANT, range: everything() };
    assert_eq!([sweep(&range, 1), sweep(&range, 5)], [(1, true), (1, false)]);
    assert_eq!(scanned(&world.tiered, Scan::records(everything(), 10)), []);
}

#[test]
fn due_records_of_both_come_oldest_first() {
    let world = world(3, 3);
    for limit in [0, 1, 4, 100] {
        let due = |store: &dyn Store| {
            let due = now(store.due(Queue::Jobs, at(4), 0..256, limit)).unwrap();
            due.into_iter().map(|(_, record)| record.key).collect::<Vec<_>>()
        };
        assert_eq!(due(&world.tiered), due(&world.whole));
    }
}

#[test]
fn an_archive_holds_both_and_is_restored_into_both() {
    let world = world(4, 3);
    let copy = Tiered::new(MemoryStore::new(), MemoryStore::new());
    for limit in [1, 2, 3, 100] {
        let (mut after, mut all) = (None, Vec::new());
        loop {
            let page = now(world.tiered.archived(after.as_ref(), limit)).unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.place());
            all.extend(page);
        }
        assert_eq!(all, now(world.whole.archived(None, 100)).unwrap());
        now(copy.restore(&all)).unwrap();
    }
    let copied = now(copy.archived(None, 100)).unwrap();
    assert_eq!(copied, now(world.tiered.archived(None, 100)).unwrap());
    let again = now(copy.restore(&copied)).unwrap();
    assert_eq!((again.written, again.kept), (0, 7));
    assert!(matches!(now(copy.restore(&[])), Err(StoreError::TooLarge)));
}

#[test]
fn of_a_record_in_both_the_one_that_is_read_is_archived() {
    let world = world(1, 1);
    // A database that was used for everything before.
    let stray = Batch::builder::<Side>(CommitId::from_bytes([9; 16]), Timestamp::EPOCH);
    let record = NewRecord {
        key: key(Class::Side, 1),
        value: "stray".into(),
        index: vec![],
        keep_until: None,
        due: None,
    };
    let put = Write::Put { record, when: When::Any, old_index: vec![] };
    now(world.main.commit(TENANT, &stray.write(put).build().unwrap())).unwrap();
    assert_eq!(now(world.main.archived(None, 10)).unwrap().len(), 2);
    let all = now(world.tiered.archived(None, 10)).unwrap();
    let values: Vec<&str> = all.iter().map(|archived| &*archived.record.value).collect();
    assert_eq!(values, ["0", "1"]);
}

#[test]
fn stores_of_any_type_are_taken() {
    let main: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let side: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let tiered: Arc<dyn Store> = Arc::new(Tiered::shared(main.clone(), side));
    now(tiered.commit(TENANT, &batch::<Main>(7))).unwrap();
    assert!(now(main.get(TENANT, &[key(Class::Main, 7)])).unwrap()[0].is_some());
}
