//! A file is named after what it holds. Names that fit anything say nothing.

use std::path::Path;

use super::Findings;
use crate::failure::Outcome;
use crate::sources;
use crate::workspace::Workspace;

const SAYS_NOTHING: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "manager", "managers"];

/// Looks at every file name and every directory on the way to it.
pub(super) fn check(workspace: &Workspace) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let files = sources::rust_files(workspace.root())?;
    for file in &files {
        let inside = file.strip_prefix(workspace.root()).unwrap_or(file);
        if let Some(name) = unwanted(inside) {
            findings.problems.push(format!(
                "{}: `{name}` says nothing; name it after what it holds",
                inside.display()
            ));
        }
    }
    findings.summary = format!("{} files, each named after what it holds", files.len());
    Ok(findings)
}

/// The part of the path that is unwanted: a whole name, or the last word of one.
fn unwanted(path: &Path) -> Option<String> {
    path.with_extension("")
        .iter()
        .filter_map(|part| part.to_str())
        .find(|part| {
            part.rsplit(['_', '-']).next().is_some_and(|word| SAYS_NOTHING.contains(&word))
        })
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::unwanted;

    #[test]
    fn names_that_fit_anything_are_refused() {
        assert_eq!(unwanted(Path::new("a/src/utils.rs")).as_deref(), Some("utils"));
        assert_eq!(unwanted(Path::new("a/tests/common/mod.rs")).as_deref(), Some("common"));
        assert_eq!(
            unwanted(Path::new("a/src/session_manager.rs")).as_deref(),
            Some("session_manager")
        );
        assert_eq!(unwanted(Path::new("a/src/common_name.rs")), None);
        assert_eq!(unwanted(Path::new("a/src/session.rs")), None);
    }
}
