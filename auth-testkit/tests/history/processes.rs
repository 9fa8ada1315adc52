//! Histories whose clients live in two processes, on every backend that two can share.

use std::process::Command;
use std::sync::Arc;

use auth_store::MemoryStore;
use auth_testkit::store::history::{ProcessHistories, Tally, Violation, run_clients};
use testbed::Backend;

const SPEC: &str = "AUTH_TEST_HISTORY_SPEC";
const ROUNDS: u64 = 100;

/// Not a test by itself: `cargo test -p auth-testkit --test history` starts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other tests start it"]
async fn a_process_of_clients() {
    match std::env::var(SPEC) {
        Ok(spec) => run_clients(testbed::open(&spec).await.unwrap()).await.unwrap(),
        // Of its own: what the other process does is not seen here.
        Err(_) => run_clients(Arc::new(MemoryStore::new())).await.unwrap(),
    }
}

async fn histories(spec: Option<String>) -> Result<Tally, Violation> {
    let start = move || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let process = "processes::a_process_of_clients";
        command.args([process, "--exact", "--ignored", "--nocapture"]);
        command.env_remove(SPEC).envs(spec.iter().map(|spec| (SPEC, spec)));
        command
    };
    ProcessHistories::new(start).rounds(ROUNDS).check().await
}

async fn one_order_is_seen_on(backend: Backend) {
    let Some(database) = backend.database().await else { return };
    // One process makes the tables.
    drop(database.open().await);
    let tally = histories(Some(database.spec())).await;
    let tally = tally.unwrap_or_else(|violation| panic!("{}: {violation}", backend.name()));
    assert_eq!((tally.histories, tally.calls, tally.failed), (ROUNDS, ROUNDS * 20, 0));
    assert!(tally.races_between_processes >= ROUNDS, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_470_two_processes_on_sqlite() {
    one_order_is_seen_on(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_470_two_processes_on_postgres() {
    one_order_is_seen_on(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_470_two_processes_on_redis() {
    one_order_is_seen_on(Backend::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_470_two_processes_on_a_redis_cluster() {
    one_order_is_seen_on(Backend::RedisCluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_470_two_processes_on_a_tiered_store() {
    one_order_is_seen_on(Backend::Tiered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_that_know_nothing_of_each_other_are_found() {
    let found = histories(None).await;
    assert!(matches!(found, Err(Violation::Unordered { .. })), "{found:?}");
}
