//! A database is new and empty, may be opened twice and by its text, and goes with its value.

#![cfg(feature = "stores")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use auth_store::{
    Batch, Class, CommitId, Key, Main, NewRecord, Store, TenantId, Timestamp, When, Write,
};
use testbed::{Backend, Database, OpenError, open};

fn tenant() -> TenantId {
    TenantId::new("one").unwrap()
}

fn key() -> Key {
    Key::builder(Class::Main, "thing").text("one").build().unwrap()
}

async fn put(store: &Arc<dyn Store>) {
    let record =
        NewRecord { key: key(), value: "{}".into(), index: vec![], keep_until: None, due: None };
    let write = Write::Put { record, when: When::Absent, old_index: vec![] };
    let id = CommitId::from_bytes([1; 16]);
    let batch =
        Batch::builder::<Main>(id, Timestamp::from_secs(1).unwrap()).write(write).build().unwrap();
    store.commit(tenant(), &batch).await.unwrap();
}

async fn is_there(store: &Arc<dyn Store>) -> bool {
    store.get(tenant(), &[key()]).await.unwrap()[0].is_some()
}

/// Looks without opening, which would make it anew.
async fn is_gone(spec: &str) -> bool {
    if let Some(file) = spec.strip_prefix("sqlite:") {
        return !std::path::Path::new(file).exists();
    }
    if let Some((urls, namespace)) = spec.split_once('#') {
        return urls.rsplit(' ').next().unwrap().split(',').all(|url| {
            let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
            let pattern = format!("*{namespace}*");
            let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut connection).unwrap();
            keys.is_empty()
        });
    }
    if let Some((url, schema)) = spec.split_once("?schema=") {
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let sql = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
        return client.query(sql, &[&schema]).await.unwrap().is_empty();
    }
    true
}

async fn walk(database: &Database) {
    let (one, two) = (database.open().await, database.open().await);
    assert!(!is_there(&one).await);
    put(&one).await;
    assert!(is_there(&two).await);
    assert_eq!(database.archive().await.archived(None, 10).await.unwrap().len(), 1);
    if database.backend() != Backend::Memory {
        assert!(is_there(&open(&database.spec()).await.unwrap()).await);
    }
}

#[tokio::test]
async fn every_backend_gives_databases_of_their_own() {
    for backend in Backend::ALL {
        assert_eq!(Backend::named(backend.name()), Some(backend));
        let (Some(first), Some(second)) = (backend.database().await, backend.database().await)
        else {
            continue;
        };
        walk(&first).await;
        walk(&second).await;
        let spec = first.spec();
        drop(first);
        assert!(is_gone(&spec).await, "{spec}");
        assert!(is_there(&second.open().await).await);
    }
}

#[tokio::test]
async fn a_text_that_names_nothing_is_refused() {
    assert!(matches!(open("memory").await, Err(OpenError::Unreadable(_))));
    assert!(matches!(open("postgres://u@h/d").await, Err(OpenError::Unreadable(_))));
}
