//! What the tests here share: a server of their own, and batches of one record.

#![allow(dead_code, reason = "each test file uses some of it")]

use auth_redis::RedisOptions;
use auth_store::{
    Batch, Class, ClassMarker, CommitError, CommitId, Committed, Key, Main, NewRecord, Record,
    Side, Store, TenantId, Timestamp, When, Write,
};
use testbed::{Redis, RedisSetup};

/// A server of the test's own, or a line in the list of what was left out.
pub(crate) fn server(test: &str, setup: RedisSetup) -> Option<Redis> {
    testbed::component(test, "AUTH_TEST_REDIS_SERVER")?;
    Some(setup.start().unwrap())
}

pub(crate) fn options(server: &Redis) -> RedisOptions {
    RedisOptions::from_url(server.url()).unwrap()
}

pub(crate) fn key(class: Class, name: &str) -> Key {
    Key::builder(class, "test").text(name).build().unwrap()
}

/// An id that no other commit of the process has.
pub(crate) fn new_id() -> CommitId {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    CommitId::from_bytes(id)
}

fn batch<C: ClassMarker>(name: &str, value: &str, when: When) -> Batch {
    let record = NewRecord {
        key: key(C::CLASS, name),
        value: value.into(),
        index: Vec::new(),
        keep_until: None,
        due: None,
    };
    let put = Write::Put { record, when, old_index: Vec::new() };
    Batch::builder::<C>(new_id(), Timestamp::EPOCH).write(put).build().unwrap()
}

/// A record of class Main.
pub(crate) fn put(name: &str, value: &str) -> Batch {
    batch::<Main>(name, value, When::Any)
}

/// A record of class Main where there is none.
pub(crate) fn put_new(name: &str) -> Batch {
    batch::<Main>(name, "{}", When::Absent)
}

/// A record of class Side.
pub(crate) fn put_side(name: &str) -> Batch {
    batch::<Side>(name, "{}", When::Any)
}

pub(crate) async fn commit(store: &dyn Store, batch: &Batch) -> Result<Committed, CommitError> {
    store.commit(TenantId::DEFAULT, batch).await
}

pub(crate) async fn find(store: &dyn Store, name: &str) -> Option<Record> {
    let found = store.get(TenantId::DEFAULT, &[key(Class::Main, name)]).await.unwrap();
    found.into_iter().next().flatten()
}
