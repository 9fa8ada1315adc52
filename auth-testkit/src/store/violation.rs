//! What a contract test reports.

use std::error::Error;
use std::fmt;
use std::panic::Location;

use auth_store::{CommitError, InvalidBatch, KeyTooLong, StoreError};

/// A store broke the contract.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{test}: {finding}")]
#[non_exhaustive]
pub struct ContractViolation {
    /// The test that found it; its name is the sentence that is broken.
    pub test: &'static str,
    /// What it saw.
    #[source]
    pub finding: Finding,
}

/// What a contract test saw that it should not have, and where in the kit it looked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Finding {
    /// What was seen.
    pub saw: String,
    /// The line of the kit that looked.
    pub at: &'static Location<'static>,
}

impl Finding {
    /// Something was seen that the contract does not permit.
    #[track_caller]
    #[must_use]
    pub fn new(saw: impl Into<String>) -> Self {
        Self { saw: saw.into(), at: Location::caller() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.saw, self.at.file(), self.at.line())
    }
}

impl Error for Finding {}

/// An error with all of its causes.
pub(crate) fn told(what: &str, error: &dyn Error) -> String {
    let mut text = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

impl From<StoreError> for Finding {
    #[track_caller]
    fn from(error: StoreError) -> Self {
        Self::new(told("a read failed", &error))
    }
}

impl From<CommitError> for Finding {
    #[track_caller]
    fn from(error: CommitError) -> Self {
        match &error {
            CommitError::Conflict(keys) => Self::new(format!("a commit conflicted at {keys:?}")),
            CommitError::Full(key) => Self::new(format!("a commit found {key:?} full")),
            other => Self::new(told("a commit failed", other)),
        }
    }
}

impl From<InvalidBatch> for Finding {
    #[track_caller]
    fn from(error: InvalidBatch) -> Self {
        Self::new(told("the kit made a batch that the contract forbids", &error))
    }
}

impl From<KeyTooLong> for Finding {
    #[track_caller]
    fn from(error: KeyTooLong) -> Self {
        Self::new(told("the kit made a key that the contract forbids", &error))
    }
}

/// Reports what was seen unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($saw:tt)+) => {
        if !$condition {
            return Err($crate::store::Finding::new(format!($($saw)+)));
        }
    };
}
pub(crate) use ensure;
