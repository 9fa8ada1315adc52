//! Where and when something was measured: processor, memory, commit, toolchain, date.

use std::path::Path;
use std::process::Command;

use crate::command;
use crate::failure::{During, Outcome};

/// What a reader must know to judge a figure.
#[derive(Debug)]
pub(crate) struct Circumstances {
    commit: String,
    machine: String,
    toolchain: String,
    date: String,
}

impl Circumstances {
    /// Those of this moment, for the repository at `root`.
    pub(crate) fn now(root: &Path) -> Outcome<Self> {
        Ok(Self {
            commit: commit(root)?,
            machine: format!("{}, {} cores, {}", processor(), cores(), memory()),
            toolchain: command::output(Command::new("rustc").arg("--version"))?.trim().to_owned(),
            date: today()?.to_string(),
        })
    }

    /// As a Markdown list.
    pub(crate) fn list(&self, command: &str) -> String {
        format!(
            "- command: `{command}`\n- commit: {}\n- machine: {}\n- toolchain: {}\n- date: {}\n",
            self.commit, self.machine, self.toolchain, self.date
        )
    }
}

/// The day it is, in UTC.
pub(crate) fn today() -> Outcome<time::Date> {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().during("asking for the time")?;
    let seconds = i64::try_from(since.as_secs()).during("asking for the time")?;
    Ok(time::OffsetDateTime::from_unix_timestamp(seconds).during("asking for the time")?.date())
}

/// The commit, and whether the files differ from it; the records themselves do not count.
fn commit(root: &Path) -> Outcome<String> {
    let commit = git(root, &["rev-parse", "HEAD"])?;
    let records = [":!docs/proofs", ":!docs/benchmarks.md"];
    let changes = git(root, &["status", "--porcelain", "--", ".", records[0], records[1]])?;
    let note = if changes.is_empty() { "" } else { " with uncommitted changes" };
    Ok(format!("{commit}{note}"))
}

fn git(root: &Path, arguments: &[&str]) -> Outcome<String> {
    let printed = command::output(Command::new("git").current_dir(root).args(arguments))?;
    Ok(printed.trim().to_owned())
}

fn processor() -> String {
    field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn cores() -> String {
    std::thread::available_parallelism().map_or_else(|_| "unknown".to_owned(), |n| n.to_string())
}

fn memory() -> String {
    let kibibytes = field("/proc/meminfo", "MemTotal")
        .and_then(|value| value.trim_end_matches("kB").trim().parse::<u64>().ok());
    match kibibytes {
        Some(kibibytes) => format!("{} GiB memory", (kibibytes + 512 * 1024) / (1024 * 1024)),
        None => "memory unknown".to_owned(),
    }
}

/// The value of the first line of `file` that reads `name: value`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}
