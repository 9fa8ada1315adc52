//! A database that goes away, hangs, or is cut off in the middle of a commit.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_store::{CommitError, Store, StoreError, TenantId};
use server::{batch, commit, console, has, key, new_name, options, start};

#[tokio::test(flavor = "multi_thread")]
async fn work_resumes_by_itself_when_the_database_is_back() {
    let Some(mut server) = start("an outage of PostgreSQL", |setup| setup) else { return };
    let store = options(server.url()).connect().await.unwrap();
    commit(&store, &[1]).await.unwrap();
    for (round, orderly) in [(2, true), (4, false)] {
        if orderly {
            server.stop().unwrap();
        } else {
            server.kill().unwrap();
        }
        let begun = Instant::now();
        let away = commit(&store, &[round]).await;
        let fails_closed =
            matches!(away, Err(CommitError::Unavailable(_) | CommitError::Unknown(_)));
        assert!(fails_closed, "{away:?}");
        let read = store.get(TenantId::DEFAULT, &[key(1)]).await;
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());

        server.start_again().unwrap();
        assert!(has(&store, 1).await, "what was acknowledged is there");
        assert!(!has(&store, round).await);
        commit(&store, &[round, round + 1]).await.unwrap();
        assert!(has(&store, round).await && has(&store, round + 1).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_in_a_commit_leaves_nothing_half_written() {
    let Some(server) = start("a connection that is cut", |setup| setup) else { return };
    let schema = new_name();
    let store = Arc::new(options(server.url()).schema(&schema).connect().await.unwrap());
    commit(&store, &[1]).await.unwrap();
    let root = console(server.url()).await;
    for cut in 0..5 {
        // Somebody at the console holds the second table's rows: the commit waits with its first write
        // done, and is cut there.
        root.batch_execute(&format!("BEGIN; LOCK TABLE {schema}.entry IN EXCLUSIVE MODE"))
            .await
            .unwrap();
        let waiting = {
            let store = store.clone();
            let batch = batch(&[10 + 2 * cut, 11 + 2 * cut]);
            tokio::spawn(async move { (store.commit(TenantId::DEFAULT, &batch).await, batch) })
        };
        let ended = loop {
            let ended = root
                .query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE application_name = 'auth-postgres' AND wait_event_type = 'Lock'",
                    &[],
                )
                .await
                .unwrap();
            if !ended.is_empty() {
                break ended.len();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert_eq!(ended, 1);
        let (outcome, batch) = waiting.await.unwrap();
        assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
        root.batch_execute("ROLLBACK").await.unwrap();
        assert!(!has(&store, 10 + 2 * cut).await && !has(&store, 11 + 2 * cut).await);
        // The same batch again finds out, and is applied once.
        let again = async || store.commit(TenantId::DEFAULT, &batch).await;
        let mut outcome = again().await;
        while matches!(outcome, Err(CommitError::Unknown(_))) {
            outcome = again().await;
        }
        outcome.unwrap();
        again().await.unwrap();
        assert!(has(&store, 10 + 2 * cut).await && has(&store, 11 + 2 * cut).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_takes_too_long_is_given_up_by_the_server() {
    let Some(server) = start("the limit of a statement's time", |setup| setup) else { return };
    let schema = new_name();
    let limited =
        options(server.url()).schema(&schema).statement_timeout(Duration::from_millis(300));
    let store = limited.connect().await.unwrap();
    commit(&store, &[1]).await.unwrap();
    let root = console(server.url()).await;
    root.batch_execute(&format!("BEGIN; LOCK TABLE {schema}.record IN EXCLUSIVE MODE"))
        .await
        .unwrap();
    let outcome = commit(&store, &[2]).await;
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    assert!(has(&store, 1).await, "reads do not wait for commits");
    root.batch_execute("ROLLBACK").await.unwrap();
    commit(&store, &[2]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_sees_what_the_one_before_it_wrote_whatever_the_isolation() {
    let Some(server) = start("the isolation of a commit", |setup| setup) else { return };
    let schema = new_name();
    let store = options(server.url()).schema(&schema).connect().await.unwrap();
    commit(&store, &[1]).await.unwrap();
    // Changed behind the back of an open store: refused, rather than decided on an old snapshot.
    let root = console(server.url()).await;
    root.batch_execute(
        "ALTER DATABASE postgres SET default_transaction_isolation = 'repeatable read'",
    )
    .await
    .unwrap();
    root.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'auth-postgres'",
        &[],
    )
    .await
    .unwrap();
    let mut outcome = commit(&store, &[2]).await;
    while matches!(outcome, Err(CommitError::Unknown(_))) {
        // The first ones find their connection ended.
        outcome = commit(&store, &[2]).await;
    }
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    assert!(has(&store, 1).await && !has(&store, 2).await);
}
