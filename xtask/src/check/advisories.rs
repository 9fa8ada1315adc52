//! Known vulnerabilities: Cargo.lock against the snapshot in `xtask/advisories.toml`.
//!
//! The snapshot works without a network and is as old as it says. It knows the advisories on the crates
//! that it lists as looked at, and on no others.

use std::collections::BTreeSet;
use std::path::Path;

use semver::{Version, VersionReq};
use serde::Deserialize;

use super::Findings;
use crate::failure::{During, Failure, Outcome};
use crate::machine;
use crate::workspace::Workspace;

const OLD_AFTER_DAYS: i64 = 90;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    date: String,
    looked_at: BTreeSet<String>,
    advisory: Vec<Advisory>,
    #[serde(default)]
    ignored: Vec<Ignored>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advisory {
    id: String,
    #[serde(rename = "crate")]
    package: String,
    /// Versions with the fix; empty while there is none.
    patched: Vec<VersionReq>,
    /// Versions that never had the flaw.
    #[serde(default)]
    unaffected: Vec<VersionReq>,
    title: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ignored {
    id: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
struct Locked {
    name: String,
    version: Version,
    source: Option<String>,
}

/// Matches every locked version with every advisory on its crate.
pub(super) fn check(workspace: &Workspace) -> Outcome<Findings> {
    let snapshot: Snapshot = read(&workspace.root().join("xtask/advisories.toml"))?;
    let lock: Lock = read(&workspace.root().join("Cargo.lock"))?;
    let mut findings = compare(&snapshot, &lock);
    let age = age_in_days(&snapshot.date)?;
    if age > OLD_AFTER_DAYS {
        findings.warnings.push(format!(
            "the snapshot of {} is {age} days old: what was found since is not known here",
            snapshot.date
        ));
    }
    findings.summary = format!(
        "{} locked packages against {} advisories; snapshot of {}, {age} days old",
        lock.package.len(),
        snapshot.advisory.len(),
        snapshot.date
    );
    Ok(findings)
}

fn compare(snapshot: &Snapshot, lock: &Lock) -> Findings {
    let mut findings = Findings::default();
    let mut used = BTreeSet::new();
    for locked in &lock.package {
        for advisory in snapshot.advisory.iter().filter(|advisory| advisory.concerns(locked)) {
            let line =
                format!("{} {}: {}, {}", locked.name, locked.version, advisory.id, advisory.title);
            match snapshot.ignored.iter().find(|ignored| ignored.id == advisory.id) {
                Some(ignored) => {
                    used.insert(&ignored.id);
                    findings.warnings.push(format!("{line}; ignored: {}", ignored.reason));
                }
                None => findings.problems.push(line),
            }
        }
    }
    for ignored in snapshot.ignored.iter().filter(|ignored| !used.contains(&ignored.id)) {
        findings.warnings.push(format!("{} is ignored and concerns nothing any more", ignored.id));
    }
    let unknown: BTreeSet<&str> = lock
        .package
        .iter()
        .filter(|locked| locked.source.is_some() && !snapshot.looked_at.contains(&locked.name))
        .map(|locked| locked.name.as_str())
        .collect();
    if !unknown.is_empty() {
        let unknown = unknown.into_iter().collect::<Vec<_>>().join(", ");
        findings.warnings.push(format!("the snapshot did not look at: {unknown}"));
    }
    findings
}

impl Advisory {
    fn concerns(&self, locked: &Locked) -> bool {
        let is_any_of = |ranges: &[VersionReq]| ranges.iter().any(|r| r.matches(&locked.version));
        locked.name == self.package && !is_any_of(&self.patched) && !is_any_of(&self.unaffected)
    }
}

fn age_in_days(date: &str) -> Outcome<i64> {
    let numbers: Vec<&str> = date.split('-').collect();
    let [year, month, day] = numbers.as_slice() else {
        return Err(Failure::new(format!("{date} in advisories.toml is no date")));
    };
    let doing = "reading the date in advisories.toml";
    let month = time::Month::try_from(month.parse::<u8>().during(doing)?).during(doing)?;
    let date = time::Date::from_calendar_date(
        year.parse().during(doing)?,
        month,
        day.parse().during(doing)?,
    )
    .during(doing)?;
    Ok((machine::today()? - date).whole_days())
}

fn read<T: for<'de> Deserialize<'de>>(file: &Path) -> Outcome<T> {
    let doing = format!("reading {}", file.display());
    let text = std::fs::read_to_string(file).during(&doing)?;
    toml::from_str(&text).during(doing)
}

#[cfg(test)]
mod tests {
    use super::{Lock, Snapshot, compare};

    const SNAPSHOT: &str = r#"
        date = "2026-01-02"
        looked_at = ["fixed", "broken", "excused"]
        [[advisory]]
        id = "A-1"
        crate = "fixed"
        patched = [">= 1.2.3"]
        title = "was broken"
        [[advisory]]
        id = "A-2"
        crate = "broken"
        patched = [">= 0.9.3, < 0.10.0", ">= 0.10.1"]
        unaffected = ["< 0.7.0"]
        title = "is broken"
        [[advisory]]
        id = "A-3"
        crate = "excused"
        patched = []
        title = "stays broken"
        [[ignored]]
        id = "A-3"
        reason = "not reachable"
    "#;

    fn problems(packages: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let snapshot: Snapshot = toml::from_str(SNAPSHOT).unwrap();
        let lock: String = packages
            .iter()
            .map(|(name, version)| {
                format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"r\"\n")
            })
            .collect();
        let lock: Lock = toml::from_str(&lock).unwrap();
        let findings = compare(&snapshot, &lock);
        (findings.problems, findings.warnings)
    }

    #[test]
    fn a_version_is_fine_if_it_is_patched_or_never_had_the_flaw() {
        let fine = [("fixed", "1.2.3"), ("broken", "0.9.4"), ("broken", "0.6.0")];
        assert_eq!(problems(&fine).0, Vec::<String>::new());
    }

    #[test]
    fn any_other_version_is_a_problem() {
        let (problems, _) = problems(&[("fixed", "1.2.2"), ("broken", "0.10.0")]);
        assert_eq!(problems, ["fixed 1.2.2: A-1, was broken", "broken 0.10.0: A-2, is broken"]);
    }

    #[test]
    fn an_ignored_advisory_is_shown_with_its_reason() {
        let (problems, warnings) = problems(&[("excused", "3.0.0")]);
        assert!(problems.is_empty());
        assert_eq!(warnings, ["excused 3.0.0: A-3, stays broken; ignored: not reachable"]);
    }

    #[test]
    fn what_the_snapshot_does_not_know_is_said() {
        let (_, warnings) = problems(&[("stranger", "1.0.0"), ("excused", "3.0.0")]);
        assert!(warnings.contains(&"the snapshot did not look at: stranger".to_owned()));
    }
}
