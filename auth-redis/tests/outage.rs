//! Servers that die, hang, are full, or hold something else under our names.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, and so may what it is made of"
)]

mod support;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_redis::RedisStore;
use auth_store::{
    Batch, Class, CommitError, CommitId, IndexEntry, KeyRange, Main, NewRecord, Scan, Store,
    StoreError, Sweep, TenantId, Timestamp, When, Write,
};
use support::{commit, find, key, options, put, put_new, server};
use testbed::Redis;

const LIMIT: Duration = Duration::from_millis(700);

async fn open(server: &Redis) -> RedisStore {
    options(server).response_timeout(LIMIT).connect_timeout(LIMIT).connect().await.unwrap()
}

/// Commits a record at a time under names of their own until told to stop; gives the names that were
/// acknowledged, and whether each outcome that was not came in time and was one that is permitted.
async fn write_until(
    store: Arc<RedisStore>,
    writer: usize,
    stop: Arc<std::sync::atomic::AtomicBool>,
) -> (Vec<String>, usize) {
    let (mut acknowledged, mut failed) = (Vec::new(), 0);
    let mut n = 0;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        n += 1;
        let name = format!("{writer}-{n}");
        let begun = Instant::now();
        match commit(&*store, &put_new(&name)).await {
            Ok(_) => acknowledged.push(name),
            Err(CommitError::Unavailable(_) | CommitError::Unknown(_)) => {
                failed += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
        assert!(begun.elapsed() < LIMIT * 3, "an outcome took {:?}", begun.elapsed());
    }
    (acknowledged, failed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_495_what_was_acknowledged_is_there_after_a_kill_and_the_handle_goes_on() {
    let Some(mut server) = server("Redis is killed and comes back", Redis::setup()) else { return };
    let store = Arc::new(open(&server).await);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> =
        (0..4).map(|n| tokio::spawn(write_until(store.clone(), n, stop.clone()))).collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        tokio::task::block_in_place(|| server.kill()).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        tokio::task::block_in_place(|| server.start_again()).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (mut acknowledged, mut failed) = (Vec::new(), 0);
    for writer in writers {
        let (names, failures) = writer.await.unwrap();
        assert!(!names.is_empty(), "a writer had no commit acknowledged");
        acknowledged.extend(names);
        failed += failures;
    }
    assert!(failed > 0, "nobody noticed that the server was killed three times");
    for name in &acknowledged {
        assert!(find(&*store, name).await.is_some(), "{name} was acknowledged and is lost");
    }
    // After the outage the same handle takes commits, and at once.
    commit(&*store, &put_new("afterwards")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_unavailable() {
    let Some(mut server) = server("Redis is gone", Redis::setup()) else { return };
    let store = open(&server).await;
    commit(&store, &put("a", "1")).await.unwrap();
    tokio::task::block_in_place(|| server.kill()).unwrap();
    // The connection's end is noticed, and no new one comes about: nothing was sent.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let outcome = commit(&store, &put("a", "2")).await;
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    let read = store.get(TenantId::DEFAULT, &[key(Class::Main, "a")]).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    tokio::task::block_in_place(|| server.start_again()).unwrap();
    assert_eq!(&*find(&store, "a").await.unwrap().value, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_of_a_commit_to_a_server_that_hangs_is_unknown() {
    let Some(server) = server("Redis hangs", Redis::setup()) else { return };
    let store = open(&server).await;
    commit(&store, &put("a", "1")).await.unwrap();
    let signal = |name: &str| {
        let pid = server.pid().unwrap().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    let begun = Instant::now();
    let batch = put("a", "2");
    let outcome = commit(&store, &batch).await;
    let took = begun.elapsed();
    signal("-CONT");
    assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
    assert!(took < LIMIT * 2, "it took {took:?}");
    // What the contract says about an unknown outcome: the same batch again tells, and so does reading.
    commit(&store, &batch).await.unwrap();
    assert_eq!(find(&store, "a").await.unwrap().version, batch.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_493_a_full_server_applies_nothing_and_can_be_swept() {
    let Some(server) = server("Redis is full", Redis::setup()) else { return };
    let store = open(&server).await;
    commit(&store, &put("a", "1")).await.unwrap();
    server.command("config set maxmemory 1").unwrap();
    let outcome = commit(&store, &put("a", "2")).await;
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    assert_eq!(&*find(&store, "a").await.unwrap().value, "1");
    let tenant = TenantId::DEFAULT;
    let page = store.scan(tenant, &[Scan::records(KeyRange::class(Class::Main), 10)]).await;
    assert_eq!(page.unwrap()[0].records.len(), 1);
    let range = Sweep::Range { tenant, range: KeyRange::class(Class::Main) };
    assert_eq!(store.sweep(range, 10).await.unwrap().removed, 1);
    server.command("config set maxmemory 0").unwrap();
    commit(&store, &put("a", "3")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_under_our_name_refuses_the_whole_batch() {
    let Some(server) = server("foreign keys in Redis", Redis::setup()) else { return };
    let store = open(&server).await;
    commit(&store, &put("a", "1")).await.unwrap();
    server.command("set {auth:default}:index nonsense").unwrap();
    let record = NewRecord {
        key: key(Class::Main, "a"),
        value: "2".into(),
        index: vec![IndexEntry::new("by_name", *b"x")],
        keep_until: None,
        due: None,
    };
    let write = Write::Put { record, when: When::Any, old_index: Vec::new() };
    let batch = Batch::builder::<Main>(CommitId::from_bytes([9; 16]), Timestamp::EPOCH);
    let batch = batch.write(write).build().unwrap();
    let outcome = commit(&store, &batch).await;
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    assert_eq!(&*find(&store, "a").await.unwrap().value, "1");
    server.command("del {auth:default}:index").unwrap();
    commit(&store, &batch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_are_sent_again_to_a_server_that_forgot_them() {
    let Some(server) = server("Redis forgets scripts", Redis::setup()) else { return };
    let store = open(&server).await;
    commit(&store, &put("a", "1")).await.unwrap();
    server.command("script flush").unwrap();
    commit(&store, &put("a", "2")).await.unwrap();
    assert_eq!(&*find(&store, "a").await.unwrap().value, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_found_again_after_all_data_were_lost() {
    let Some(server) = server("Redis loses everything", Redis::setup()) else { return };
    let store = open(&server).await;
    commit(&store, &put("a", "1")).await.unwrap();
    server.command("flushall").unwrap();
    let record = NewRecord {
        key: key(Class::Main, "b"),
        value: "1".into(),
        index: Vec::new(),
        keep_until: Some(Timestamp::EPOCH),
        due: None,
    };
    let write = Write::Put { record, when: When::Absent, old_index: Vec::new() };
    let batch = Batch::builder::<Main>(support::new_id(), Timestamp::EPOCH);
    commit(&store, &batch.write(write).build().unwrap()).await.unwrap();
    // A sweep goes by the list of tenants: the handle did not trust what it remembers.
    let swept = store.sweep(Sweep::Expired { now: Timestamp::MAX }, 10).await.unwrap();
    assert_eq!((swept.removed, swept.more), (1, false));
}
