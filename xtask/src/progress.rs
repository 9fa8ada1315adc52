//! What a person sees while a task runs: which step, what came of it, how long it took.
//!
//! Everything goes to standard error, so that a task's own result can be piped. Colours appear only on
//! a terminal, and not when `NO_COLOR` is set.

use std::fmt;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// A step that has begun.
#[derive(Debug)]
pub(crate) struct Step {
    name: String,
    begun: Instant,
}

impl Step {
    /// Announces a step.
    pub(crate) fn begin(name: impl Into<String>) -> Self {
        let name = name.into();
        eprintln!("{} {name}", paint(Colour::Blue, "==>"));
        Self { name, begun: Instant::now() }
    }

    /// The step did what it should.
    pub(crate) fn done(self, result: impl fmt::Display) {
        self.end(Colour::Green, "ok", &result);
    }

    /// The step was left out.
    pub(crate) fn left_out(self, reason: impl fmt::Display) {
        self.end(Colour::Yellow, "left out", &reason);
    }

    /// The step found something wrong.
    pub(crate) fn failed(self, reason: impl fmt::Display) {
        self.end(Colour::Red, "FAILED", &reason);
    }

    fn end(&self, colour: Colour, word: &str, detail: &dyn fmt::Display) {
        let took = seconds(self.begun.elapsed());
        let detail = detail.to_string();
        let separator = if detail.is_empty() { "" } else { ": " };
        eprintln!("    {} {} ({took}){separator}{detail}", paint(colour, word), self.name);
    }
}

/// A duration as a person reads it.
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds >= 60 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// An indented line below a step.
pub(crate) fn detail(line: impl fmt::Display) {
    eprintln!("    {line}");
}

/// An indented line that deserves attention but fails nothing.
pub(crate) fn warning(line: impl fmt::Display) {
    eprintln!("    {} {line}", paint(Colour::Yellow, "warning:"));
}

/// An indented line that names a problem.
pub(crate) fn problem(line: impl fmt::Display) {
    eprintln!("    {} {line}", paint(Colour::Red, "error:"));
}

/// A heading above a summary.
pub(crate) fn heading(line: impl fmt::Display) {
    eprintln!("\n{}", paint(Colour::Blue, &line.to_string()));
}

/// The last line of a task that went well.
pub(crate) fn success(line: impl fmt::Display) {
    eprintln!("{} {line}", paint(Colour::Green, "ok"));
}

/// The last line of a task that did not.
pub(crate) fn failure(line: impl fmt::Display) {
    eprintln!("{} {line}", paint(Colour::Red, "error:"));
}

#[derive(Debug, Clone, Copy)]
enum Colour {
    Red,
    Green,
    Yellow,
    Blue,
}

fn paint(colour: Colour, text: &str) -> String {
    if !std::io::stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Red => 31,
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Blue => 34,
    };
    format!("\x1b[1;{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::seconds;

    #[test]
    fn durations_read_as_seconds_then_minutes() {
        assert_eq!(seconds(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }
}
