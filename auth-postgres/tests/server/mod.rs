//! A PostgreSQL of its own for each test program, and what a person at its console does.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]
#![allow(dead_code, reason = "each test program uses some of it")]

use std::sync::atomic::{AtomicU32, Ordering};

use auth_postgres::{PostgresOptions, PostgresStore};
use auth_store::{
    Batch, Class, CommitError, CommitId, IndexEntry, Key, Main, NewRecord, Store, TenantId,
    Timestamp, When, Write,
};
use testbed::{Postgres, PostgresSetup};
use tokio_postgres::{Client, NoTls};

/// Starts a server, or notes that `test` is left out.
pub(crate) fn start(
    test: &str,
    change: impl FnOnce(PostgresSetup) -> PostgresSetup,
) -> Option<Postgres> {
    testbed::component(test, "AUTH_TEST_POSTGRES")?;
    Some(change(Postgres::setup()).start().unwrap())
}

/// A connection as the superuser.
pub(crate) async fn console(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The server at `url` as somebody else: `user:password@` and database.
pub(crate) fn url_of(server: &Postgres, user: &str, database: &str) -> String {
    format!("postgres://{user}@{}/{database}", server.address())
}

/// A name that nobody else uses.
pub(crate) fn new_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn options(url: &str) -> PostgresOptions {
    PostgresOptions::from_url(url).unwrap().schema(new_name()).connections(2, 2)
}

pub(crate) fn key(n: u64) -> Key {
    Key::builder(Class::Main, "row").number(n).build().unwrap()
}

/// A batch of the records `ns`, which must not be there.
pub(crate) fn batch(ns: &[u64]) -> Batch {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let mut id = [7; 16];
    id[..4].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let start = Batch::builder::<Main>(CommitId::from_bytes(id), Timestamp::EPOCH);
    let put = |n: &u64| {
        let record = NewRecord {
            key: key(*n),
            value: "{}".into(),
            index: vec![IndexEntry::new("row_by_n", n.to_be_bytes())],
            keep_until: None,
            due: None,
        };
        Write::Put { record, when: When::Absent, old_index: vec![] }
    };
    ns.iter().fold(start, |batch, n| batch.write(put(n))).build().unwrap()
}

pub(crate) async fn commit(store: &PostgresStore, ns: &[u64]) -> Result<(), CommitError> {
    store.commit(TenantId::DEFAULT, &batch(ns)).await.map(drop)
}

pub(crate) async fn has(store: &PostgresStore, n: u64) -> bool {
    store.get(TenantId::DEFAULT, &[key(n)]).await.unwrap()[0].is_some()
}
