//! [`History`]: calls, their answers, and when both were.

use std::fmt;

use auth_store::Timestamp;
use serde::{Deserialize, Serialize};

use super::in_order;
use super::operation::{Operation, Slot, Until, Version};

/// A record as a client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "what the model knows of a record")]
pub struct Seen {
    /// The commit that wrote it; `None` if no commit of the history has such a version.
    pub version: Option<Version>,
    /// Its value; `None` if that is no number, or if what came is another key's record: nobody wrote it.
    pub number: Option<u64>,
    /// Until when it is kept.
    pub keep_until: Option<Timestamp>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "{number}{}", Until(self.keep_until))?,
            None => f.write_str("nobody's value")?,
        }
        match self.version {
            Some(version) => write!(f, " ({version})"),
            None => f.write_str(" (nobody's version)"),
        }
    }
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "every answer of the contract")]
pub enum Answer {
    /// The records of a `get`, in the order of its keys.
    Found(Vec<Option<Seen>>),
    /// A commit was applied, or had been before; with the sums of its counters.
    Applied(Vec<u64>),
    /// Preconditions of these keys did not hold.
    Conflict(Vec<Slot>),
    /// This counter was full. (The model names all that were.)
    Full(Vec<Slot>),
    /// The call failed, and nothing was applied.
    Failed(String),
    /// The commit was applied, or was not, or may still be.
    Unknown(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(found) => {
                let text = |seen: &Option<Seen>| {
                    seen.map_or_else(|| "nothing".to_owned(), |seen| seen.to_string())
                };
                let found: Vec<String> = found.iter().map(text).collect();
                write!(f, "{}", in_order(&found))
            }
            Self::Applied(sums) if sums.is_empty() => f.write_str("applied"),
            Self::Applied(sums) => write!(f, "applied, sums {}", in_order(sums)),
            Self::Conflict(slots) if slots.is_empty() => f.write_str("conflict at no key"),
            Self::Conflict(slots) => write!(f, "conflict at {}", in_order(slots)),
            Self::Full(slots) => write!(f, "full: {}", in_order(slots)),
            Self::Failed(cause) => write!(f, "failed: {cause}"),
            Self::Unknown(cause) => write!(f, "unknown: {cause}"),
        }
    }
}

/// One call of a client.
///
/// Times are nanoseconds of one clock that all clients of a history share; in several processes of one
/// machine that is the system's monotonic clock. `called` must be read before the call, and `returned`
/// after the answer: to widen the interval is sound, to narrow it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "histories are made by hand and by other programs too"
)]
pub struct Call {
    /// Who called, from 1.
    pub client: u8,
    /// What.
    pub operation: Operation,
    /// What came of it.
    pub answer: Answer,
    /// When the call began.
    pub called: u64,
    /// When the answer was there.
    pub returned: u64,
}

impl Call {
    /// When it was over: a commit of unknown outcome never is.
    pub(super) fn over(&self) -> u64 {
        if matches!(self.answer, Answer::Unknown(_)) { u64::MAX } else { self.returned }
    }

    /// Whether a call changes nothing, wherever in an order it stands. A replay does not: it is applied
    /// anew where all that it wrote has been written over.
    pub(super) fn changes_nothing(&self) -> bool {
        matches!(self.operation, Operation::Get(_))
            || matches!(self.answer, Answer::Conflict(_) | Answer::Full(_) | Answer::Failed(_))
    }

    /// Whether two calls were under way at the same time.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.called <= other.returned && other.called <= self.returned
    }

    /// Whether an order of the two makes a difference: they share a key, and one of them may write.
    #[must_use]
    pub fn contends(&self, other: &Self) -> bool {
        let commits = |call: &Self| matches!(call.operation, Operation::Commit { .. });
        (commits(self) || commits(other))
            && self.operation.slots().any(|slot| other.operation.slots().any(|o| o == slot))
    }
}

/// The calls of some clients on a few keys that were absent before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "histories are made by hand and by other programs too"
)]
pub struct History {
    /// The calls, in any order.
    pub calls: Vec<Call>,
}

impl History {
    /// Pairs of calls of different clients that overlap in time and contend for a key: without any there
    /// was no race.
    pub fn races(&self) -> impl Iterator<Item = (&Call, &Call)> {
        let calls = self.calls.iter().enumerate();
        calls.flat_map(|(n, a)| {
            let later = self.calls[n + 1..].iter();
            let racing = move |b: &&Call| a.client != b.client && a.overlaps(b) && a.contends(b);
            later.filter(racing).map(move |b| (a, b))
        })
    }
}
