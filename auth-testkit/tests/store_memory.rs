//! The contracts of store and archive on the store in memory.

use std::sync::Arc;

use auth_store::{Archive, MemoryStore, Store};
use auth_testkit::{archive_contract, store_contract};

store_contract!(memory, || async { Arc::new(MemoryStore::new()) as Arc<dyn Store> });

archive_contract!(archive, || async { Arc::new(MemoryStore::new()) as Arc<dyn Archive> });
