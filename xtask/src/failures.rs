//! [`Failures`]: what failed among many tests, to be told again where a person looks first: at the end.

use std::fmt;

/// How many lines of what a failed test printed are told again, from its panic on if there was one.
const LINES: usize = 30;

/// What test programs said of the tests that failed, as they print it: a paragraph headed `---- NAME stdout ----`
/// for each.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    tests: Vec<Failed>,
    listening: bool,
}

#[derive(Debug)]
struct Failed {
    heading: String,
    lines: Vec<String>,
    left_out: usize,
    panicked: bool,
}

impl Failures {
    /// Takes the next line that the test programs print.
    pub(crate) fn hear(&mut self, line: &str) {
        if line.starts_with("---- ") && line.ends_with(" ----") {
            self.listening = true;
            self.tests.push(Failed {
                heading: line.to_owned(),
                lines: Vec::new(),
                left_out: 0,
                panicked: false,
            });
        } else if line == "failures:" || line.starts_with("test result:") {
            self.listening = false;
        } else if let (true, Some(test)) = (self.listening, self.tests.last_mut()) {
            test.hear(line);
        }
    }

    /// Whether no test failed.
    pub(crate) fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }
}

impl Failed {
    fn hear(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if line.contains(" panicked at ") && !self.panicked {
            self.panicked = true;
            self.left_out += self.lines.len();
            self.lines.clear();
        }
        if self.lines.len() < LINES {
            self.lines.push(line.to_owned());
        } else {
            self.left_out += 1;
        }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for test in &self.tests {
            writeln!(f, "{}", test.heading)?;
            for line in &test.lines {
                writeln!(f, "{line}")?;
            }
            if test.left_out > 0 {
                writeln!(f, "… and {} lines more, which stand above", test.left_out)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Failures, LINES};

    fn heard(text: &str) -> Failures {
        let mut failures = Failures::default();
        text.lines().for_each(|line| failures.hear(line));
        failures
    }

    #[test]
    fn what_failed_is_told_again_with_its_reason() {
        let failures = heard(
            "running 2 tests\n\
             test good ... ok\n\
             test bad ... FAILED\n\
             \n\
             failures:\n\
             \n\
             ---- bad stdout ----\n\
             \n\
             thread 'bad' panicked at src/lib.rs:1:1:\n\
             left: 1\n\
             \n\
             failures:\n    bad\n\
             \n\
             test result: FAILED. 1 passed; 1 failed\n\
             \n\
             running 0 tests\n\
             test result: ok. 0 passed",
        );
        assert_eq!(
            failures.to_string(),
            "---- bad stdout ----\nthread 'bad' panicked at src/lib.rs:1:1:\nleft: 1\n"
        );
    }

    #[test]
    fn a_long_report_is_cut_and_says_so() {
        let said = "said\n".repeat(7);
        let trace = "at somewhere\n".repeat(LINES + 2);
        let text = format!("---- bad stdout ----\n{said}thread 'bad' panicked at here\n{trace}");
        let told = heard(&text).to_string();
        assert!(told.starts_with("---- bad stdout ----\nthread 'bad' panicked at here\nat "));
        assert!(told.ends_with("at somewhere\n… and 10 lines more, which stand above\n"));
    }

    #[test]
    fn nothing_is_told_when_all_went_well() {
        assert!(heard("test good ... ok\ntest result: ok. 1 passed").is_empty());
    }
}
