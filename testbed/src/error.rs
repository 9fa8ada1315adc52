//! [`StartError`]: why a server is not there.

use std::path::PathBuf;

/// Why a server did not start or stop, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The program is not installed.
    #[error(
        "there is no `{program}` in the PATH or where Debian puts it: apt-get install {package}"
    )]
    NoProgram {
        /// Its name.
        program: &'static str,
        /// Debian's package.
        package: &'static str,
    },
    /// The server refuses to run as root, and the user whom it should run as does not exist.
    #[error(
        "this process is root, and there is no user `{0}` to run the server as: add it, or run as another user"
    )]
    NoUser(&'static str),
    /// A step of the operating system failed.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A program that prepares or commands a server ended badly.
    #[error("{doing} failed:\n{output}")]
    Failed {
        /// What was being done.
        doing: String,
        /// What it answered.
        output: String,
    },
    /// The server ended, or was not ready in time.
    #[error("{server} {what}; the end of its log {log:?}:\n{end}")]
    NotReady {
        /// Which server.
        server: &'static str,
        /// What became of it.
        what: String,
        /// Its log; gone with its folder.
        log: PathBuf,
        /// The last lines of it.
        end: String,
    },
    /// A URL that a server should use cannot be read.
    #[error("`{url}` is no URL of a database: write postgres://user@host:port/database")]
    Url {
        /// The URL without its password.
        url: String,
    },
}

/// Says what was being done when the operating system refused.
pub(crate) trait Doing<T> {
    /// Turns the error into one that starts with `doing`.
    fn doing(self, doing: impl Into<String>) -> Result<T, StartError>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, doing: impl Into<String>) -> Result<T, StartError> {
        self.map_err(|source| StartError::Io { doing: doing.into(), source })
    }
}
