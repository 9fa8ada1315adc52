//! `cargo xtask test`: everything the suite needs, then every test.

use std::path::{Path, PathBuf};

use crate::command;
use crate::component::{self, Component, Presence};
use crate::failure::{During, Failure, Outcome};
use crate::failures::Failures;
use crate::progress::{self, Step};
use crate::servers::{Server, Servers};
use crate::workspace::Workspace;

/// What `cargo xtask test` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Fail when a component is missing or a test skips itself, instead of leaving it out
    #[arg(long)]
    require_all: bool,
    /// Use what is there; install nothing
    #[arg(long)]
    no_install: bool,
    /// Passed to the test programs: a part of a test's name, --nocapture, …
    #[arg(last = true)]
    filter: Vec<String>,
}

/// Names the file into which a test that skips itself writes a line: its name, a colon, and why.
const SKIPPED: &str = "AUTH_TEST_SKIPPED";

/// Provides the components, runs the tests, and lists by name what had to be left out.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome<()> {
    let skipped = fresh_list(workspace, "skipped")?;
    let failed = fresh_list(workspace, "failed")?;
    let components: Vec<(&Component, Presence)> = component::ALL
        .iter()
        .map(|component| (component, component.provide(workspace, !arguments.no_install)))
        .collect();
    let servers = Servers::start(Server::ALL);
    let mut missing: Vec<String> = components.iter().filter_map(missing).collect();
    missing.extend_from_slice(servers.missing());
    if arguments.require_all && !missing.is_empty() {
        return Err(Failure::new(format!(
            "not all components are here, and --require-all wants them:\n  {}",
            missing.join("\n  ")
        )));
    }
    let mut failures = Failures::default();
    let tested = run_tests(workspace, arguments, &components, &servers, &skipped, &mut failures);
    let skipped = lines(&skipped);
    if !missing.is_empty() || !skipped.is_empty() {
        progress::heading("Left out:");
        for line in missing.iter().chain(&skipped) {
            progress::warning(line);
        }
    }
    if !failures.is_empty() {
        let text = failures.to_string();
        std::fs::write(&failed, &text).during("writing the list of failed tests")?;
        progress::heading("Failed:");
        eprint!("{text}");
    }
    tested?;
    if arguments.require_all && !skipped.is_empty() {
        return Err(Failure::new("some tests skipped themselves, and --require-all wants them"));
    }
    progress::success("every test that could run passed");
    Ok(())
}

fn missing((component, presence): &(&Component, Presence)) -> Option<String> {
    match presence {
        Presence::Found(_) => None,
        Presence::Missing(reason) => {
            Some(format!("{}: {reason}. To get it: {}", component.name, component.by_hand))
        }
    }
}

/// One build with all features serves unit, integration and doc tests and the examples alike.
fn run_tests(
    workspace: &Workspace,
    arguments: &Arguments,
    components: &[(&Component, Presence)],
    servers: &Servers,
    skipped: &Path,
    failures: &mut Failures,
) -> Outcome<()> {
    let step = Step::begin("tests of the workspace, doc tests included");
    let mut cargo = command::cargo(workspace.root());
    cargo.args(["test", "--workspace", "--all-features", "--no-fail-fast"]);
    if !arguments.filter.is_empty() {
        cargo.arg("--").args(&arguments.filter);
    }
    cargo.env(SKIPPED, skipped);
    cargo.envs(servers.variables().iter().cloned());
    for (component, presence) in components {
        if let Some(variable) = component.variable {
            match presence {
                Presence::Found(path) => cargo.env(variable, path),
                Presence::Missing(_) => cargo.env_remove(variable),
            };
        }
    }
    match command::shown_and_heard(&mut cargo, |line| failures.hear(line)) {
        Ok(()) => {
            step.done("");
            Ok(())
        }
        Err(failure) => {
            let again = if failures.is_empty() { "" } else { ", and again at the end" };
            step.failed(format!("the failures stand above{again}"));
            Err(failure)
        }
    }
}

/// An empty file below `target/xtask`.
fn fresh_list(workspace: &Workspace, name: &str) -> Outcome<PathBuf> {
    let directory = workspace.target().join("xtask");
    std::fs::create_dir_all(&directory).during("creating a directory below target")?;
    let list = directory.join(name);
    std::fs::write(&list, "").during(format!("emptying the list of {name} tests"))?;
    Ok(list)
}

/// The lines of the list, each once.
fn lines(list: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(list).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    lines
}
