//! Runs other programs: shown to the person, or for what they print.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::{During, Failure, Outcome};
use crate::progress;

/// A cargo command in `root`.
///
/// `cargo run` tells its child about the package xtask. Some build scripts (that of ring is one) ask to
/// run again when such a variable changes, so without cleaning, `cargo test` and `cargo xtask test`
/// would keep rebuilding each other's dependencies.
pub(crate) fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_xtask) {
            command.env_remove(&name);
        }
    }
    command
}

fn describes_xtask(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_")
        || variable.starts_with("CARGO_MANIFEST_")
        || matches!(
            variable,
            "CARGO" | "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "OUT_DIR" | "LD_LIBRARY_PATH"
        )
}

/// Runs a command in view of the person; anything but exit status 0 is a failure.
pub(crate) fn shown(command: &mut Command) -> Outcome<()> {
    let line = line(command);
    progress::detail(format!("$ {line}"));
    let status = command.stdin(Stdio::null()).status().during(format!("starting `{line}`"))?;
    succeeded(&line, status)
}

/// The same, with each line of its standard output passed to `hear`, too.
pub(crate) fn shown_and_heard(command: &mut Command, mut hear: impl FnMut(&str)) -> Outcome<()> {
    let line = line(command);
    progress::detail(format!("$ {line}"));
    let starting = || format!("starting `{line}`");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().during(starting())?;
    if let Some(printed) = child.stdout.take() {
        for printed in BufReader::new(printed).split(b'\n') {
            let printed = printed.during(format!("reading what `{line}` printed"))?;
            let printed = String::from_utf8_lossy(&printed);
            println!("{printed}");
            hear(&printed);
        }
    }
    let status = child.wait().during(format!("waiting for `{line}`"))?;
    succeeded(&line, status)
}

fn succeeded(line: &str, status: ExitStatus) -> Outcome<()> {
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("`{line}` ended with {status}")))
    }
}

/// Runs a command and returns its standard output; anything but exit status 0 is a failure that
/// quotes the end of its standard error.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let line = line(command);
    let output = command.stdin(Stdio::null()).output().during(format!("starting `{line}`"))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).during(format!("reading what `{line}` printed"));
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = errors.lines().collect();
    let end = lines[lines.len().saturating_sub(12)..].join("\n    ");
    Err(Failure::new(format!("`{line}` ended with {}\n    {end}", output.status)))
}

/// Runs a command whose standard error a person sees and whose standard output is wanted.
pub(crate) fn printed(command: &mut Command) -> Outcome<String> {
    let line = line(command);
    progress::detail(format!("$ {line}"));
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .during(format!("starting `{line}`"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    eprint!("{text}");
    Err(Failure::new(format!("`{line}` ended with {}", output.status)))
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    std::iter::once(name)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The first of `names` that is in the `PATH`.
pub(crate) fn which(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    names
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |directory| directory.join(name)))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{describes_xtask, line};

    #[test]
    fn variables_about_xtask_are_not_passed_on() {
        assert!(describes_xtask("CARGO_PKG_NAME"));
        assert!(describes_xtask("CARGO_MANIFEST_DIR"));
        assert!(!describes_xtask("CARGO_HOME"));
        assert!(!describes_xtask("CARGO_TARGET_DIR"));
    }

    #[test]
    fn a_command_is_shown_by_its_short_name() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.args(["test", "--workspace"]);
        assert_eq!(line(&command), "cargo test --workspace");
    }
}
