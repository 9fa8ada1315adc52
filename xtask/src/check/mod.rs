//! `cargo xtask check`: the rules of the house. One rule a file; all of them run, whatever the others find.

mod advisories;
mod cargo;
mod imports;
mod kept_out;
mod lengths;
mod licences;
mod names;
mod sql;
mod unused;

use crate::failure::{Failure, Outcome};
use crate::progress::{self, Step};
use crate::workspace::Workspace;

/// What `cargo xtask check` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The checks to run; without names, all of them
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(ALL.iter().map(|check| check.name)))]
    names: Vec<String>,
}

/// A rule and what it says about the workspace.
#[derive(Debug)]
struct Check {
    name: &'static str,
    run: fn(&Workspace) -> Outcome<Findings>,
}

/// What a check found.
#[derive(Debug, Default)]
struct Findings {
    /// Each of them fails the check.
    problems: Vec<String>,
    /// Worth a look, and no failure.
    warnings: Vec<String>,
    /// Said when all is well.
    summary: String,
}

const ALL: &[Check] = &[
    Check { name: "format", run: cargo::format },
    Check { name: "imports", run: imports::check },
    Check { name: "lengths", run: lengths::check },
    Check { name: "names", run: names::check },
    Check { name: "unused", run: unused::check },
    Check { name: "licences", run: licences::check },
    Check { name: "advisories", run: advisories::check },
    Check { name: "kept-out", run: kept_out::check },
    Check { name: "sql", run: sql::check },
    Check { name: "lints", run: cargo::lints },
    Check { name: "lints-default", run: cargo::lints_with_default_features },
    Check { name: "docs", run: cargo::docs },
];

/// Runs the checks and lists at the end those that failed.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome<()> {
    let wanted = |check: &&Check| {
        arguments.names.is_empty() || arguments.names.iter().any(|name| name == check.name)
    };
    let failed: Vec<(&str, String)> = ALL
        .iter()
        .filter(wanted)
        .filter_map(|check| {
            run_one(workspace, check).err().map(|failure| (check.name, failure.to_string()))
        })
        .collect();
    if failed.is_empty() {
        progress::success("all checks passed");
        return Ok(());
    }
    progress::heading("Failed checks:");
    for (name, summary) in &failed {
        progress::problem(format!("{name}: {summary}"));
    }
    Err(Failure::new("not everything holds"))
}

fn run_one(workspace: &Workspace, check: &Check) -> Outcome<()> {
    let step = Step::begin(check.name);
    let findings = match (check.run)(workspace) {
        Ok(findings) => findings,
        Err(failure) => {
            step.failed(&failure);
            return Err(failure);
        }
    };
    for warning in &findings.warnings {
        progress::warning(warning);
    }
    for problem in &findings.problems {
        progress::problem(problem);
    }
    match findings.problems.as_slice() {
        [] => {
            step.done(findings.summary);
            Ok(())
        }
        [only] => {
            step.failed("1 problem");
            Err(Failure::new(only.clone()))
        }
        more => {
            step.failed(format!("{} problems", more.len()));
            Err(Failure::new(format!("{} problems, listed above", more.len())))
        }
    }
}
