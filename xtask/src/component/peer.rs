//! The provider that benchmarks compare with: oidc-provider on a Node.js of its own, from npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Component;
use super::stamp::Stamp;
use crate::command;
use crate::failure::Outcome;
use crate::workspace::Workspace;

/// Its Node.js, with `npm ci` done in interop/peer.
pub(super) const PEER: Component = Component {
    name: "oidc-provider",
    variable: Some("AUTH_BENCH_PEER"),
    find,
    install,
    by_hand: "install npm; `cargo xtask bench` then installs the packages",
};

fn find(workspace: &Workspace) -> Result<PathBuf, String> {
    let directory = directory(workspace);
    let node = directory.join("node_modules/node/bin/node");
    match stamp(&directory).is_current() && node.is_file() {
        true => Ok(node),
        false => Err("the packages of interop/peer are not installed".to_owned()),
    }
}

fn install(workspace: &Workspace) -> Outcome<()> {
    let directory = directory(workspace);
    let mut npm = Command::new("npm");
    // With scripts: one of them fetches Node.js.
    npm.current_dir(&directory).args(["ci", "--no-audit", "--no-fund"]);
    command::shown(&mut npm)?;
    stamp(&directory).set()
}

fn directory(workspace: &Workspace) -> PathBuf {
    workspace.root().join("interop/peer")
}

fn stamp(directory: &Path) -> Stamp {
    Stamp::new(&directory.join("package-lock.json"), &directory.join("node_modules"))
}
