//! [`PostgresOptions`]: where the database is, and how it is used.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dsn::Dsn;
use crate::error::OpenError;
use crate::schema;
use crate::store::PostgresStore;

/// How to open a [`PostgresStore`].
#[derive(Clone)]
pub struct PostgresOptions {
    pub(crate) dsn: Dsn,
    pub(crate) schema: String,
    pub(crate) commits: usize,
    pub(crate) reads: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) statement_cache: bool,
    pub(crate) migrate: bool,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) insecure_plaintext: bool,
    pub(crate) insecure_volatile: bool,
}

impl PostgresOptions {
    /// The database at `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or at the same in libpq's form of
    /// words.
    ///
    /// Connections to other machines are encrypted, and the server's certificate and name are verified;
    /// `sslmode=require`, `verify-ca` and `verify-full` all mean that, `disable` and `allow` are refused
    /// without [`insecure_plaintext`](Self::insecure_plaintext). `sslrootcert` names the file of
    /// [`root_certificates`](Self::root_certificates).
    ///
    /// # Errors
    /// [`OpenError::InvalidUrl`].
    pub fn from_url(url: &str) -> Result<Self, OpenError> {
        let dsn = Dsn::parse(url)?;
        let root_certificates = dsn.root_certificates.clone().map(PathBuf::from);
        Ok(Self {
            dsn,
            schema: "auth".to_owned(),
            commits: 8,
            reads: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
            statement_cache: true,
            migrate: true,
            root_certificates,
            insecure_plaintext: false,
            insecure_volatile: false,
        })
    }

    /// The schema that holds the tables, made if it is not there: `auth` unless told otherwise. Two
    /// stores in two schemas of one database know nothing of each other.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// How many connections there are at most: for commits, and for reads, which so never wait behind a
    /// commit. 8 and 8 unless told otherwise; at least 1 each. Commits that come while all connections for
    /// them are busy share the next transaction. On a connection four reads are under way at most; what is
    /// beyond that waits in the process.
    #[must_use]
    pub fn connections(mut self, commits: usize, reads: usize) -> Self {
        (self.commits, self.reads) = (commits.max(1), reads.max(1));
        self
    }

    /// How long a connection may take, be it a new one or one that others are using: 5 s unless told
    /// otherwise.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long a statement may take: 5 s unless told otherwise, four fifths of which it may wait for a lock. The
    /// server is told to give up then. If it does not, or a pooler in between does not pass that on, the call is
    /// given up later, by as much as the statements before it on the same connection may take, and the connection
    /// serves no further ones.
    #[must_use]
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = limit;
        self
    }

    /// Whether statements stay prepared on their connection, as they do unless told otherwise. Switch it
    /// off behind PgBouncer in transaction mode or another pooler that hands a connection on.
    #[must_use]
    pub fn statement_cache(mut self, on: bool) -> Self {
        self.statement_cache = on;
        self
    }

    /// Whether tables are made and upgraded on opening, as they are unless told otherwise. Switch it off
    /// where the role of the program may not do that, and run [`migration`](Self::migration) by hand.
    #[must_use]
    pub fn migrate(mut self, on: bool) -> Self {
        self.migrate = on;
        self
    }

    /// A file with the certificates, in PEM, that the server's must be signed by. Without one those of
    /// the public authorities count.
    #[must_use]
    pub fn root_certificates(mut self, file: impl AsRef<Path>) -> Self {
        self.root_certificates = Some(file.as_ref().to_owned());
        self
    }

    /// Permits connections to other machines without encryption: passwords, tokens' digests and personal
    /// data travel in clear.
    #[must_use]
    pub fn insecure_plaintext(mut self) -> Self {
        self.insecure_plaintext = true;
        self
    }

    /// Permits a server with `fsync` or `synchronous_commit` off: what was acknowledged may be gone after
    /// a crash, so that a code is redeemed twice and a revoked token is active again. For tests.
    #[must_use]
    pub fn insecure_volatile_store(mut self) -> Self {
        self.insecure_volatile = true;
        self
    }

    /// The script that leads from version `from` of the tables, 0 for none, to the one that this crate
    /// needs, for those who run it by hand with a role that may. The version that is there stands in
    /// `layout` of the schema, and in [`OpenError::NotMigrated`].
    ///
    /// # Errors
    /// [`OpenError::InvalidSchema`].
    pub fn migration(&self, from: u32) -> Result<String, OpenError> {
        schema::check_name(&self.schema)?;
        Ok(schema::script(&self.schema, from.try_into().unwrap_or(i32::MAX)))
    }

    /// Connects, looks whether the server keeps what the contract promises, and makes or upgrades the
    /// tables. Needs a tokio runtime, on which the connections then live.
    ///
    /// # Errors
    /// [`OpenError`] says what is in the way and what to do.
    pub async fn connect(self) -> Result<PostgresStore, OpenError> {
        PostgresStore::open(self).await
    }
}

impl fmt::Debug for PostgresOptions {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("database", &self.dsn.peer())
            .field("schema", &self.schema)
            .field("connections", &(self.commits, self.reads))
            .finish_non_exhaustive()
    }
}
