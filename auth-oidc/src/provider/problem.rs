//! [`BuildError`]: everything that keeps a provider from being built.

use std::fmt;

use auth_core::InvalidIssuer;
use auth_core::keys::{InvalidSigningKey, KeysUnusable, SigningAlgorithm};
use auth_core::seal::{DataKeysUnusable, WeakSecret};

use crate::client::ClientError;

/// A provider cannot be built. Every problem is listed, with what mends it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub struct BuildError {
    /// The problems.
    pub problems: Vec<Problem>,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the provider cannot be built:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

/// What is missing or contradictory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A port without a default was not given.
    #[error("no {0} is given: add `{1}`")]
    Missing(&'static str, &'static str),
    /// Not an issuer identifier.
    #[error("the issuer `{issuer}` cannot be used: {reason}")]
    Issuer {
        /// What was given.
        issuer: String,
        /// Why not.
        reason: InvalidIssuer,
    },
    /// http outside of development mode.
    #[error(
        "the issuer `{0}` is not https: use an https URL, or `.development()` for one on loopback"
    )]
    InsecureIssuer(String),
    /// Development mode on another host.
    #[error(
        "development mode is for loopback, but the issuer is `{0}`: remove `.development()` and give \
         `.secrets([…])`"
    )]
    DevelopmentIssuer(String),
    /// The operator's secrets are no secrets.
    #[error("`.secrets([…])`: {0}")]
    Secret(WeakSecret),
    /// An algorithm is used and no key kept for it.
    #[error(
        "{0} is to sign tokens, but no key is kept for it: add it to the algorithms in \
         `.signing_keys(|keys| …)`"
    )]
    NoKeyFor(SigningAlgorithm),
    /// A signing key cannot be read or made.
    #[error(
        "no key for {algorithm}: {reason}; or leave it out by \
         `.signing_keys(|keys| keys.algorithms = vec![SigningAlgorithm::Es256])`"
    )]
    SigningKey {
        /// For which algorithm.
        algorithm: SigningAlgorithm,
        /// Why not.
        reason: InvalidSigningKey,
    },
    /// One key is given for two algorithms, and would have one name for both.
    #[error("one PEM is given for {0} and {1}: give each algorithm a key of its own")]
    SharedKey(SigningAlgorithm, SigningAlgorithm),
    /// Encryption is wanted of a program that was built without it.
    #[error("`.encryption()` needs the feature `jwe` of auth-oidc: switch it on")]
    NoEncryption,
    /// Lifetimes that cannot be kept together.
    #[error("{0}")]
    Lifetime(&'static str),
    /// A client's metadata is not acceptable.
    #[error(transparent)]
    Client(ClientError),
    /// A client may ask for a scope that nobody defined.
    #[error(
        "the client `{client}` has the scope `{scope}`, which is not known: add \
         `.scope(ScopeDefinition::new(\"{scope}\", [\"claim\"]))`"
    )]
    UnknownScope {
        /// The client.
        client: String,
        /// The scope.
        scope: String,
    },
    /// The tenant's data keys cannot be had.
    #[error("the data keys cannot be loaded: {0}")]
    DataKeys(#[source] DataKeysUnusable),
    /// The signing keys cannot be had.
    #[error("the signing keys cannot be loaded: {0}")]
    SigningKeys(#[source] KeysUnusable),
}

impl From<DataKeysUnusable> for BuildError {
    fn from(error: DataKeysUnusable) -> Self {
        Self { problems: vec![Problem::DataKeys(error)] }
    }
}

impl From<KeysUnusable> for BuildError {
    fn from(error: KeysUnusable) -> Self {
        Self { problems: vec![Problem::SigningKeys(error)] }
    }
}

impl From<ClientError> for BuildError {
    fn from(error: ClientError) -> Self {
        Self { problems: vec![Problem::Client(error)] }
    }
}
