//! [`Failure`]: what became of a command that brought no answer, or the answer that it was refused.

use std::sync::Arc;

use auth_store::{CommitError, StoreError};
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// No connection came about; nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ConnectError {
    #[error("the server cannot be reached")]
    Io(#[source] std::io::Error),
    #[error("the server cannot be reached within the time for connecting")]
    Timeout,
    #[error("TLS cannot be agreed on")]
    Tls(#[source] std::io::Error),
    #[error("the server is on another machine and the connection would not be encrypted")]
    Plaintext,
    #[error("the server refuses the connection")]
    Greeting(#[source] RedisError),
    #[error("no node of the cluster tells who has this slot")]
    NoOwner,
}

/// A command failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Failure {
    /// It was not sent.
    #[error("there is no connection to Redis")]
    NotSent(#[source] Arc<ConnectError>),
    /// The server answered with an error. Our scripts check everything before they write, so nothing
    /// was applied.
    #[error("Redis refused the command")]
    Refused(#[source] RedisError),
    /// It was sent, and no answer came.
    #[error("the connection to Redis was lost while an answer was awaited")]
    Cut(#[source] RedisError),
}

impl Failure {
    /// What the server says, if it answered.
    pub(crate) fn answer(&self) -> Option<ServerErrorKind> {
        match self {
            Self::Refused(error) => match error.kind() {
                ErrorKind::Server(kind) => Some(kind),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a read may be tried again at once, on a new connection.
    pub(crate) fn is_worth_another_try(&self) -> bool {
        matches!(self, Self::Cut(error) if !error.is_timeout())
    }
}

impl From<Arc<ConnectError>> for Failure {
    fn from(error: Arc<ConnectError>) -> Self {
        Self::NotSent(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.into())
    }
}

impl From<Failure> for CommitError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Cut(_) => Self::Unknown(failure.into()),
            _ => Self::Unavailable(failure.into()),
        }
    }
}
