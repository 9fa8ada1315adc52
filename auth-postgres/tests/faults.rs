//! A database that goes away, hangs, or is cut off in the middle of a commit.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_postgres::OpenError;
use auth_store::{CommitError, Store, StoreError, TenantId};
use server::{batch, commit, console, has, key, new_name, options, start};
use testbed::Postgres;

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
    let limited = options(server.url()).schema(&schema).statement_timeout(Duration::from_secs(2));
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

/// Whoever reads from a standby takes a token for good that was revoked.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_comes_back_as_a_standby_is_not_used() {
    let Some(mut server) = start("a primary that becomes a standby", |setup| setup) else { return };
    let options = || options(server.url()).schema("auth");
    let store = options().connect().await.unwrap();
    commit(&store, &[1]).await.unwrap();
    let again = options();
    server.stop().unwrap();
    let signal = server.folder().join("data/standby.signal");
    std::fs::write(&signal, "").unwrap();
    server.start_again().unwrap();
    console(server.url()).await.query("SELECT 1", &[]).await.unwrap();
    let read = store.get(TenantId::DEFAULT, &[key(1)]).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    let outcome = commit(&store, &[2]).await;
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    let refused = again.connect().await.unwrap_err();
    assert!(matches!(refused, OpenError::Standby { .. }), "{refused:?}");

    server.stop().unwrap();
    std::fs::remove_file(&signal).unwrap();
    server.start_again().unwrap();
    assert!(has(&store, 1).await);
    commit(&store, &[2]).await.unwrap();
}

/// Nothing is half written, and what was open goes on by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_begins_to_only_read_is_refused_until_it_writes() {
    let Some(server) = start("a database that begins to only read", |setup| setup) else { return };
    let store = options(server.url()).connect().await.unwrap();
    commit(&store, &[1]).await.unwrap();
    let root = console(server.url()).await;
    let until = async |only_reads: &str, mut n: u64| {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {only_reads}");
        root.batch_execute("SET default_transaction_read_only = off").await.unwrap();
        root.batch_execute(&set).await.unwrap();
        root.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let begun = Instant::now();
        // Each takes a new one: what was committed may not be there.
        while commit(&store, &[n]).await.is_ok() == (only_reads == "on") {
            assert!(begun.elapsed() < Duration::from_secs(10), "the setting is not seen");
            tokio::time::sleep(Duration::from_millis(20)).await;
            n += 1;
        }
        n
    };
    let refused = until("on", 100).await;
    let outcome = commit(&store, &[refused]).await;
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    let committed = until("off", 1000).await;
    assert!(has(&store, 1).await && has(&store, committed).await);
    assert!(!has(&store, refused).await);
}

async fn waiting(server: &Postgres) -> i64 {
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE application_name = 'auth-postgres' AND wait_event_type = 'Lock'";
    console(server.url()).await.query_one(waiting, &[]).await.unwrap().get(0)
}

/// Waits until so many statements of the store wait for a lock. By a connection of its own: inside of a
/// transaction the server shows what it showed before.
async fn until_waiting(server: &Postgres, count: i64) {
    while waiting(server).await < count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_finds_no_connection_in_time_is_not_applied_later() {
    let Some(server) = start("commits beyond the number of connections", |setup| setup) else {
        return;
    };
    let schema = new_name();
    let options = options(server.url()).schema(&schema).connections(2, 1);
    let options = options.connect_timeout(Duration::from_secs(2));
    let store = Arc::new(options.connect().await.unwrap());
    commit(&store, &[1]).await.unwrap();
    let root = console(server.url()).await;
    let lock = format!("BEGIN; LOCK TABLE {schema}.record IN EXCLUSIVE MODE");
    root.batch_execute(&lock).await.unwrap();
    // One on each connection: those that come at once would share one.
    let mut waiting = Vec::new();
    for n in [2, 3_u32] {
        let store = store.clone();
        waiting.push(tokio::spawn(async move { commit(&store, &[n.into()]).await }));
        until_waiting(&server, i64::from(n) - 1).await;
    }
    let outcome = commit(&store, &[4]).await;
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    root.batch_execute("ROLLBACK").await.unwrap();
    for commit in waiting {
        commit.await.unwrap().unwrap();
    }
    commit(&store, &[5]).await.unwrap();
    for n in [2, 3, 5] {
        assert!(has(&store, n).await);
    }
    assert!(!has(&store, 4).await);
}

/// On one thread: the first of them sets off when all have come.
#[tokio::test]
async fn commits_that_come_together_share_a_transaction_but_not_their_fate() {
    let Some(server) = start("commits that share a transaction", |setup| setup) else { return };
    let schema = new_name();
    let options = options(server.url()).schema(&schema).connections(1, 1);
    let store = Arc::new(options.connect().await.unwrap());
    let root = console(server.url()).await;
    let transaction_of = |n: u64| {
        let text = format!("SELECT xmin::text FROM {schema}.record WHERE key = $1");
        let root = &root;
        async move { root.query_one(&text, &[&key(n).as_bytes()]).await.unwrap().get::<_, String>(0) }
    };
    commit(&store, &[1]).await.unwrap();
    let together = async |numbers: &[u64]| {
        let all = numbers.iter().map(|n| commit(&store, std::slice::from_ref(n)));
        futures_util::future::join_all(all).await
    };
    assert!(together(&[2, 3, 4]).await.iter().all(Result::is_ok));
    assert_eq!(transaction_of(2).await, transaction_of(4).await);
    assert_ne!(transaction_of(1).await, transaction_of(2).await);

    // What the table refuses is no answer of the function: the transaction is lost, and each tries alone.
    let refuse = format!(
        "ALTER TABLE {schema}.record ADD CHECK (key <> decode('{}', 'hex'))",
        key(6).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    );
    root.batch_execute(&refuse).await.unwrap();
    let outcomes = together(&[5, 6, 7]).await;
    assert!(matches!(&*outcomes, [Ok(_), Err(CommitError::Unavailable(_)), Ok(_)]), "{outcomes:?}");
    assert!(has(&store, 5).await && !has(&store, 6).await && has(&store, 7).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_nobody_waits_for_delays_no_other() {
    let Some(server) = start("a commit that is given up", |setup| setup) else { return };
    let schema = new_name();
    let patient = options(server.url()).schema(&schema).statement_timeout(Duration::from_secs(60));
    let store = Arc::new(patient.connect().await.unwrap());
    commit(&store, &[1]).await.unwrap();
    let root = console(server.url()).await;
    // Somebody at the console writes the same record: the commit waits for the end of that.
    let same = format!(
        "INSERT INTO {schema}.record (tenant, key, version, value, entries)
         SELECT tenant, $1, version, value, 0 FROM {schema}.record"
    );
    root.batch_execute("BEGIN").await.unwrap();
    root.execute(&same, &[&key(2).as_bytes()]).await.unwrap();
    let given_up = {
        let store = store.clone();
        tokio::spawn(async move { commit(&store, &[2]).await })
    };
    until_waiting(&server, 1).await;
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    let begun = Instant::now();
    for n in 10..20 {
        commit(&store, &[n]).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    root.batch_execute("ROLLBACK").await.unwrap();
    // Both connections are of use again.
    let both = [20, 21].map(|n| {
        let store = store.clone();
        tokio::spawn(async move { commit(&store, &[n]).await })
    });
    for commit in both {
        commit.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_whose_connection_is_cut_are_sent_again() {
    let Some(server) = start("reads that are cut", |setup| setup) else { return };
    let schema = new_name();
    let store = Arc::new(options(server.url()).schema(&schema).connect().await.unwrap());
    commit(&store, &[1]).await.unwrap();
    assert!(has(&store, 1).await);
    let root = console(server.url()).await;
    let lock = format!("BEGIN; LOCK TABLE {schema}.record IN ACCESS EXCLUSIVE MODE");
    root.batch_execute(&lock).await.unwrap();
    let reads: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { has(&store, 1).await })
        })
        .collect();
    // Eight reads on two connections: the others wait behind the first of each.
    until_waiting(&server, 2).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'auth-postgres' AND wait_event_type = 'Lock'";
    assert_eq!(console(server.url()).await.query(cut, &[]).await.unwrap().len(), 2);
    root.batch_execute("ROLLBACK").await.unwrap();
    for read in reads {
        assert!(read.await.unwrap());
    }
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
