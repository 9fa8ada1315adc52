//! Earlier versions, built from this repository's own history: a rolling update runs them beside this one.

use std::path::{Path, PathBuf};
use std::process::Command;

use testbed::{PREVIOUS, Previous};

use super::Component;
use crate::command;
use crate::failure::{During, Failure, Outcome};
use crate::workspace::Workspace;

/// The folder with a program of each of them, named after its commit.
pub(super) const VERSIONS: Component = Component {
    name: "Previous versions",
    variable: Some("AUTH_TEST_PREVIOUS"),
    find,
    install,
    by_hand: "a clone with its history (git fetch --unshallow); `cargo xtask test` then builds them",
};

fn find(workspace: &Workspace) -> Result<PathBuf, String> {
    let folder = folder(workspace);
    match PREVIOUS.iter().find(|previous| !previous.program(&folder).is_file()) {
        None => Ok(folder),
        Some(previous) => Err(format!("version {} is not built", previous.commit)),
    }
}

fn install(workspace: &Workspace) -> Outcome<()> {
    let folder = folder(workspace);
    PREVIOUS
        .iter()
        .filter(|previous| !previous.program(&folder).is_file())
        .try_for_each(|previous| build(workspace, &folder, previous))
}

/// Builds one below the target directory. They share a target directory of their own: with the current
/// one's they would keep replacing each other's crates.
fn build(workspace: &Workspace, folder: &Path, previous: &Previous) -> Outcome<()> {
    let source = folder.join("source");
    let _ = std::fs::remove_dir_all(&source);
    std::fs::create_dir_all(&source).during("making a folder below target")?;
    unpack(workspace, previous, &source)?;
    let target = folder.join("target");
    let mut cargo = command::cargo(&source);
    cargo.args(["build", "--quiet", "--locked"]);
    cargo.args(["--package", previous.example, "--bin", previous.example]);
    command::shown(cargo.arg("--target-dir").arg(&target))?;
    let program = previous.program(folder);
    // Under another name first: a file that is there is a whole one.
    let unfinished = program.with_extension("unfinished");
    std::fs::copy(target.join("debug").join(previous.example), &unfinished)
        .and_then(|_| std::fs::rename(&unfinished, &program))
        .during(format!("keeping {}", workspace.shown(&program)))
}

fn unpack(workspace: &Workspace, previous: &Previous, source: &Path) -> Outcome<()> {
    let archive = source.with_extension("tar");
    let mut git = Command::new("git");
    git.current_dir(workspace.root()).args(["archive", "--format", "tar", "--output"]);
    command::output(git.arg(&archive).arg(previous.commit)).map_err(|failure| {
        Failure::new(format!("{failure}; is this a clone without history? git fetch --unshallow"))
    })?;
    command::output(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(source))?;
    std::fs::remove_file(&archive).during("removing an unpacked archive")
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("previous")
}
