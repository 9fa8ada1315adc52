//! The store contract on PostgreSQL: through one handle, through two, and behind PgBouncer in transaction
//! mode. Each test has a schema of its own in the database at `DATABASE_URL`.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

use std::sync::{Arc, OnceLock};

use auth_postgres::PostgresOptions;
use auth_store::Store;
use auth_testkit::store::AlternatingStore;
use auth_testkit::{archive_contract, store_contract};
use testbed::{Backend, PgBouncer};

store_contract!(one_handle, || async {
    let database = Backend::Postgres.database().await?;
    Some((database.open().await, database))
});

// Two handles have nothing in common but the schema, as two replicas have.
store_contract!(two_handles, || async {
    let database = Backend::Postgres.database().await?;
    let pair = AlternatingStore::new(database.open().await, vec![database.open().await]);
    Some((Arc::new(pair) as Arc<dyn Store>, database))
});

archive_contract!(archive, || async {
    let database = Backend::Postgres.database().await?;
    Some((database.archive().await, database))
});

// Each transaction may run on another connection, and finds none of the statements of the last one.
store_contract!(behind_pgbouncer, || async {
    let bouncer = bouncer()?;
    let database = Backend::Postgres.database().await?;
    let spec = database.spec();
    let (_, schema) = spec.split_once("schema=")?;
    let options = PostgresOptions::from_url(bouncer).unwrap().schema(schema);
    let store = options.connections(2, 2).statement_cache(false).connect().await.unwrap();
    Some((Arc::new(store) as Arc<dyn Store>, database))
});

/// One for all of the tests here; the operating system ends it with this process.
fn bouncer() -> Option<&'static str> {
    static BOUNCER: OnceLock<Option<PgBouncer>> = OnceLock::new();
    let bouncer = BOUNCER.get_or_init(|| {
        testbed::component("the store contract behind PgBouncer", "AUTH_TEST_PGBOUNCER")?;
        Some(PgBouncer::start(&std::env::var("DATABASE_URL").ok()?).unwrap())
    });
    bouncer.as_ref().map(PgBouncer::url)
}
