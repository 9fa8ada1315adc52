//! [`Metadata`]: what `cargo metadata` says about packages and their dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::command;
use crate::failure::{During, Outcome};

/// The part of `cargo metadata --all-features` that the tasks read.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// Every package in the graph.
    pub(crate) packages: Vec<Package>,
    /// The ids of our own packages.
    pub(crate) workspace_members: BTreeSet<String>,
    /// Where cargo builds.
    pub(crate) target_directory: PathBuf,
    resolve: Resolve,
}

/// A package: one of ours or from the registry.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Unique in the graph.
    pub(crate) id: String,
    /// As in its Cargo.toml.
    pub(crate) name: String,
    /// As in its Cargo.toml.
    pub(crate) version: String,
    /// An SPDX expression, if the package has one.
    pub(crate) license: Option<String>,
    /// Where its Cargo.toml is.
    pub(crate) manifest_path: PathBuf,
    /// What its Cargo.toml asks for.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as a Cargo.toml declares it.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The package asked for.
    pub(crate) name: String,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    /// The name that it goes by in the sources, if it is another one.
    pub(crate) rename: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn read(root: &Path) -> Outcome<Self> {
        let mut cargo = command::cargo(root);
        cargo.args(["metadata", "--format-version", "1", "--all-features"]);
        let json = command::output(&mut cargo)?;
        serde_json::from_str(&json).during("reading what cargo metadata printed")
    }

    /// Our own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// Our package of that name.
    pub(crate) fn member(&self, name: &str) -> Option<&Package> {
        self.members().find(|package| package.name == name)
    }

    /// Everything that our packages are linked with: normal dependencies, theirs, and so on.
    pub(crate) fn linked(&self) -> Vec<&Package> {
        let nodes: BTreeMap<&str, &Node> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut seen: BTreeSet<&str> = self.workspace_members.iter().map(String::as_str).collect();
        let mut open: Vec<&str> = seen.iter().copied().collect();
        while let Some(id) = open.pop() {
            let Some(node) = nodes.get(id) else { continue };
            for edge in &node.deps {
                if edge.dep_kinds.iter().any(|kind| kind.kind.is_none()) && seen.insert(&edge.pkg) {
                    open.push(&edge.pkg);
                }
            }
        }
        self.packages
            .iter()
            .filter(|package| seen.contains(package.id.as_str()))
            .filter(|package| !self.workspace_members.contains(&package.id))
            .collect()
    }
}

impl Package {
    /// The directory of its Cargo.toml.
    pub(crate) fn directory(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

impl Dependency {
    /// Whether the package is linked with it, and not only its tests or its build script.
    pub(crate) fn is_normal(&self) -> bool {
        self.kind.is_none()
    }

    /// What the sources call it.
    pub(crate) fn identifier(&self) -> String {
        self.rename.as_deref().unwrap_or(&self.name).replace('-', "_")
    }
}
