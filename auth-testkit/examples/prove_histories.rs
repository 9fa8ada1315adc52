//! Shows that what several clients do on a backend at the same time is linearizable.
//!
//! In each history four clients read and commit at random on at most four keys of a tenant. There must be
//! one order of all their calls in which each was answered as if it had been alone. On every backend but
//! the one in memory two processes run two clients each, with a clock that they share. A store in memory
//! that is broken in one of many ways must be found.
//!
//! ```text
//! prove_histories [--backend NAME] [--rounds N] [--seed S]
//! ```
//!
//! PostgreSQL does not wait for the disk here: what is shown is isolation, not durability.

mod histories;

use std::process::ExitCode;

use histories::{Arguments, Failure, flaws, in_one_process, in_two_processes};
use testbed::Backend;

async fn prove(arguments: &Arguments) -> Result<(), Failure> {
    println!(
        "| backend | processes | histories | operations | conflicts | full | failed | overlapping pairs \
         | of two processes | violations | seconds |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for backend in &arguments.backends {
        match backend {
            Backend::Memory => in_one_process::prove(arguments).await?,
            _ => in_two_processes::prove(*backend, arguments).await?,
        }
    }
    if arguments.backends.contains(&Backend::Memory) {
        println!();
        flaws::prove(arguments.seed).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let proof = async {
        match in_two_processes::database_of_worker() {
            Some(spec) => in_two_processes::work(&spec).await,
            None => prove(&Arguments::read()?).await,
        }
    };
    match proof.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("{cause}");
            ExitCode::FAILURE
        }
    }
}
