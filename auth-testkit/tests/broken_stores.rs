//! The suites find every broken store, and nothing wrong with the one that is not broken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use auth_store::{Archive, Store};
use auth_testkit::store::{ARCHIVE_CONTRACT, BrokenStore, Flaw, STORE_CONTRACT};
use tokio::task::JoinSet;

/// The names of all tests.
fn names() -> impl Iterator<Item = &'static str> {
    let archive = ARCHIVE_CONTRACT.iter().map(|test| test.name);
    STORE_CONTRACT.iter().map(|test| test.name).chain(archive)
}

/// Runs every test, each on new stores, and gives the names of those that found something.
async fn findings(flaw: Option<Flaw>) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    for test in STORE_CONTRACT {
        let store: Arc<dyn Store> = Arc::new(BrokenStore::new(flaw));
        if let Err(violation) = test.run(store).await {
            found.insert(test.name, violation.to_string());
        }
    }
    for test in ARCHIVE_CONTRACT {
        let store = || Arc::new(BrokenStore::new(flaw)) as Arc<dyn Archive>;
        if let Err(violation) = test.run(store(), store()).await {
            found.insert(test.name, violation.to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_unbroken_store_passes() {
    let found = findings(None).await;
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_flaw_is_found_by_the_test_that_is_there_for_it() {
    let mut runs = JoinSet::new();
    for flaw in Flaw::ALL {
        runs.spawn(async { (*flaw, findings(Some(*flaw)).await) });
    }
    let mut missed = Vec::new();
    let mut useful = BTreeSet::new();
    while let Some(run) = runs.join_next().await {
        let (flaw, found) = run.unwrap();
        println!("{flaw:?}: found by {}, such as {:?}", found.len(), found.get(flaw.found_by()));
        if !found.contains_key(flaw.found_by()) {
            missed.push(format!("{flaw:?} by {}, only by {:?}", flaw.found_by(), found.keys()));
        }
        useful.extend(found.into_keys());
    }
    let idle: Vec<_> = names().filter(|name| !useful.contains(name)).collect();
    println!("tests that found nothing in any of the broken stores: {idle:?}");
    assert!(missed.is_empty(), "not found: {missed:#?}");
}

#[test]
fn every_flaw_names_a_test_of_the_suites() {
    for flaw in Flaw::ALL {
        let name = flaw.found_by();
        assert!(names().any(|test| test == name), "{flaw:?}: {name}");
    }
}
