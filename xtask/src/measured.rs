//! Runs a measuring program, an example of a workspace crate, and keeps what it prints.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;
use crate::failure::{During, Failure, Outcome};
use crate::machine::Circumstances;
use crate::progress;
use crate::workspace::Workspace;

/// An example program and what it is told.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    /// The workspace crate.
    pub(crate) package: &'a str,
    /// The example's name.
    pub(crate) example: &'a str,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
}

impl Program<'_> {
    /// Builds it as the tests are built and runs it in view of the person.
    ///
    /// The build selects the whole workspace with all features, as `cargo xtask test` does: the same
    /// dependencies with the same features, so nothing is compiled twice.
    pub(crate) fn run_like_a_test(&self, workspace: &Workspace) -> Outcome<()> {
        self.must_exist(workspace)?;
        let mut build = command::cargo(workspace.root());
        build.args([
            "build",
            "--quiet",
            "--workspace",
            "--all-features",
            "--example",
            self.example,
        ]);
        command::shown(&mut build)?;
        let mut program =
            Command::new(workspace.target().join("debug/examples").join(self.example));
        command::shown(program.current_dir(workspace.root()).args(&self.arguments))
    }

    /// Builds it for release, runs it, and returns the command line and what it printed.
    pub(crate) fn run_released(&self, workspace: &Workspace) -> Outcome<(String, String)> {
        self.must_exist(workspace)?;
        let mut command = command::cargo(workspace.root());
        command.args(["run", "--release", "--all-features", "-p", self.package]);
        command.args(["--example", self.example]);
        if !self.arguments.is_empty() {
            command.arg("--").args(&self.arguments);
        }
        let printed = command::printed(&mut command)?;
        Ok((command::line(&command), printed))
    }

    fn must_exist(&self, workspace: &Workspace) -> Outcome<()> {
        let source = self.source(workspace)?;
        if source.is_file() || source.with_extension("").join("main.rs").is_file() {
            return Ok(());
        }
        Err(Failure::new(format!(
            "there is no program {} yet: nothing was run and nothing is shown",
            workspace.shown(&source)
        )))
    }

    fn source(&self, workspace: &Workspace) -> Outcome<PathBuf> {
        let package = workspace
            .metadata()
            .member(self.package)
            .ok_or_else(|| Failure::new(format!("the workspace has no crate {}", self.package)))?;
        Ok(package.directory().join("examples").join(format!("{}.rs", self.example)))
    }
}

/// Writes what a program printed, with where it was measured, to `file`.
pub(crate) fn keep(
    workspace: &Workspace,
    file: &Path,
    title: &str,
    command: &str,
    printed: &str,
) -> Outcome<()> {
    let circumstances = Circumstances::now(workspace.root())?.list(command);
    let text = format!("# {title}\n\n{circumstances}\n{}\n", printed.trim());
    let shown = workspace.shown(file);
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory).during(format!("creating the directory of {shown}"))?;
    }
    std::fs::write(file, text).during(format!("writing {shown}"))?;
    progress::detail(format!("written to {shown}"));
    Ok(())
}
