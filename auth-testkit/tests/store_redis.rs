//! The contracts of store and archive on Redis: through one handle, through two, and on a cluster of three
//! masters. Each test has a namespace of its own on the servers at `REDIS_URL` and
//! `AUTH_TEST_REDIS_CLUSTER`.

use std::sync::Arc;

use auth_store::Store;
use auth_testkit::store::AlternatingStore;
use auth_testkit::{archive_contract, store_contract};
use testbed::Backend;

store_contract!(one_handle, || async {
    let database = Backend::Redis.database().await?;
    Some((database.open().await, database))
});

// Two handles have nothing in common but the server, as two replicas of a program have.
store_contract!(two_handles, || async {
    let database = Backend::Redis.database().await?;
    let pair = AlternatingStore::new(database.open().await, vec![database.open().await]);
    Some((Arc::new(pair) as Arc<dyn Store>, database))
});

store_contract!(cluster, || async {
    let database = Backend::RedisCluster.database().await?;
    let pair = AlternatingStore::new(database.open().await, vec![database.open().await]);
    Some((Arc::new(pair) as Arc<dyn Store>, database))
});

archive_contract!(archive, || async {
    let database = Backend::Redis.database().await?;
    Some((database.archive().await, database))
});

archive_contract!(archive_on_a_cluster, || async {
    let database = Backend::RedisCluster.database().await?;
    Some((database.archive().await, database))
});
