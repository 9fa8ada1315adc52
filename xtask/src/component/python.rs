//! Python with the packages of interop/python in an environment of its own below the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::stamp::Stamp;
use super::{Component, debian};
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::workspace::Workspace;

/// A virtual environment with Authlib and what it needs.
pub(super) const PYTHON: Component = Component {
    name: "Python packages",
    variable: Some("AUTH_TEST_PYTHON"),
    find,
    install,
    by_hand: "install Python 3.10 or newer with venv (apt-get install python3-venv); \
              `cargo xtask test` then makes the environment",
};

fn find(workspace: &Workspace) -> Result<PathBuf, String> {
    let environment = environment(workspace);
    let python = environment.join("bin/python");
    if !stamp(workspace, &environment).is_current() {
        return Err("the packages of interop/python are not installed".to_owned());
    }
    command::output(Command::new(&python).args(["-c", "import authlib, httpx, cryptography"]))
        .map(|_| python)
        .map_err(|failure| failure.to_string())
}

fn install(workspace: &Workspace) -> Outcome<()> {
    let system =
        command::which(&["python3"]).ok_or_else(|| Failure::new("no python3 in the PATH"))?;
    let environment = environment(workspace);
    create(&system, &environment)?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    command::shown(pip.arg(requirements(workspace)))?;
    stamp(workspace, &environment).set()
}

/// Makes an empty environment. Debian keeps the part of Python that does this in a package of its own.
fn create(python: &Path, environment: &Path) -> Outcome<()> {
    let mut venv = Command::new(python);
    venv.args(["-m", "venv", "--clear"]).arg(environment);
    if command::output(&mut venv).is_ok() {
        return Ok(());
    }
    debian::install(&["python3-venv"])?;
    command::output(&mut venv).map(|_| ())
}

fn environment(workspace: &Workspace) -> PathBuf {
    workspace.target().join("venv")
}

fn requirements(workspace: &Workspace) -> PathBuf {
    workspace.root().join("interop/python/requirements.txt")
}

fn stamp(workspace: &Workspace, environment: &Path) -> Stamp {
    Stamp::new(&requirements(workspace), environment)
}
