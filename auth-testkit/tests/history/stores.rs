//! Histories of stores that keep the contract.

use std::sync::Arc;

use auth_sqlite::SqliteStore;
use auth_store::{MemoryStore, Store};
use auth_testkit::store::history::{Histories, Tally};
use auth_testkit::store::{BrokenStore, CommitFault, FaultyStore};

const SEED: u64 = 20_260_101;

/// There were races, and every sort of answer.
#[track_caller]
fn assert_contended(tally: Tally, rounds: u64) {
    assert_eq!((tally.histories, tally.calls), (rounds, rounds * 20));
    assert_eq!(tally.failed, 0, "{tally:?}");
    for count in [tally.conflicts, tally.full * 3, tally.races / 2] {
        assert!(count >= rounds, "{tally:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_470_a_store_in_memory_is_linearizable() {
    let store = Arc::new(MemoryStore::new());
    let tally = Histories::new(store).rounds(1000).seed(SEED).interleaved(true).check().await;
    assert_contended(tally.unwrap_or_else(|error| panic!("{error}")), 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_unbroken_store_is_linearizable() {
    let store = Arc::new(BrokenStore::new(None));
    let tally = Histories::new(store).rounds(300).seed(SEED).interleaved(true).check().await;
    assert_contended(tally.unwrap_or_else(|error| panic!("{error}")), 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_is_linearizable() {
    let store = Arc::new(SqliteStore::memory().unwrap());
    let tally = Histories::new(store).rounds(300).seed(SEED).check().await;
    assert_contended(tally.unwrap_or_else(|error| panic!("{error}")), 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lost_answers_are_no_violation() {
    for fault in [CommitFault::UnknownApplied, CommitFault::UnknownNotApplied] {
        let inner: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let store = Arc::new(FaultyStore::new(inner));
        // Some answers are lost at the beginning of the run, in histories that run together.
        store.fail_commits(fault, 100);
        let histories = Histories::new(store).rounds(100).seed(SEED).interleaved(true);
        let tally = histories.check().await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(tally.unknown, 100);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failure_that_was_applied_is_a_violation() {
    let run = async |fault| {
        let inner: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let store = Arc::new(FaultyStore::new(inner));
        store.fail_commits(fault, 20);
        Histories::new(store).rounds(50).seed(SEED).interleaved(true).check().await
    };
    assert!(run(CommitFault::Unavailable).await.is_ok());
    // A conflict that has no cause is as wrong: the caller would be told that somebody was faster.
    assert!(run(CommitFault::Conflict).await.is_err());
}
