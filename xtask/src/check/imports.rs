//! Imports run one way: store ← core ← engines ← gateway, pages ← adapters ← examples.

use super::Findings;
use crate::failure::Outcome;
use crate::metadata::Package;
use crate::workspace::Workspace;

/// What a crate is, and with it what it may import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// The storage contract: nothing of ours.
    Store,
    /// A store on a database: the contract only.
    Backend,
    /// Vocabulary and ports.
    Core,
    /// A protocol engine. Engines do not know each other; they meet in core.
    Engine,
    /// Implements ports of core and knows no engine.
    Port,
    /// Stands in front of services.
    Gateway,
    /// Mounts engines on a web framework.
    Adapter,
    /// Serves tests; nothing that is published may import it.
    Testkit,
    /// Starts components for tests and tasks.
    Testbed,
    /// A program that shows how.
    Example,
    /// The commands of the workspace.
    Task,
}

impl Room {
    fn of(name: &str, in_examples: bool) -> Option<Self> {
        Some(match name {
            "auth-store" => Self::Store,
            "auth-sqlite" | "auth-postgres" | "auth-redis" => Self::Backend,
            "auth-core" => Self::Core,
            "auth-oidc" | "auth-flows" | "auth-permissions" => Self::Engine,
            "auth-ui" | "auth-fetch" => Self::Port,
            "auth-gateway" => Self::Gateway,
            "auth-axum" | "auth-actix" => Self::Adapter,
            "auth-testkit" => Self::Testkit,
            "testbed" => Self::Testbed,
            "xtask" => Self::Task,
            _ if in_examples => Self::Example,
            _ => return None,
        })
    }

    fn may_import(self) -> &'static [Self] {
        use Room::{Adapter, Backend, Core, Engine, Example, Gateway, Port, Store, Testbed};
        match self {
            Self::Store => &[],
            Self::Task => &[Testbed],
            Self::Testbed => &[Store, Backend],
            Self::Backend | Self::Core => &[Store],
            Self::Port => &[Core],
            Self::Engine => &[Store, Core],
            Self::Gateway => &[Store, Core, Engine],
            Self::Adapter => &[Store, Core, Engine, Port, Gateway],
            Self::Testkit => &[Store, Backend, Core, Engine, Port, Gateway, Adapter],
            Self::Example => &[Store, Backend, Core, Engine, Port, Gateway, Adapter, Example],
        }
    }
}

/// Compares every normal dependency between our crates with the rule.
pub(super) fn check(workspace: &Workspace) -> Outcome<Findings> {
    let room = |package: &Package| {
        Room::of(&package.name, package.directory().starts_with(workspace.root().join("examples")))
    };
    let mut findings = Findings::default();
    let mut edges = 0;
    for package in workspace.metadata().members() {
        let Some(importer) = room(package) else {
            findings.problems.push(format!(
                "{} has no room in the house: say in xtask/src/check/imports.rs what it is",
                package.name
            ));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|dependency| dependency.is_normal()) {
            let Some(imported) = workspace.metadata().member(&dependency.name) else { continue };
            edges += 1;
            if room(imported).is_some_and(|imported| !importer.may_import().contains(&imported)) {
                findings
                    .problems
                    .push(format!("{} must not import {}", package.name, imported.name));
            }
        }
    }
    findings.summary = format!("{edges} imports between our crates, all the permitted way");
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::Room;

    fn may(importer: &str, imported: &str) -> bool {
        let imported = Room::of(imported, false).unwrap();
        Room::of(importer, false).unwrap().may_import().contains(&imported)
    }

    #[test]
    fn imports_run_one_way() {
        assert!(may("auth-core", "auth-store"));
        assert!(!may("auth-store", "auth-core"));
        assert!(may("auth-oidc", "auth-core"));
        assert!(!may("auth-core", "auth-oidc"));
        assert!(may("auth-axum", "auth-oidc"));
        assert!(!may("auth-oidc", "auth-axum"));
        assert!(!may("auth-axum", "auth-actix"));
    }

    #[test]
    fn engines_do_not_know_each_other() {
        assert!(!may("auth-oidc", "auth-flows"));
        assert!(!may("auth-flows", "auth-oidc"));
    }

    #[test]
    fn backends_know_the_contract_alone_and_pages_know_core_alone() {
        assert!(may("auth-sqlite", "auth-store"));
        assert!(!may("auth-sqlite", "auth-core"));
        assert!(may("auth-ui", "auth-core"));
        assert!(!may("auth-ui", "auth-oidc"));
        assert!(!may("auth-oidc", "auth-testkit"));
    }

    #[test]
    fn a_crate_must_be_placed() {
        assert_eq!(Room::of("auth-new", false), None);
        assert_eq!(Room::of("playground", true), Some(Room::Example));
    }
}
