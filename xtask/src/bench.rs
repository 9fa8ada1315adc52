//! `cargo xtask bench`: ratios against the floor and the peers, from one run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::command;
use crate::component;
use crate::failure::Outcome;
use crate::measured::{self, Program};
use crate::progress::Step;
use crate::servers::{Server, Servers};
use crate::workspace::Workspace;

/// What `cargo xtask bench` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to measure
    #[arg(value_enum, default_value_t = Bench::Peer)]
    bench: Bench,
    /// Print JSON, and leave docs/benchmarks.md as it is
    #[arg(long)]
    json: bool,
}

/// A benchmark program, with its own section of docs/benchmarks.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// Beside another provider, on the store in memory
    Peer,
    /// The engine on SQLite, PostgreSQL and Redis
    Store,
}

impl Bench {
    fn example(self) -> &'static str {
        match self {
            Self::Peer => "bench",
            Self::Store => "bench_store",
        }
    }

    fn section(self) -> &'static str {
        match self {
            Self::Peer => "Beside another provider",
            Self::Store => "On a database",
        }
    }

    fn needs(self) -> &'static [Server] {
        match self {
            Self::Peer => &[],
            Self::Store => &[Server::Postgres, Server::Redis],
        }
    }
}

/// Runs the benchmark program and keeps its table in docs/benchmarks.md.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome<()> {
    let bench = arguments.bench;
    let step = Step::begin(format!("bench {}", bench.example()));
    if !bench.needs().is_empty() {
        component::provide_servers(workspace, true);
    }
    let mut servers = Servers::start(bench.needs());
    if bench == Bench::Peer {
        let (variable, node) = component::provide_peer(workspace)?;
        servers.name(variable, node);
        let (program, took) = quickstart(workspace)?;
        servers.name("AUTH_BENCH_QUICKSTART", program);
        servers.name("AUTH_BENCH_QUICKSTART_BUILD", took.as_secs_f64().to_string());
    }
    let told = if arguments.json { vec!["--json".to_owned()] } else { Vec::new() };
    let program = Program { package: "auth-testkit", example: bench.example(), arguments: told };
    let (command, printed) = program.run_optimised(workspace, &servers, "production")?;
    print!("{printed}");
    if !arguments.json {
        let file = workspace.root().join("docs/benchmarks.md");
        let section = bench.section();
        measured::keep_section(workspace, &file, "Benchmarks", section, &command, &printed)?;
    }
    step.done("");
    Ok(())
}

/// The quickstart in the release profile, and how long it took to build it from nothing with all sources there.
fn quickstart(workspace: &Workspace) -> Outcome<(PathBuf, Duration)> {
    let target = workspace.target().join("quickstart");
    let _ = std::fs::remove_dir_all(&target);
    command::shown(command::cargo(workspace.root()).args(["fetch", "--locked", "--quiet"]))?;
    let mut build = command::cargo(workspace.root());
    build.args(["build", "--release", "--locked", "--quiet", "--package", "quickstart"]);
    build.args(["--bin", "quickstart", "--target-dir"]).arg(&target);
    let begun = Instant::now();
    command::shown(&mut build)?;
    Ok((target.join("release/quickstart"), begun.elapsed()))
}
