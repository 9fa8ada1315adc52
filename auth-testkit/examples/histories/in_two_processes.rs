//! Histories whose clients live in two processes.

use std::process::Command;
use std::time::Instant;

use auth_testkit::store::history::{ProcessHistories, run_clients};
use testbed::Backend;

use super::{AT_ONCE, Arguments, Failure, row};

/// Before the database of a process that runs clients.
const WORKER: &str = "--worker";

/// Runs and checks the histories on a new database of the backend.
pub(crate) async fn prove(backend: Backend, arguments: &Arguments) -> Result<(), Failure> {
    let name = backend.name();
    let database = backend.database().await;
    let database = database.ok_or(format!("the servers of {name} are not here"))?;
    let spec = hurried(backend, database.spec());
    // One process makes the tables.
    drop(testbed::open(&spec).await?);
    let program = std::env::current_exe()?;
    let start = move || {
        let mut command = Command::new(&program);
        command.args([WORKER, &spec]);
        command
    };
    let histories = ProcessHistories::new(start).rounds(arguments.rounds).seed(arguments.seed);
    let started = Instant::now();
    let checked = histories.at_once(AT_ONCE).check().await;
    let tally = checked.map_err(|violation| format!("{name}: {violation}"))?;
    row(backend, 2, tally, started.elapsed())
}

/// The database with more connections, and without waiting for the disk where that can be left out:
/// isolation is shown, not durability.
fn hurried(backend: Backend, spec: String) -> String {
    const HURRY: &str = "&connections=6&options=-c%20synchronous_commit%3Doff";
    match backend {
        Backend::Postgres => format!("{spec}{HURRY}"),
        Backend::Tiered => spec.replacen(' ', &format!("{HURRY} "), 1),
        _ => spec,
    }
}

/// The database of this process, if it is one that runs clients.
pub(crate) fn database_of_worker() -> Option<String> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == WORKER).then(|| arguments.next()).flatten()
}

/// What such a process does.
pub(crate) async fn work(spec: &str) -> Result<(), Failure> {
    Ok(run_clients(testbed::open(spec).await?).await?)
}
