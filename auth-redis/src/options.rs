//! [`RedisOptions`]: which server, and what is asked of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::address::Address;
use crate::error::OpenError;
use crate::open;
use crate::store::RedisStore;

/// How to open a [`RedisStore`].
#[derive(Clone)]
pub struct RedisOptions {
    pub(crate) addresses: Vec<Address>,
    pub(crate) namespace: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) insecure_plaintext: bool,
    pub(crate) durability: Durability,
}

/// What a server must be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// An acknowledged record survives a crash.
    Acknowledged,
    /// Records of class Side alone; none is thrown away to make room for another.
    SideOnly,
    /// Everything may be lost.
    Volatile,
}

impl RedisOptions {
    /// The server at `redis://USER:PASSWORD@HOST:PORT/DATABASE`, at the same of `rediss://` (TLS), or at
    /// `unix:///SOCKET?user=USER&pass=PASSWORD&db=DATABASE`.
    ///
    /// If it is a node of a cluster, the whole cluster is used.
    ///
    /// # Errors
    /// [`OpenError::InvalidUrl`].
    pub fn from_url(url: &str) -> Result<Self, OpenError> {
        Self::from_urls([url])
    }

    /// A cluster by several of its nodes, of which one must answer. User and password are the same for
    /// all, and those of the first URL for nodes that are not named.
    ///
    /// # Errors
    /// [`OpenError::InvalidUrl`], [`OpenError::NoUrl`].
    pub fn from_urls<'a>(urls: impl IntoIterator<Item = &'a str>) -> Result<Self, OpenError> {
        let addresses = urls.into_iter().map(Address::parse).collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(OpenError::NoUrl);
        }
        Ok(Self {
            addresses,
            namespace: "auth".to_owned(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            root_certificates: None,
            insecure_plaintext: false,
            durability: Durability::Acknowledged,
        })
    }

    /// What every key of Redis begins with: `auth` unless told otherwise. Two stores in two namespaces of
    /// one server know nothing of each other.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = name.into();
        self
    }

    /// How long a connection may take: 2 s unless told otherwise.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long an answer may take: 5 s unless told otherwise. The outcome of a commit that was not
    /// answered by then is unknown.
    #[must_use]
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.response_timeout = limit;
        self
    }

    /// A file with the certificates, in PEM, that the server's must be signed by. Without one those of
    /// the public authorities count.
    #[must_use]
    pub fn root_certificates(mut self, file: impl AsRef<Path>) -> Self {
        self.root_certificates = Some(file.as_ref().to_owned());
        self
    }

    /// Keeps records of class Side only, and refuses those of class Main: the server needs no
    /// append-only file then, because losing such a record makes nothing good that was used or revoked.
    ///
    /// This is the side of an [`auth_store::Tiered`].
    #[must_use]
    pub fn side_only(mut self) -> Self {
        self.durability = Durability::SideOnly;
        self
    }

    /// Takes the server as it is set: whatever was acknowledged may be lost, and with it the memory that
    /// a code was redeemed or a token revoked. For tests.
    #[must_use]
    pub fn insecure_volatile_store(mut self) -> Self {
        self.durability = Durability::Volatile;
        self
    }

    /// Permits connections to other machines without encryption: passwords, digests of tokens and
    /// personal data travel in clear.
    #[must_use]
    pub fn insecure_plaintext(mut self) -> Self {
        self.insecure_plaintext = true;
        self
    }

    /// Connects, and looks whether the server keeps what a store promises.
    ///
    /// # Errors
    /// [`OpenError`] names the server, what is wrong with it, and what to do.
    pub async fn connect(self) -> Result<RedisStore, OpenError> {
        open::open(self).await
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("addresses", &self.addresses)
            .field("namespace", &self.namespace)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("root_certificates", &self.root_certificates)
            .field("insecure_plaintext", &self.insecure_plaintext)
            .field("durability", &self.durability)
            .finish()
    }
}
