//! Runs a measuring program, an example of a workspace crate, and keeps what it prints.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;
use crate::failure::{During, Failure, Outcome};
use crate::machine::Circumstances;
use crate::progress;
use crate::servers::Servers;
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
    pub(crate) fn run_like_a_test(&self, workspace: &Workspace, servers: &Servers) -> Outcome<()> {
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
        program.envs(servers.variables().iter().cloned());
        command::shown(program.current_dir(workspace.root()).args(&self.arguments))
    }

    /// Builds it by an optimised profile, runs it, and returns the command line and what it printed.
    pub(crate) fn run_optimised(
        &self,
        workspace: &Workspace,
        servers: &Servers,
        profile: &str,
    ) -> Outcome<(String, String)> {
        self.must_exist(workspace)?;
        let mut command = command::cargo(workspace.root());
        command.args(["run", "--profile", profile, "--all-features", "-p", self.package]);
        command.args(["--example", self.example]);
        if !self.arguments.is_empty() {
            command.arg("--").args(&self.arguments);
        }
        command.envs(servers.variables().iter().cloned());
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
    write(workspace, file, &text)
}

/// The same as one section of a file that has several; the others stay as they are.
pub(crate) fn keep_section(
    workspace: &Workspace,
    file: &Path,
    title: &str,
    section: &str,
    command: &str,
    printed: &str,
) -> Outcome<()> {
    let circumstances = Circumstances::now(workspace.root())?.list(command);
    let before = std::fs::read_to_string(file).unwrap_or_default();
    let body = format!("{circumstances}\n{}\n", printed.trim());
    write(workspace, file, &with_section(&before, title, section, &body))
}

/// The text with this body in its section, which is added at the end if it is not there yet.
fn with_section(text: &str, title: &str, section: &str, body: &str) -> String {
    const HEADING: &str = "\n## ";
    let mut parts = text.split(HEADING);
    let head = parts.next().map(str::trim).filter(|head| !head.is_empty());
    let mut sections: Vec<(&str, &str)> =
        parts.map(|part| part.split_once('\n').unwrap_or((part, ""))).collect();
    match sections.iter_mut().find(|(name, _)| *name == section) {
        Some(known) => known.1 = body,
        None => sections.push((section, body)),
    }
    let mut whole = head.map_or_else(|| format!("# {title}"), str::to_owned) + "\n";
    for (name, body) in sections {
        whole.push_str(&format!("{HEADING}{name}\n\n{}\n", body.trim()));
    }
    whole
}

fn write(workspace: &Workspace, file: &Path, text: &str) -> Outcome<()> {
    let shown = workspace.shown(file);
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory).during(format!("creating the directory of {shown}"))?;
    }
    std::fs::write(file, text).during(format!("writing {shown}"))?;
    progress::detail(format!("written to {shown}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::with_section;

    #[test]
    fn a_section_is_replaced_and_the_others_stay() {
        let one = with_section("", "Title", "A", "old\n");
        let two = with_section(&one, "Title", "B", "b\n\n| x |\n");
        assert_eq!(two, "# Title\n\n## A\n\nold\n\n## B\n\nb\n\n| x |\n");
        let new = with_section(&two, "Title", "A", "new");
        assert_eq!(new, two.replace("old", "new"));
        assert_eq!(with_section(&new, "Title", "A", "new"), new);
    }
}
