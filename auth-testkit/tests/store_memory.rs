//! The store contract on the store in memory.

use std::sync::Arc;

use auth_store::{MemoryStore, Store};
use auth_testkit::store_contract;

store_contract!(memory, || async { Arc::new(MemoryStore::new()) as Arc<dyn Store> });
