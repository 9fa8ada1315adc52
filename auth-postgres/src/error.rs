//! What can go wrong, and how the server's answers are told to the caller.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use auth_store::{Batch, CommitError, Source, StoreError};
use tokio_postgres::error::{DbError, Severity, SqlState};

/// A database cannot be used. Nothing was changed in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL cannot be read. What it says is not shown, because a password may be in it.
    #[error(
        "the URL of the database cannot be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    InvalidUrl(#[source] Source),
    /// The schema's name would have to be quoted everywhere.
    #[error(
        "`{0}` cannot be the name of the schema: 1 to 63 of a-z, 0-9 and _, not beginning with a digit"
    )]
    InvalidSchema(String),
    /// The password would travel in clear.
    #[error(
        "the connection to {host} is not encrypted: leave `sslmode` out of the URL, or say \
         `insecure_plaintext()` if the network itself is trusted"
    )]
    Plaintext {
        /// The server.
        host: String,
    },
    /// The certificates that the server is to be checked against cannot be read.
    #[error(
        "{file} is not a file of certificates in PEM: give the certificate of the authority that signed the server's"
    )]
    Certificates {
        /// The file, or what stands for it.
        file: String,
        /// Why.
        source: Source,
    },
    /// The server's certificate is not accepted, or it speaks no TLS.
    #[error(
        "no encrypted connection to {host}: switch `ssl` on at the server, and give its authority by \
         `root_certificates` if it is a private one"
    )]
    Tls {
        /// The server.
        host: String,
        /// What was wrong.
        source: Source,
    },
    /// Nobody answers.
    #[error("no PostgreSQL answers at {host}: start it, or correct host and port of the URL")]
    Unreachable {
        /// The server.
        host: String,
        /// What the system says.
        source: Source,
    },
    /// The server does not let this role in.
    #[error(
        "{host} refuses the role `{role}`: correct user and password of the URL, or pg_hba.conf"
    )]
    Refused {
        /// The server.
        host: String,
        /// The role.
        role: String,
        /// What the server says.
        source: Source,
    },
    /// There is no such database.
    #[error("there is no database `{database}` at {host}: create it with `createdb {database}`")]
    DatabaseMissing {
        /// The server.
        host: String,
        /// The database.
        database: String,
    },
    /// The server has no connection left.
    #[error(
        "{host} takes no more connections: raise `max_connections`, or ask for fewer by `connections`"
    )]
    TooManyConnections {
        /// The server.
        host: String,
    },
    /// The server is too old.
    #[error("{host} is PostgreSQL {found}: 14 or newer is needed")]
    OldServer {
        /// The server.
        host: String,
        /// Its version.
        found: String,
    },
    /// A setting of the server would break the contract.
    #[error("`{setting}` is `{found}` at {host}: {remedy}")]
    Setting {
        /// The server.
        host: String,
        /// The setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The server is a standby.
    #[error("{host} is a standby, which only reads: give the URL of the primary")]
    Standby {
        /// The server.
        host: String,
    },
    /// Transactions only read unless they say otherwise.
    #[error(
        "`default_transaction_read_only` is on for the role `{role}` at {host}: ALTER ROLE {role} SET \
         default_transaction_read_only = off, or the same for the database or the server"
    )]
    ReadOnly {
        /// The server.
        host: String,
        /// The role.
        role: String,
    },
    /// The role may not use the tables that are there.
    #[error(
        "the role `{role}` may not use the tables in the schema `{schema}`: GRANT USAGE ON SCHEMA {schema} TO \
         {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
    )]
    MayNotUse {
        /// The role.
        role: String,
        /// The schema.
        schema: String,
        /// What the server says.
        source: Source,
    },
    /// A pooler is in between that takes no settings of a connection.
    #[error(
        "the pooler at {host} takes no settings of a connection: say `statement_cache(false)`, as behind PgBouncer"
    )]
    Pooler {
        /// The pooler.
        host: String,
        /// What it says.
        source: Source,
    },
    /// The tables are not there, and were not to be made.
    #[error(
        "the schema `{schema}` has no tables of version {wanted}, it has {found}: run the program once \
         with a role that may make them, or the script of `PostgresOptions::migration`"
    )]
    NotMigrated {
        /// The schema.
        schema: String,
        /// The version of its tables, or `none`.
        found: String,
        /// The version that this crate needs.
        wanted: i32,
    },
    /// The role may not make the tables.
    #[error(
        "the role `{role}` may not make tables in the schema `{schema}`: GRANT CREATE ON DATABASE … TO \
         {role}, or make them with another role by the script of `PostgresOptions::migration`"
    )]
    MayNotMigrate {
        /// The role.
        role: String,
        /// The schema.
        schema: String,
        /// What the server says.
        source: Source,
    },
    /// The tables belong to a newer version of this crate that this one cannot share them with.
    #[error(
        "the schema `{schema}` was written by a newer version (tables {found}, this version knows \
         {known}): run that version, or restore a backup from before the upgrade"
    )]
    NewerVersion {
        /// The schema.
        schema: String,
        /// The version of its tables.
        found: i32,
        /// The newest version that is known here.
        known: i32,
    },
    /// The schema belongs to another program.
    #[error(
        "the schema `{schema}` holds tables of another program: give the name of another schema"
    )]
    Foreign {
        /// The schema.
        schema: String,
    },
    /// The server failed in another way.
    #[error("the database at {host} cannot be used")]
    Failed {
        /// The server.
        host: String,
        /// What it says.
        source: Source,
    },
}

/// Where a connection leads, for the texts of errors.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) host: String,
    pub(crate) role: String,
    pub(crate) database: String,
}

impl OpenError {
    /// What a failure to connect means.
    pub(crate) fn connect(peer: &Peer, error: tokio_postgres::Error) -> Self {
        let host = peer.host.clone();
        let Some(code) = error.code() else {
            return if is_about_tls(&error) {
                Self::Tls { host, source: error.into() }
            } else if is_about_proof(&error) {
                Self::Refused { host, role: peer.role.clone(), source: error.into() }
            } else {
                Self::Unreachable { host, source: error.into() }
            };
        };
        let is_about_settings = |said: &DbError| said.message().contains("startup parameter");
        if error.as_db_error().is_some_and(is_about_settings) {
            return Self::Pooler { host, source: error.into() };
        }
        if [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION]
            .contains(code)
        {
            let role = peer.role.clone();
            return Self::Refused { host, role, source: error.into() };
        }
        if *code == SqlState::INVALID_CATALOG_NAME {
            return Self::DatabaseMissing { host, database: peer.database.clone() };
        }
        if *code == SqlState::TOO_MANY_CONNECTIONS {
            return Self::TooManyConnections { host };
        }
        Self::Failed { host, source: error.into() }
    }
}

/// Whether the server wants a password that the URL does not have, or a kind of proof that the driver does not know;
/// the driver has no kind for it that can be matched.
fn is_about_proof(error: &tokio_postgres::Error) -> bool {
    let cause = StdError::source(error).map(ToString::to_string).unwrap_or_default();
    let text = format!("{error} {cause}");
    !error.is_closed() && ["password", "authentication"].iter().any(|word| text.contains(word))
}

/// What led to it, if that is a `T`.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let next = |error: &&'a (dyn StdError + 'static)| StdError::source(*error);
    std::iter::successors(Some(error), next).find_map(|it| it.downcast_ref())
}

/// Whether the server takes no writes, which the driver asks each server that it connects to.
pub(crate) fn only_reads(error: &tokio_postgres::Error) -> bool {
    cause(error)
        .is_some_and(|it: &std::io::Error| it.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Whether TLS is what failed; the driver has no kind for it that can be matched.
fn is_about_tls(error: &tokio_postgres::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        let handshake = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .is_some_and(<dyn StdError + Send + Sync>::is::<rustls::Error>);
        if handshake || error.is::<rustls::Error>() || error.to_string().contains("TLS") {
            return true;
        }
        cause = error.source();
    }
    false
}

/// No connection could be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoConnection {
    /// Nobody answered, or the answer was no.
    #[error(transparent)]
    Refused(#[from] tokio_postgres::Error),
    /// It took too long.
    #[error(transparent)]
    Late(#[from] auth_store::Elapsed),
    /// All were in use for too long.
    #[error("no connection to PostgreSQL was free within {0:?}: raise `connections`")]
    Busy(Duration),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// Nobody will answer.
#[derive(Debug, thiserror::Error)]
#[error("the runtime ended on which the commit travelled")]
pub(crate) struct AnswerMissing;

/// A row cannot have been written by this crate.
#[derive(Debug, thiserror::Error)]
#[error("the column `{column}` holds what no version of this crate has written")]
pub(crate) struct Unreadable {
    pub(crate) column: &'static str,
    #[source]
    pub(crate) source: Option<Source>,
}

impl From<Unreadable> for StoreError {
    fn from(error: Unreadable) -> Self {
        Self::Damaged(error.into())
    }
}

/// Why a statement gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It was not sent.
    #[error("no connection to PostgreSQL")]
    NotSent(#[source] Source),
    /// The connection ended before it was sent.
    #[error("the connection to PostgreSQL ended")]
    Cut(#[source] Source),
    /// The server refused it.
    #[error("PostgreSQL refused the statement")]
    Refused(#[source] tokio_postgres::Error),
    /// It was sent, and nothing is known beyond that.
    #[error("the answer of PostgreSQL was lost")]
    Lost(#[source] Source),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let ended = error.as_db_error().is_none_or(|answer| {
            // Between the end of a transaction and its answer a server that shuts down may still say
            // that the connection ends.
            !matches!(answer.parsed_severity(), Some(Severity::Error))
        });
        if ended { Self::Lost(error.into()) } else { Self::Refused(error) }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.into())
    }
}

/// What became of a batch whose commit failed.
pub(crate) fn commit_failed(failure: Arc<Failure>, batch: &Batch) -> CommitError {
    match &*failure {
        Failure::NotSent(_) | Failure::Cut(_) => CommitError::Unavailable(failure.into()),
        Failure::Lost(_) => CommitError::Unknown(failure.into()),
        Failure::Refused(error) => match error.code() {
            // Locks are taken in one order; a person at the console may take them in another.
            Some(code)
                if [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE]
                    .contains(code) =>
            {
                CommitError::Conflict(
                    batch.writes().iter().map(|write| write.key().clone()).collect(),
                )
            }
            _ => CommitError::Unavailable(failure.into()),
        },
    }
}
