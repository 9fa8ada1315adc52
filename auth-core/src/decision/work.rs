//! [`Work`]: what a decision needs done besides reading records.

use std::fmt;
use std::sync::Arc;

use auth_store::{Key, Store, Timestamp};
use serde_json::Value;

use crate::clock::{Clock, Entropy};
use crate::directory::{Authentication, Identity, IdentityDirectory};
use crate::documents::{Document, Documents, Fetch};
use crate::hook::{Hook, HookCall};
use crate::http_client::HttpClient;
use crate::id::{KeyId, Subject};
use crate::keys::{Recipient, TokenDecrypter, TokenSigner};
use crate::password::PasswordHasher;
use crate::secret::Secret;

/// Something to be done by a port. Its result is a fact, and two equal pieces of work are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Work {
    /// Sign: gives [`Done::Signature`].
    Sign(Sign),
    /// Verify a password against an encoded hash: gives [`Done::Verified`].
    VerifyPassword {
        /// The hash in PHC form.
        hash: String,
        /// What was presented.
        password: Secret,
    },
    /// Take one place of a bounded counter: gives [`Done::Reserved`]. One request takes at most one
    /// place of a counter.
    Reserve {
        /// The counter; of either class.
        key: Key,
        /// The highest permitted sum.
        below: u64,
        /// When the counter's window ends.
        keep_until: Timestamp,
    },
    /// Ask the directory who this is: gives [`Done::Authentication`].
    Authenticate {
        /// What the person typed.
        identifier: String,
        /// Their password.
        password: Secret,
    },
    /// Ask the directory for an identity: gives [`Done::Identity`].
    Identity(Subject),
    /// Ask a hook of the embedder: gives [`Done::Hook`].
    Hook(HookCall),
    /// Fetch a client's document: gives [`Done::Document`].
    Fetch(Fetch),
    /// Encrypt to a client's key: gives [`Done::Encrypted`].
    Encrypt {
        /// To whom, and how.
        to: Recipient,
        /// What.
        plaintext: Secret,
    },
    /// Decrypt what was encrypted to a key of the tenant's: gives [`Done::Decrypted`].
    Decrypt(Secret),
}

impl Work {
    /// Whether the result of this is that of `other`, too. A decision that runs again at a later time
    /// must not take a second place of a counter, so a reservation is known by its counter alone.
    pub(crate) fn answers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Reserve { key, .. }, Self::Reserve { key: other, .. }) => key == other,
            _ => self == other,
        }
    }
}

/// A text to be signed with a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Sign {
    /// The key.
    pub kid: KeyId,
    /// `base64url(header).base64url(payload)` (RFC 7515 §5.1).
    pub input: String,
}

impl Sign {
    /// Signs `input` with the key `kid`.
    #[must_use]
    pub fn new(kid: KeyId, input: String) -> Self {
        Self { kid, input }
    }
}

/// A raw JWS signature (RFC 7518 §3).
pub type Signature = Arc<[u8]>;

/// The result of [`Work`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Done {
    /// Of [`Work::Sign`].
    Signature(Signature),
    /// Of [`Work::VerifyPassword`].
    Verified(bool),
    /// Of [`Work::Reserve`].
    Reserved(Reservation),
    /// Of [`Work::Authenticate`].
    Authentication(Authentication),
    /// Of [`Work::Identity`].
    Identity(Option<Arc<Identity>>),
    /// Of [`Work::Hook`].
    Hook(Arc<Value>),
    /// Of [`Work::Fetch`].
    Document(Document),
    /// Of [`Work::Encrypt`]: a compact JWE.
    Encrypted(Secret),
    /// Of [`Work::Decrypt`]; `None` if no key opens it.
    Decrypted(Option<Secret>),
}

/// Whether a place of a counter was free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reservation {
    /// Yes; this is the sum now.
    Granted(u64),
    /// No.
    Full,
}

/// What the driver works with: one plain struct of ports, each replaceable.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ports {
    /// Records.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Signatures.
    pub signer: Arc<dyn TokenSigner>,
    /// Accounts and claims.
    pub directory: Arc<dyn IdentityDirectory>,
    /// Password hashing.
    pub passwords: PasswordHasher,
    /// The embedder's hook.
    pub hook: Arc<dyn Hook>,
    /// What clients publish.
    pub documents: Arc<Documents>,
    /// The keys that clients encrypt to, if there are any.
    pub decrypter: Option<Arc<dyn TokenDecrypter>>,
}

impl Ports {
    /// All ports, which fetch and decrypt nothing.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        signer: Arc<dyn TokenSigner>,
        directory: Arc<dyn IdentityDirectory>,
        passwords: PasswordHasher,
        hook: Arc<dyn Hook>,
    ) -> Self {
        let documents = Arc::new(Documents::new(None, clock.clone()));
        let decrypter = None;
        Self { store, clock, entropy, signer, directory, passwords, hook, documents, decrypter }
    }

    /// The same, with documents that are fetched by `http`.
    #[must_use]
    pub fn fetching_by(self, http: Arc<dyn HttpClient>) -> Self {
        let documents = Arc::new(Documents::new(Some(http), self.clock.clone()));
        Self { documents, ..self }
    }

    /// The same, with what decrypts.
    #[must_use]
    pub fn decrypting_by(self, decrypter: Arc<dyn TokenDecrypter>) -> Self {
        Self { decrypter: Some(decrypter), ..self }
    }
}

impl fmt::Display for Work {
    /// The kind of work, for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sign(_) => "sign",
            Self::VerifyPassword { .. } => "verify password",
            Self::Reserve { .. } => "reserve",
            Self::Authenticate { .. } => "authenticate",
            Self::Identity(_) => "identity",
            Self::Hook(_) => "hook",
            Self::Fetch(_) => "fetch",
            Self::Encrypt { .. } => "encrypt",
            Self::Decrypt(_) => "decrypt",
        })
    }
}
