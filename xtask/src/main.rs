//! The commands a person types in this workspace: `cargo xtask test`, `check`, `prove` and `bench`.
//!
//! ```text
//! main ── test ─── component/   what the suite needs beside Rust: find it, install it
//!      │      ├─── servers      the databases of one run
//!      │      └─── failures     what failed, told again at the end
//!      ├─ check ── check/       one rule of the house per file; all of them run, failures are listed
//!      ├─ prove ─┐
//!      └─ bench ─┴ measured     run an example program, keep what it printed with where it was measured
//! ```

mod bench;
mod check;
mod command;
mod component;
mod failure;
mod failures;
mod machine;
mod measured;
mod metadata;
mod progress;
mod prove;
mod servers;
mod sources;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Outcome;
use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The commands of this workspace", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Find or install what the suite needs, then run every test
    Test(test::Arguments),
    /// Formatting, lints, docs, import rules, lengths, licences, advisories
    Check(check::Arguments),
    /// Run a heavy proof, briefly or in full; without a name, all of them
    Prove(prove::Arguments),
    /// Measure against the floor and the peers
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            progress::failure(&failure);
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Outcome<()> {
    let workspace = Workspace::open()?;
    match task {
        Task::Test(arguments) => test::run(&workspace, arguments),
        Task::Check(arguments) => check::run(&workspace, arguments),
        Task::Prove(arguments) => prove::run(&workspace, arguments),
        Task::Bench(arguments) => bench::run(&workspace, arguments),
    }
}
