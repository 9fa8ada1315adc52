//! The contracts of store and archive on two stores as one: in memory, on a file and Redis, on PostgreSQL
//! and Redis. Each class is refused by the other's store where that can be told.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

use std::sync::Arc;

use auth_store::{Archive, MemoryStore, Store, Tiered};
use auth_testkit::store::AlternatingStore;
use auth_testkit::{archive_contract, store_contract};
use testbed::Backend;

fn in_memory() -> Tiered<MemoryStore, MemoryStore> {
    Tiered::new(MemoryStore::new(), MemoryStore::new())
}

store_contract!(memory, || async { Arc::new(in_memory()) as Arc<dyn Store> });

archive_contract!(archive_in_memory, || async { Arc::new(in_memory()) as Arc<dyn Archive> });

store_contract!(sqlite_and_redis, || async {
    let side = Backend::Redis.database().await?;
    let main = Backend::Sqlite.database().await.unwrap();
    let store = Tiered::shared(main.open().await, side.open().await);
    Some((Arc::new(store) as Arc<dyn Store>, (main, side)))
});

store_contract!(postgres_and_redis, || async {
    let database = Backend::Tiered.database().await?;
    let pair = AlternatingStore::new(database.open().await, vec![database.open().await]);
    Some((Arc::new(pair) as Arc<dyn Store>, database))
});

archive_contract!(archive_on_postgres_and_redis, || async {
    let database = Backend::Tiered.database().await?;
    Some((database.archive().await, database))
});
