//! Node.js with the packages of interop/node: an independent relying party and the accessibility rules.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Component;
use super::stamp::Stamp;
use crate::command;
use crate::failure::{Failure, Outcome};
use crate::workspace::Workspace;

/// Node.js, with `npm ci` done in interop/node.
pub(super) const NODE: Component = Component {
    name: "Node packages",
    variable: Some("AUTH_TEST_NODE"),
    find,
    install,
    by_hand: "install Node.js 20 or newer with npm; `cargo xtask test` then installs the packages",
};

const OLDEST: u32 = 20;

fn find(workspace: &Workspace) -> Result<PathBuf, String> {
    let node = usable_node()?;
    if stamp(&directory(workspace)).is_current() {
        Ok(node)
    } else {
        Err("the packages of interop/node are not installed".to_owned())
    }
}

fn install(workspace: &Workspace) -> Outcome<()> {
    usable_node().map_err(Failure::new)?;
    let directory = directory(workspace);
    let mut npm = Command::new("npm");
    npm.current_dir(&directory).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    command::shown(&mut npm)?;
    stamp(&directory).set()
}

fn directory(workspace: &Workspace) -> PathBuf {
    workspace.root().join("interop/node")
}

fn stamp(directory: &Path) -> Stamp {
    Stamp::new(&directory.join("package-lock.json"), &directory.join("node_modules"))
}

fn usable_node() -> Result<PathBuf, String> {
    let node =
        command::which(&["node", "nodejs"]).ok_or_else(|| "no node in the PATH".to_owned())?;
    let version =
        command::output(Command::new(&node).arg("--version")).map_err(|e| e.to_string())?;
    match major(&version) {
        Some(major) if major >= OLDEST => Ok(node),
        _ => Err(format!("node is {}, older than {OLDEST}", version.trim())),
    }
}

fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v22.1.0"), Some(22));
        assert_eq!(major("something else"), None);
    }
}
