//! Broken stores, each of which histories must find.

use std::sync::Arc;

use auth_testkit::store::history::{Histories, Violation};
use auth_testkit::store::{BrokenStore, Flaw};

use super::Failure;

/// After how many histories a flaw counts as not found.
const PATIENCE: u64 = 5_000;

/// Prints after how many histories each flaw was found.
pub(crate) async fn prove(seed: u64) -> Result<(), Failure> {
    println!("| store in memory that is broken | found by history |");
    println!("|---|---:|");
    for flaw in Flaw::OF_ISOLATION {
        let store = Arc::new(BrokenStore::new(Some(*flaw)));
        let histories = Histories::new(store).rounds(PATIENCE).seed(seed).interleaved(true);
        match histories.check().await {
            Err(Violation::Unordered { histories, .. }) => println!("| {flaw:?} | {histories} |"),
            Err(violation) => return Err(violation.into()),
            Ok(_) => return Err(format!("{flaw:?}: not found in {PATIENCE} histories").into()),
        }
    }
    Ok(())
}
