//! The store contract on PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use auth_postgres::PostgresOptions;
use auth_store::Store;
use auth_testkit::store_contract;

async fn open() -> Arc<dyn Store> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let schema = format!("kit_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let url = std::env::var("DATABASE_URL").unwrap();
    let options = PostgresOptions::from_url(&url).unwrap().schema(schema).connections(4, 4);
    Arc::new(options.connect().await.unwrap())
}

store_contract!(postgres, || async { open().await });
