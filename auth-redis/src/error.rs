//! [`OpenError`]: why a store cannot be opened.

use auth_store::Source;

/// A server cannot be used as a store. Nothing was written, and no text of an error holds a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A URL cannot be read.
    #[error(
        "a URL of Redis {what}: write redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS"
    )]
    InvalidUrl {
        /// What is wrong with it.
        what: &'static str,
    },
    /// No URL was given.
    #[error("no server was named: give at least one URL")]
    NoUrl,
    /// The namespace has characters that it may not have.
    #[error(
        "`{name}` cannot be a namespace: take 1 to 64 characters of a-z, A-Z, 0-9, '-', '_' and '.'"
    )]
    InvalidNamespace {
        /// The namespace.
        name: String,
    },
    /// Passwords and records would travel in clear.
    #[error(
        "{address} is another machine and redis:// is not encrypted: use rediss://, or permit it \
         with RedisOptions::insecure_plaintext()"
    )]
    Plaintext {
        /// The server.
        address: String,
    },
    /// No connection came about.
    #[error("{address} cannot be reached: see that Redis runs there and that the port is open")]
    Unreachable {
        /// The server.
        address: String,
        /// What the system says.
        source: Source,
    },
    /// No encrypted connection came about.
    #[error(
        "TLS with {address} failed: see that it listens for TLS on this port and that its \
         certificate names the host; for one of your own authority give \
         RedisOptions::root_certificates(file)"
    )]
    Tls {
        /// The server.
        address: String,
        /// What is wrong.
        source: Source,
    },
    /// The file of root certificates cannot be used.
    #[error("{file} holds no certificates in PEM that could be read")]
    RootCertificates {
        /// The file.
        file: String,
        /// What is wrong.
        source: Source,
    },
    /// The server does not know the user, or the password is wrong or missing.
    #[error("{address} does not let us in: correct the user name and password in the URL")]
    Denied {
        /// The server.
        address: String,
        /// What it says.
        source: Source,
    },
    /// The user may not do what a store must.
    #[error(
        "{address} does not permit {command}: grant the user of the URL {command}, or take another"
    )]
    NotPermitted {
        /// The server.
        address: String,
        /// The command.
        command: &'static str,
        /// What it says.
        source: Source,
    },
    /// The server is too old.
    #[error("{address} is Redis {found}: Redis 7.0 or Valkey 7.2 is needed, or newer")]
    TooOld {
        /// The server.
        address: String,
        /// Its version.
        found: String,
    },
    /// The server is still reading its data.
    #[error("{address} is still loading its data: try again when it is done")]
    Loading {
        /// The server.
        address: String,
    },
    /// The server is a replica.
    #[error("{address} is a replica and takes no writes: give the address of its master")]
    Replica {
        /// The server.
        address: String,
    },
    /// A setting of the server does not keep what a store promises.
    #[error(
        "`{setting}` of {address} is `{found}` and must be `{needed}`, or acknowledged records can \
         be lost: set it by `{remedy}` and in redis.conf; or use this server for records of class \
         Side alone with RedisOptions::side_only() (which needs `maxmemory-policy noeviction`), or, \
         for tests, RedisOptions::insecure_volatile_store()"
    )]
    Setting {
        /// The server.
        address: String,
        /// The name of the setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// The value that it must have.
        needed: &'static str,
        /// The command that sets it.
        remedy: String,
    },
    /// A setting of the server cannot be read, so nobody knows whether records are kept.
    #[error(
        "`{setting}` of {address} cannot be read: grant the user CONFIG GET (`ACL SETUSER … \
         +config|get`); where the provider has taken CONFIG away, use the server for records of \
         class Side alone with RedisOptions::side_only(), or accept the loss of all records with \
         RedisOptions::insecure_volatile_store()"
    )]
    SettingUnreadable {
        /// The server.
        address: String,
        /// The name of the setting.
        setting: &'static str,
        /// What the server says, if it says something.
        #[source]
        source: Option<Source>,
    },
    /// Several servers were named that are not nodes of one cluster.
    #[error(
        "{address} is not a node of a cluster: give one URL for a single server, or start it with \
         `cluster-enabled yes`"
    )]
    NotACluster {
        /// The server.
        address: String,
    },
    /// Some slots of the cluster have no master.
    #[error(
        "{missing} of the 16384 slots of the cluster have no master: look at `{shell} cluster info`"
    )]
    ClusterIncomplete {
        /// How many slots.
        missing: u16,
        /// How to speak to a node.
        shell: String,
    },
    /// The server has no database of that number.
    #[error(
        "{address} has no database {database}: a cluster has none but 0, another server as many as \
         its setting `databases` says"
    )]
    Database {
        /// The server.
        address: String,
        /// The number in the URL.
        database: i64,
    },
    /// The data were written by a version with another layout.
    #[error(
        "the namespace `{namespace}` was written by another version (layout {found}, this version \
         knows {known}): run that version, or take another namespace"
    )]
    OtherLayout {
        /// The namespace.
        namespace: String,
        /// The layout of the data.
        found: String,
        /// The layout that is known here.
        known: &'static str,
    },
    /// The server failed in another way.
    #[error("{address} cannot be used as a store")]
    Failed {
        /// The server.
        address: String,
        /// What it says.
        source: Source,
    },
}
