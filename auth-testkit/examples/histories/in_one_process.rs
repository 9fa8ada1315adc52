//! Histories of a store that one process has to itself.

use std::sync::Arc;
use std::time::Instant;

use auth_store::MemoryStore;
use auth_testkit::store::history::Histories;
use testbed::Backend;

use super::{AT_ONCE, Arguments, Failure, row};

pub(crate) async fn prove(arguments: &Arguments) -> Result<(), Failure> {
    let started = Instant::now();
    let histories = Histories::new(Arc::new(MemoryStore::new()))
        .rounds(arguments.rounds)
        .seed(arguments.seed)
        .at_once(AT_ONCE)
        .interleaved(true);
    let tally = histories.check().await.map_err(|violation| format!("memory: {violation}"))?;
    row(Backend::Memory, 1, tally, started.elapsed())
}
