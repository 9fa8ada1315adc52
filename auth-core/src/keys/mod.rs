//! Keys: algorithms, JWS, JWE, rotation, and the ports for keys that live elsewhere.

mod algorithm;
mod decryption;
mod jwe;
mod jws;
mod local;
mod public_key;
mod rotation;
mod signing_key;
mod strict_json;

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use auth_store::{TenantId, Timestamp};
use bytes::Bytes;
use jsonwebtoken::jwk::{Jwk, JwkSet};

pub use algorithm::SigningAlgorithm;
pub use jwe::{
    CompactJwe, ContentEncryption, DecryptionKey, Encryption, JweError, KeyManagement, Recipient,
    UnsupportedEncryption,
};
pub use jws::{CompactJws, JwsError, JwsHeader, SecretJws, signing_input};
pub use local::{KeysUnusable, LocalKeys};
pub use rotation::KeyPolicy;
pub use signing_key::{InvalidSigningKey, SigningKey};
pub use strict_json::{NotStrict, parse_object};

use crate::decision::{Signature, Unavailable};
use crate::id::KeyId;
use crate::secret::Secret;
use crate::tenant::Tenant;

/// Makes signatures. Implement it over a KMS to keep private keys out of the process.
#[async_trait]
pub trait TokenSigner: Send + Sync + fmt::Debug + 'static {
    /// The signature of `input` by the key `kid`, in the form of RFC 7518 §3.
    ///
    /// # Errors
    /// [`Unavailable::NoKey`] if there is no such key, [`Unavailable::Port`] if it cannot be used.
    async fn sign(
        &self,
        tenant: TenantId,
        kid: &KeyId,
        input: &[u8],
    ) -> Result<Signature, Unavailable>;
}

/// Decrypts what clients encrypted to the tenant's keys.
#[async_trait]
pub trait TokenDecrypter: Send + Sync + fmt::Debug + 'static {
    /// What the token holds; `None` if none of the keys opens it, for whatever reason.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be told.
    async fn decrypt(
        &self,
        tenant: TenantId,
        jwe: &CompactJwe<'_>,
    ) -> Result<Option<Secret>, Unavailable>;
}

/// Says which keys a tenant has: the published ones, and since when each may sign.
#[async_trait]
pub trait KeySource: Send + Sync + fmt::Debug + 'static {
    /// The keys at `now`. Called for every request, so it answers from memory nearly always.
    ///
    /// # Errors
    /// [`Unavailable`] if they cannot be had.
    async fn keys(
        &self,
        tenant: &Tenant,
        now: Timestamp,
    ) -> Result<Arc<PublishedKeys>, Unavailable>;
}

/// The keys of a tenant, without their private parts.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PublishedKeys {
    keys: Vec<PublishedKey>,
    /// Those that are encrypted to, which verify nothing.
    encryption: Vec<Jwk>,
    /// Written once, since it is asked for again and again.
    document: OnceLock<Bytes>,
}

/// One published key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PublishedKey {
    /// Its name.
    pub kid: KeyId,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// Its public half, as it stands in the JWK set.
    pub jwk: Jwk,
    /// From when on it signs. It is published before that, so that verifiers know it in time.
    pub active_from: Timestamp,
}

impl PublishedKeys {
    /// The set of these keys, the newest last.
    #[must_use]
    pub fn new(keys: Vec<PublishedKey>) -> Self {
        Self { keys, encryption: Vec::new(), document: OnceLock::new() }
    }

    /// With these keys to be encrypted to (`use` is `enc`, RFC 7517 §4.2).
    #[must_use]
    pub fn encrypted_to(self, encryption: Vec<Jwk>) -> Self {
        Self { encryption, document: OnceLock::new(), ..self }
    }

    /// Every key that is published, the newest last.
    #[must_use]
    pub fn keys(&self) -> &[PublishedKey] {
        &self.keys
    }

    /// The key that signs with `algorithm` at `now`: the newest that is active.
    #[must_use]
    pub fn active(&self, algorithm: SigningAlgorithm, now: Timestamp) -> Option<&PublishedKey> {
        self.keys
            .iter()
            .filter(|key| key.algorithm == algorithm && key.active_from <= now)
            .max_by_key(|key| key.active_from)
    }

    /// The key named `kid`.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&PublishedKey> {
        self.keys.iter().find(|key| key.kid.as_str() == kid)
    }

    /// The algorithms for which there is a key, each once.
    #[must_use]
    pub fn algorithms(&self) -> Vec<SigningAlgorithm> {
        let mut algorithms: Vec<_> = self.keys.iter().map(|key| key.algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        algorithms
    }

    /// The JWK set to publish (RFC 7517 §5).
    #[must_use]
    pub fn jwk_set(&self) -> JwkSet {
        let signing = self.keys.iter().map(|key| &key.jwk);
        JwkSet { keys: signing.chain(&self.encryption).cloned().collect() }
    }

    /// The JWK set as JSON.
    #[must_use]
    pub fn jwk_set_json(&self) -> Bytes {
        // A JWK set is made of texts, for which serialisation cannot fail.
        let write = || serde_json::to_vec(&self.jwk_set()).unwrap_or_default().into();
        self.document.get_or_init(write).clone()
    }
}

impl PublishedKey {
    /// A published key.
    #[must_use]
    pub fn new(kid: KeyId, algorithm: SigningAlgorithm, jwk: Jwk, active_from: Timestamp) -> Self {
        Self { kid, algorithm, jwk, active_from }
    }
}
