//! Histories find broken stores.

use std::sync::Arc;

use auth_testkit::store::history::{Histories, Unordered, Violation};
use auth_testkit::store::{BrokenStore, Flaw};

const SEED: u64 = 20_260_101;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_470_histories_find_every_flaw_of_isolation() {
    for flaw in Flaw::OF_ISOLATION {
        let store = Arc::new(BrokenStore::new(Some(*flaw)));
        let histories = Histories::new(store).rounds(2000).seed(SEED).interleaved(true);
        match histories.check().await {
            Err(Violation::Unordered {
                histories,
                cause: Unordered::NotLinearizable(example),
                ..
            }) => println!("{flaw:?}: history {histories}\n{example}"),
            other => panic!("{flaw:?} was not found: {other:?}"),
        }
    }
    assert!(Flaw::OF_ISOLATION.len() >= 10);
}
