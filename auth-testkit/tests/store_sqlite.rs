//! The store contract on SQLite: in a file, through two stores on one file, and in memory.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

#[path = "../../auth-sqlite/tests/scratch/mod.rs"]
mod scratch;

use std::sync::Arc;

use auth_sqlite::SqliteStore;
use auth_store::{Archive, Store};
use auth_testkit::store::AlternatingStore;
use auth_testkit::{archive_contract, store_contract};
use scratch::Scratch;

fn open(scratch: &Scratch) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(scratch.file()).unwrap())
}

store_contract!(file, || async {
    let scratch = Scratch::new();
    (open(&scratch), scratch)
});

// Two stores share nothing but the file, as two processes do.
store_contract!(two_on_one_file, || async {
    let scratch = Scratch::new();
    let pair = AlternatingStore::new(open(&scratch), vec![open(&scratch)]);
    (Arc::new(pair) as Arc<dyn Store>, scratch)
});

store_contract!(memory, || async { Arc::new(SqliteStore::memory().unwrap()) as Arc<dyn Store> });

archive_contract!(file_archive, || async {
    let scratch = Scratch::new();
    (Arc::new(SqliteStore::open(scratch.file()).unwrap()) as Arc<dyn Archive>, scratch)
});

archive_contract!(memory_archive, || async {
    Arc::new(SqliteStore::memory().unwrap()) as Arc<dyn Archive>
});
