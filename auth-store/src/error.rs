//! What can go wrong in a store.

use crate::key::Key;

/// The cause of a failure in a backend, kept for logs and never shown on the wire.
pub type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A read failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The backend could not be reached or did not answer; the same call may succeed later.
    #[error("the store is unavailable")]
    Unavailable(#[source] Source),
    /// A stored record cannot be read.
    #[error("a stored record is damaged")]
    Damaged(#[source] Source),
    /// More keys, ranges or entries than the contract permits: a mistake of the program.
    #[error("more was asked for than one call may hold")]
    TooLarge,
}

/// A commit was not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Preconditions did not hold; nothing was applied. The keys that failed are named, at least one
    /// of them. The caller forgets what it read and decides again.
    #[error("{} preconditions did not hold", .0.len())]
    Conflict(Vec<Key>),
    /// A counter would have passed its bound; nothing was applied. An answer, not to be retried.
    #[error("a counter is full")]
    Full(Key),
    /// The backend cannot take a batch of this size; nothing was applied.
    #[error("the batch is too large for the store")]
    TooLarge,
    /// The store could not be reached or refused to write; nothing was applied.
    #[error("the store is unavailable")]
    Unavailable(#[source] Source),
    /// The answer was lost: the batch was applied, or was not, or may still be. Reading its keys
    /// tells, and so does committing the same batch again.
    #[error("the outcome of the commit is unknown")]
    Unknown(#[source] Source),
}
