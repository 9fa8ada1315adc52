//! A declared dependency is used: its name occurs in the sources.

use std::path::Path;

use super::Findings;
use crate::failure::{During, Outcome};
use crate::metadata::{Dependency, Package};
use crate::sources;
use crate::workspace::Workspace;

/// Dependencies that are there for their features alone, as (crate, dependency).
const FOR_FEATURES_ALONE: &[(&str, &str)] = &[];

/// Looks for each normal dependency in `src`, and for each test dependency anywhere in the crate.
pub(super) fn check(workspace: &Workspace) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let mut looked_at = 0;
    for package in workspace.metadata().members() {
        let code = code(package.directory().join("src").as_path())?;
        let everything = everything(package)?;
        for dependency in &package.dependencies {
            let (text, place) = match dependency.kind.as_deref() {
                None => (&code, "src"),
                Some("dev") => (&everything, "tests, examples, benches or docs"),
                _ => continue,
            };
            looked_at += 1;
            if !occurs(&dependency.identifier(), text) && !is_excused(package, dependency) {
                findings.problems.push(format!(
                    "{} declares {}, which does not occur in its {place}",
                    package.name, dependency.name
                ));
            }
        }
    }
    findings.summary = format!("{looked_at} dependencies, all used");
    Ok(findings)
}

fn is_excused(package: &Package, dependency: &Dependency) -> bool {
    FOR_FEATURES_ALONE.contains(&(package.name.as_str(), dependency.name.as_str()))
}

/// The code below `directory`, without lines that are comments.
fn code(directory: &Path) -> Outcome<String> {
    let text = text(directory)?;
    Ok(text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n"))
}

/// All Rust of a package, comments included: examples in documentation use test dependencies. A module
/// that stands in another crate, by `#[path = "…"]`, counts with its folder.
fn everything(package: &Package) -> Outcome<String> {
    let mut all = String::new();
    for part in ["src", "tests", "examples", "benches"] {
        let folder = package.directory().join(part);
        let own = text(&folder)?;
        for path in own.split("#[path = \"").skip(1).filter_map(|after| after.split('"').next()) {
            if let Some(elsewhere) = folder.join(path).parent() {
                all.push_str(&text(elsewhere)?);
            }
        }
        all.push_str(&own);
    }
    Ok(all)
}

fn text(directory: &Path) -> Outcome<String> {
    let mut text = String::new();
    if directory.is_dir() {
        for file in sources::rust_files(directory)? {
            let doing = format!("reading {}", file.display());
            text.push_str(&std::fs::read_to_string(&file).during(doing)?);
            text.push('\n');
        }
    }
    Ok(text)
}

/// Whether `identifier` stands in `text` as a word of its own.
fn occurs(identifier: &str, text: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(identifier).any(|(start, found)| {
        !text[..start].ends_with(part_of_word)
            && !text[start + found.len()..].starts_with(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::occurs;

    #[test]
    fn a_name_counts_only_as_a_word() {
        assert!(occurs("url", "use url::Url;"));
        assert!(!occurs("url", "let curl = urls;"));
        assert!(occurs("http_body_util", "http_body_util::Full::new()"));
    }
}
