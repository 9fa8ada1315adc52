//! [`Failure`]: why a task ended early, as a sentence for the person who typed the command.

use std::fmt;

/// What a fallible step returns.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// A sentence that says what did not work, with its cause where there is one.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// A failure that `sentence` explains.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Says what was being done when something failed.
pub(crate) trait During<T> {
    /// Turns the error into a [`Failure`] that starts with `doing`.
    fn during(self, doing: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: fmt::Display> During<T> for Result<T, E> {
    fn during(self, doing: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{doing}: {error}")))
    }
}
