//! A source file holds one idea and is short enough to be read at once.

use super::Findings;
use crate::failure::{During, Outcome};
use crate::sources;
use crate::workspace::Workspace;

const TOO_LONG: usize = 600;
const LONG: usize = 400;

/// Counts lines.
pub(super) fn check(workspace: &Workspace) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let files = sources::rust_files(workspace.root())?;
    for file in &files {
        let shown = workspace.shown(file);
        let text = std::fs::read_to_string(file).during(format!("reading {shown}"))?;
        let lines = text.lines().count();
        if lines > TOO_LONG {
            findings.problems.push(format!("{shown} has {lines} lines, more than {TOO_LONG}"));
        } else if lines > LONG {
            findings.warnings.push(format!("{shown} has {lines} lines, more than {LONG}"));
        }
    }
    findings.summary = format!("{} files, none over {TOO_LONG} lines", files.len());
    Ok(findings)
}
