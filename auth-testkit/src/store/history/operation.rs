//! [`Operation`]: what a client does, in the terms of one history.

use std::fmt;

use auth_store::Timestamp;
use serde::{Deserialize, Serialize};

use super::in_order;
use crate::store::caller::after;

/// One of the keys of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "a history has four keys at most")]
pub enum Slot {
    /// The first.
    W,
    /// The second.
    X,
    /// The third.
    Y,
    /// The fourth.
    Z,
}

impl Slot {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::W, Self::X, Self::Y, Self::Z];
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::W => "w",
            Self::X => "x",
            Self::Y => "y",
            Self::Z => "z",
        })
    }
}

/// The identity of a commit, and the version of what it writes: a client, and which of its commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "two numbers")]
pub struct Version {
    /// The client, from 1.
    pub client: u8,
    /// Its commit, from 1.
    pub commit: u8,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.client, self.commit)
    }
}

/// What must hold of a key: [`auth_store::When`] with the versions of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "as the contract")]
pub enum Condition {
    /// Nothing.
    Any,
    /// The key is absent.
    Absent,
    /// The key is present.
    Present,
    /// The key is present in this state.
    At(Version),
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::Absent => f.write_str(" if absent"),
            Self::Present => f.write_str(" if present"),
            Self::At(version) => write!(f, " if at {version}"),
        }
    }
}

/// One write of a commit: [`auth_store::Write`] with the keys of a history, and numbers for values, so
/// that every record can be added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "as the contract")]
pub enum Change {
    /// Writes a record.
    Put {
        /// The key.
        slot: Slot,
        /// What must hold of it.
        when: Condition,
        /// The value.
        number: u64,
        /// Until when it is kept.
        keep_until: Option<Timestamp>,
    },
    /// Removes a record.
    Delete {
        /// The key.
        slot: Slot,
        /// What must hold of it.
        when: Condition,
    },
    /// Checks a key.
    Check {
        /// The key.
        slot: Slot,
        /// What must hold of it.
        when: Condition,
    },
    /// Adds to a counter.
    Add {
        /// The key.
        slot: Slot,
        /// How much.
        n: u64,
        /// The highest sum that is permitted.
        below: Option<u64>,
        /// Until when a counter is kept that begins with this.
        keep_until: Timestamp,
    },
}

impl Change {
    /// The key.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        match self {
            Self::Put { slot, .. }
            | Self::Delete { slot, .. }
            | Self::Check { slot, .. }
            | Self::Add { slot, .. } => *slot,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { slot, when, number, keep_until } => {
                write!(f, "put {slot} = {number}{}{when}", Until(*keep_until))
            }
            Self::Delete { slot, when } => write!(f, "delete {slot}{when}"),
            Self::Check { slot, when } => write!(f, "check {slot}{when}"),
            Self::Add { slot, n, below, keep_until } => {
                write!(f, "add {n} to {slot}")?;
                if let Some(below) = below {
                    write!(f, " up to {below}")?;
                }
                write!(f, "{}", Until(Some(*keep_until)))
            }
        }
    }
}

/// What a client does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "the two operations of the contract's isolation")]
pub enum Operation {
    /// Reads keys in one `get`.
    Get(Vec<Slot>),
    /// Commits a batch.
    Commit {
        /// Its identity; a replay has that of the commit that it repeats.
        id: Version,
        /// The time that the batch tells.
        now: Timestamp,
        /// Its writes, each of another key.
        changes: Vec<Change>,
    },
}

impl Operation {
    /// The keys that it reads or writes.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        let (get, commit): (&[Slot], &[Change]) = match self {
            Self::Get(slots) => (slots, &[]),
            Self::Commit { changes, .. } => (&[], changes),
        };
        get.iter().copied().chain(commit.iter().map(Change::slot))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(slots) => write!(f, "get {}", in_order(slots)),
            Self::Commit { id, now, changes } => {
                write!(f, "commit {id} at {}: {}", Moment(*now), in_order(changes))
            }
        }
    }
}

/// A time of a history, as its milliseconds.
pub(super) struct Moment(pub(super) Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0.since(after(0)).as_millis())
    }
}

/// Until when something is kept; nothing for ever.
pub(super) struct Until(pub(super) Option<Timestamp>);

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |at| write!(f, " until {}", Moment(at)))
    }
}
