//! Beyond the sizes that one call to the server has: queues, archives, counters.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, and so may what it is made of"
)]

mod support;

use auth_redis::RedisStore;
use auth_store::limits::MAX_BATCH_WRITES;
use auth_store::{
    Archive, Batch, Class, CommitError, Due, IndexEntry, Main, NewRecord, Place, Queue, Store,
    Sweep, TenantId, Timestamp, When, Write,
};
use support::{commit, find, key, new_id, options, put, server};
use testbed::Redis;

async fn open(test: &str) -> Option<(Redis, RedisStore)> {
    let server = server(test, Redis::setup())?;
    let store = options(&server).connect().await.unwrap();
    Some((server, store))
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

fn name(n: u64) -> String {
    format!("{n:06}")
}

/// Jobs from the number `from` to `to`, each due at its number and kept for ever.
async fn jobs(store: &RedisStore, from: u64, to: u64, shard: u16) {
    let numbers: Vec<u64> = (from..to).collect();
    for some in numbers.chunks(MAX_BATCH_WRITES) {
        let mut batch = Batch::builder::<Main>(new_id(), Timestamp::EPOCH);
        for n in some {
            let record = NewRecord {
                key: key(Class::Main, &name(*n)),
                value: n.to_string().into(),
                index: vec![IndexEntry::new("by_n", n.to_be_bytes())],
                keep_until: None,
                due: Some(Due { queue: Queue::Jobs, at: at(*n), shard }),
            };
            batch.push(Write::Put { record, when: When::Absent, old_index: vec![] });
        }
        commit(store, &batch.build().unwrap()).await.unwrap();
    }
}

async fn due(store: &RedisStore, shards: std::ops::Range<u16>, limit: u32) -> Vec<String> {
    let due = store.due(Queue::Jobs, Timestamp::MAX, shards, limit).await.unwrap();
    due.into_iter().map(|(_, record)| record.value.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_of_other_shards_hides_nothing() {
    let Some((_server, store)) = open("long queues in Redis").await else { return };
    jobs(&store, 0, 1, 7).await;
    jobs(&store, 1, 2500, 0).await;
    jobs(&store, 2500, 2503, 7).await;
    assert_eq!(due(&store, 7..8, 10).await, ["0", "2500", "2501", "2502"]);
    assert_eq!(due(&store, 7..8, 2).await, ["0", "2500"]);
    assert_eq!(due(&store, 7..8, 1).await, ["0"]);
    let all = due(&store, 0..256, 5000).await;
    assert!(all.iter().eq((0..2503).map(|n| n.to_string()).collect::<Vec<_>>().iter()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_many_calls_is_whole() {
    let Some((_server, store)) = open("large archives in Redis").await else { return };
    jobs(&store, 0, 950, 3).await;
    let large = "x".repeat(900_000);
    for n in 950..960 {
        commit(&store, &put(&name(n), &large)).await.unwrap();
    }
    let (mut all, mut after): (Vec<_>, Option<Place>) = (Vec::new(), None);
    loop {
        let page = store.archived(after.as_ref(), 700).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.place());
        all.extend(page);
    }
    assert_eq!(all.len(), 960);
    assert!(all.is_sorted_by(|a, b| a.place() < b.place()));
    let Some((_other, copy)) = open("large archives in Redis").await else { return };
    let restored = copy.restore(&all).await.unwrap();
    assert_eq!((restored.written, restored.kept), (960, 0));
    assert_eq!(copy.archived(None, 1000).await.unwrap(), all);
    assert_eq!(due(&copy, 0..256, 1000).await.len(), 950);
    let swept = copy.sweep(Sweep::Expired { now: Timestamp::MAX }, 10).await.unwrap();
    assert_eq!((swept.removed, swept.more), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_is_exact_and_stays_at_its_end() {
    let Some((_server, store)) = open("counters in Redis").await else { return };
    let add = async |n: u64, below: Option<u64>| {
        let key = key(Class::Main, "counter");
        let write = Write::Add { key, n, below, keep_until: at(1000) };
        let batch = Batch::builder::<Main>(new_id(), Timestamp::EPOCH).write(write);
        match commit(&store, &batch.build().unwrap()).await {
            Ok(committed) => Some(committed.counters),
            Err(CommitError::Full(_)) => None,
            Err(CommitError::Unavailable(_)) => Some(Vec::new()),
            Err(error) => panic!("{error:?}"),
        }
    };
    // Where a number with a mantissa of 53 bits would err, and where a half is carried into the other.
    for (begin, n, sum) in [
        ("0", 1, 1),
        ("9007199254740992", 1, 9_007_199_254_740_993),
        ("9999999999", 1, 10_000_000_000),
        ("10000000000", 9, 10_000_000_009),
        ("007", 1, 8),
        ("18446744073709551614", 1, u64::MAX),
        ("18446744073709551615", 1, u64::MAX),
        ("18446744069999999999", u64::MAX, u64::MAX),
    ] {
        commit(&store, &put("counter", begin)).await.unwrap();
        assert_eq!(add(n, Some(sum - 1)).await, None, "{begin} + {n}");
        assert_eq!(add(n, Some(sum)).await, Some(vec![sum]), "{begin} + {n}");
        let counter = find(&store, "counter").await.unwrap();
        assert_eq!(*counter.value, *sum.to_string());
        // It was put for ever, and had no window yet.
        assert_eq!(counter.keep_until, Some(at(1000)));
    }
    for odd in ["18446744073709551616", "99999999999999999999", "1e3", "-1", "", "1\0", "0x1"] {
        commit(&store, &put("counter", odd)).await.unwrap();
        assert_eq!(add(1, None).await, Some(Vec::new()), "{odd} is no counter");
    }
    assert!(store.get(TenantId::DEFAULT, &[]).await.unwrap().is_empty());
}
