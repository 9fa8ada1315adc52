//! Crates that must not be linked into ours: frameworks and drivers where they do not belong, and
//! cryptography that we do not want.

use std::collections::BTreeSet;

use super::Findings;
use crate::command;
use crate::failure::Outcome;
use crate::workspace::Workspace;

const FRAMEWORKS: &[&str] = &["axum", "actix-web"];
const DRIVERS: &[&str] = &["rusqlite", "tokio-postgres", "sqlx", "redis"];
/// `rsa` has timing side channels without a fix; the other two link a TLS library of the system.
const CRYPTOGRAPHY: &[&str] = &["rsa", "openssl-sys", "native-tls"];
const RUNTIME: &[&str] = &["tokio"];

/// What is kept out of which crate; crates that are not in the workspace yet are passed over.
const RULES: &[(&str, &[&[&str]])] = &[
    ("auth-store", &[FRAMEWORKS, DRIVERS, CRYPTOGRAPHY, RUNTIME]),
    ("auth-core", &[FRAMEWORKS, DRIVERS, CRYPTOGRAPHY, RUNTIME]),
    ("auth-oidc", &[FRAMEWORKS, DRIVERS, CRYPTOGRAPHY]),
    ("auth-flows", &[FRAMEWORKS, DRIVERS, CRYPTOGRAPHY]),
    ("auth-permissions", &[FRAMEWORKS, DRIVERS, CRYPTOGRAPHY]),
    ("auth-gateway", &[FRAMEWORKS, DRIVERS, CRYPTOGRAPHY]),
    ("auth-ui", &[FRAMEWORKS, DRIVERS, CRYPTOGRAPHY]),
    ("auth-sqlite", &[FRAMEWORKS, &["tokio-postgres", "sqlx", "redis"], CRYPTOGRAPHY]),
    ("auth-postgres", &[FRAMEWORKS, &["rusqlite", "sqlx", "redis"], CRYPTOGRAPHY]),
    ("auth-redis", &[FRAMEWORKS, &["rusqlite", "tokio-postgres", "sqlx"], CRYPTOGRAPHY]),
    ("auth-axum", &[&["actix-web"], DRIVERS, CRYPTOGRAPHY]),
    ("auth-actix", &[&["axum"], DRIVERS, CRYPTOGRAPHY]),
];

/// Compares what cargo links into each crate, with its default features and on every platform.
pub(super) fn check(workspace: &Workspace) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let mut looked_at = 0;
    for (package, unwanted) in RULES {
        if workspace.metadata().member(package).is_none() {
            continue;
        }
        looked_at += 1;
        let linked = linked(workspace, package)?;
        for name in unwanted.iter().copied().flatten().filter(|name| linked.contains(**name)) {
            findings.problems.push(format!(
                "{package} must not be linked with {name}; see `cargo tree -e normal -p {package} -i {name}`"
            ));
        }
    }
    findings.summary = format!("the dependency trees of {looked_at} crates hold nothing unwanted");
    Ok(findings)
}

fn linked(workspace: &Workspace, package: &str) -> Outcome<BTreeSet<String>> {
    let mut tree = command::cargo(workspace.root());
    tree.args(["tree", "-p", package, "--edges", "normal", "--target", "all", "--prefix", "none"]);
    let printed = command::output(tree.args(["--format", "{p}"]))?;
    Ok(names(&printed))
}

fn names(tree: &str) -> BTreeSet<String> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{CRYPTOGRAPHY, RULES, linked, names};
    use crate::workspace::Workspace;

    #[test]
    fn a_482_no_library_of_ours_is_linked_with_the_rsa_crate() {
        assert!(CRYPTOGRAPHY.contains(&"rsa"));
        let workspace = Workspace::open().unwrap();
        let members = workspace.metadata().members();
        let libraries: Vec<&str> = members
            .map(|member| member.name.as_str())
            .filter(|name| RULES.iter().any(|(ruled, _)| ruled == name))
            .collect();
        assert!(libraries.len() >= 7, "{libraries:?}");
        for library in libraries {
            let tree = linked(&workspace, library).unwrap();
            assert!(tree.contains(library), "the tree is read");
            assert!(!tree.contains("rsa"), "{library} is linked with rsa");
        }
        // What signs instead.
        assert!(linked(&workspace, "auth-core").unwrap().contains("ring"));
    }

    #[test]
    fn names_are_read_from_a_tree() {
        let names = names("auth-core v0.1.0 (/x)\nring v0.17.14\nring v0.17.14 (*)\n\n");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["auth-core", "ring"]);
    }
}
