//! Formatting, lints and documentation: cargo's own tools, with warnings as failures.

use super::Findings;
use crate::command;
use crate::failure::Outcome;
use crate::workspace::Workspace;

/// `cargo fmt --check`.
pub(super) fn format(workspace: &Workspace) -> Outcome<Findings> {
    cargo(workspace, &["fmt", "--all", "--", "--check"])
}

/// Clippy over everything, with all features: this is also what refuses panics outside tests.
pub(super) fn lints(workspace: &Workspace) -> Outcome<Findings> {
    cargo(
        workspace,
        &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
    )
}

/// Clippy over the engines as most people build them.
pub(super) fn lints_with_default_features(workspace: &Workspace) -> Outcome<Findings> {
    cargo(
        workspace,
        &[
            "clippy",
            "-p",
            "auth-store",
            "-p",
            "auth-core",
            "-p",
            "auth-oidc",
            "--",
            "-D",
            "warnings",
        ],
    )
}

/// Documentation without a broken link.
pub(super) fn docs(workspace: &Workspace) -> Outcome<Findings> {
    let mut command = command::cargo(workspace.root());
    command.args(["doc", "--no-deps", "--workspace", "--all-features"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command::shown(&mut command)?;
    Ok(Findings::default())
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Outcome<Findings> {
    command::shown(command::cargo(workspace.root()).args(arguments))?;
    Ok(Findings::default())
}
