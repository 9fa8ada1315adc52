//! Installs Debian packages, where that is possible without asking anybody.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::command;
use crate::failure::{During, Failure, Outcome};

/// Installs `packages` with apt, as root.
pub(super) fn install(packages: &[&str]) -> Outcome<()> {
    if command::which(&["apt-get"]).is_none() {
        return Err(Failure::new("there is no apt-get to install it with"));
    }
    if !is_root() {
        return Err(Failure::new("only root may install it with apt-get"));
    }
    update()?;
    command::shown(apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
}

/// The same for packages that bring a service: nothing of it is started, because tests start their own.
///
/// `policy-rc.d` is Debian's way of forbidding that; one that is there stays as it is.
pub(super) fn install_servers(packages: &[&str]) -> Outcome<()> {
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let forbid = is_root() && !policy.exists();
    if forbid {
        let text = "#!/bin/sh\n# Put here by cargo xtask for one installation.\nexit 101\n";
        std::fs::write(policy, text)
            .and_then(|()| std::fs::set_permissions(policy, Permissions::from_mode(0o755)))
            .during("forbidding the package to start services")?;
    }
    let installed = install(packages);
    if forbid {
        std::fs::remove_file(policy).during("permitting packages to start services again")?;
    }
    installed
}

/// Refreshes the package lists, once in the life of this process.
fn update() -> Outcome<()> {
    static UPDATED: OnceLock<Result<(), String>> = OnceLock::new();
    UPDATED
        .get_or_init(|| command::shown(apt().args(["update", "-qq"])).map_err(|e| e.to_string()))
        .clone()
        .map_err(Failure::new)
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Whether this process runs as root; `/proc/self` belongs to whom the process runs as.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}
