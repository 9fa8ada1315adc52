//! What we link is under a licence that permits it.

use spdx::{Expression, ParseMode};

use super::Findings;
use crate::failure::Outcome;
use crate::metadata::Package;
use crate::workspace::Workspace;

/// Licences of dependencies that a work under `MIT OR Apache-2.0` may be linked with. MPL-2.0 is here
/// because it asks something only of those who change the files under it.
const PERMITTED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "ISC",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Unicode-3.0",
    "Zlib",
    "MPL-2.0",
    "CC0-1.0",
    // Data: the certificates of the public authorities.
    "CDLA-Permissive-2.0",
    "BSL-1.0",
    "OpenSSL",
];

/// An exception only ever permits more, but we name those that we have read.
const PERMITTED_EXCEPTIONS: &[&str] = &["LLVM-exception"];

/// Looks at everything that our crates are linked with, with all features.
pub(super) fn check(workspace: &Workspace) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let linked = workspace.metadata().linked();
    for package in &linked {
        if let Some(problem) = problem(package) {
            findings.problems.push(problem);
        }
    }
    findings.summary = format!("{} linked packages, all permitted", linked.len());
    Ok(findings)
}

fn problem(package: &Package) -> Option<String> {
    let name = format!("{} {}", package.name, package.version);
    let Some(licence) = &package.license else {
        return Some(format!("{name} names no licence"));
    };
    match permitted(licence) {
        Ok(true) => None,
        Ok(false) => Some(format!("{name} is under {licence}, which is not on the list")),
        Err(error) => Some(format!("{name}: cannot read its licence {licence}: {error}")),
    }
}

/// Whether the expression can be met with permitted licences alone. Old packages write `MIT/Apache-2.0`
/// for a choice, which the lax mode reads.
fn permitted(expression: &str) -> Result<bool, spdx::ParseError> {
    Ok(Expression::parse_mode(expression, ParseMode::LAX)?.evaluate(meets))
}

fn meets(requirement: &spdx::LicenseReq) -> bool {
    let permitted = requirement.license.id().is_some_and(|id| PERMITTED.contains(&id.name));
    let exception = requirement.addition.as_ref().is_none_or(|addition| {
        addition.id().is_some_and(|id| PERMITTED_EXCEPTIONS.contains(&id.name))
    });
    permitted && exception
}

#[cfg(test)]
mod tests {
    use super::permitted;

    #[test]
    fn a_choice_needs_one_permitted_licence_and_a_conjunction_all() {
        assert!(permitted("MIT OR GPL-3.0-only").unwrap());
        assert!(!permitted("MIT AND GPL-3.0-only").unwrap());
        assert!(permitted("ISC AND (Apache-2.0 OR GPL-2.0-only)").unwrap());
        assert!(!permitted("(MIT OR Apache-2.0) AND LGPL-2.1-or-later").unwrap());
        assert!(permitted("MIT/Apache-2.0").unwrap());
        assert!(permitted("Apache-2.0 WITH LLVM-exception").unwrap());
        assert!(!permitted("AGPL-3.0-only").unwrap());
        assert!(permitted("not a licence").is_err());
    }
}
