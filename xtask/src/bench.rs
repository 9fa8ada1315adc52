//! `cargo xtask bench`: ratios against the floor and the peers, from one run.

use crate::failure::Outcome;
use crate::measured::{self, Program};
use crate::progress::Step;
use crate::workspace::Workspace;

/// What `cargo xtask bench` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON, and leave docs/benchmarks.md as it is
    #[arg(long)]
    json: bool,
}

/// Runs the benchmark program and keeps its table in docs/benchmarks.md.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome<()> {
    let step = Step::begin("bench");
    let told = if arguments.json { vec!["--json".to_owned()] } else { Vec::new() };
    let program = Program { package: "auth-testkit", example: "bench", arguments: told };
    let (command, printed) = program.run_released(workspace)?;
    print!("{printed}");
    if !arguments.json {
        let file = workspace.root().join("docs/benchmarks.md");
        measured::keep(workspace, &file, "Benchmarks", &command, &printed)?;
    }
    step.done("");
    Ok(())
}
