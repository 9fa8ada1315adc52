//! Which way the server goes, while it knows nothing yet of what is in the tables.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod server;

use std::time::Duration;

use auth_postgres::PostgresStore;
use auth_store::{Batch, Main, Store, TenantId, When, Write};
use server::{batch, commit, console, has, key, new_name, options, start};
use testbed::Postgres;

/// Sizes of a table at which the planner may hold that a tenant has as few records as are asked for.
const SIZES: [u64; 4] = [0, 100, 1_000, 3_000];

#[tokio::test(flavor = "multi_thread")]
async fn a_key_leads_to_its_record_and_past_no_others_before_the_tables_are_analyzed() {
    let Some(server) = start("plans of a new database", |setup| setup) else { return };
    for size in SIZES {
        let read = entries_read(&server, size).await;
        assert!(read < 100, "{read} index entries were read: planned at {size} records");
    }
}

/// How many index entries are read by a few calls on `GROWN` records, if the statements were planned when there
/// were `size`: a plan stays until statistics are new.
async fn entries_read(server: &Postgres, size: u64) -> i64 {
    const GROWN: u64 = 20_000;
    let schema = new_name();
    let store = options(server.url()).schema(&schema).connections(1, 1).connect().await.unwrap();
    let root = console(server.url()).await;
    for table in ["record", "entry"] {
        let off = format!("ALTER TABLE {schema}.{table} SET (autovacuum_enabled = off)");
        root.batch_execute(&off).await.unwrap();
    }
    // All of one tenant, as in most deployments.
    let fill = async |from: u64, to: u64| {
        let key = "convert_to('m' || n, 'UTF8')";
        root.batch_execute(&format!(
            "INSERT INTO {schema}.record (tenant, key, version, value, entries)
             SELECT 'default', {key}, '\\x00', repeat('x', 400), 1 FROM generate_series({from}, {to}) AS n;
             INSERT INTO {schema}.entry (tenant, key, name, bytes)
             SELECT 'default', {key}, 'row_by_n', {key} FROM generate_series({from}, {to}) AS n"
        ))
        .await
        .unwrap();
    };
    fill(1, size).await;
    work(&store, 0).await;
    fill(size + 1, GROWN).await;
    work(&store, 10).await;
    // The counts of a session arrive when it ends.
    drop(store);
    let read = format!(
        "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE schemaname = '{schema}'"
    );
    let mut looked_at = 0;
    while looked_at == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let root = console(server.url()).await;
        looked_at = root.query_one(&read, &[]).await.unwrap().get::<_, i64>(0);
    }
    looked_at
}

/// Calls that lead to records by their keys.
async fn work(store: &PostgresStore, first: u64) {
    let [a, b, c, d] = [1, 2, 3, 4].map(|n| first + n);
    commit(store, &[a, b, c]).await.unwrap();
    store.get(TenantId::DEFAULT, &[a, b, c, d].map(key)).await.unwrap();
    let replaced = batch(&[c]).map_writes(|write| match write {
        Write::Put { record, old_index, .. } => {
            Some(Write::Put { record, when: When::Present, old_index })
        }
        other => Some(other),
    });
    store.commit(TenantId::DEFAULT, &replaced).await.unwrap();
    let deleted = Write::Delete { key: key(b), when: When::Present, old_index: vec![] };
    let batch = batch(&[d]);
    let writes = batch.writes().iter().cloned().chain([deleted]);
    let start = Batch::builder::<Main>(batch.id(), batch.now());
    let batch = writes.fold(start, auth_store::BatchBuilder::write).build().unwrap();
    store.commit(TenantId::DEFAULT, &batch).await.unwrap();
    assert!(has(store, d).await && !has(store, b).await);
}
