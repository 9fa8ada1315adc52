//! Encrypted tokens (RFC 7516): those for a client, and those that clients send.
//!
//! What encrypts and decrypts is there with the feature `jwe` only; without it each attempt says so.

#[cfg_attr(not(feature = "jwe"), expect(dead_code, reason = "what reads it is in the feature"))]
mod algorithm;
#[cfg_attr(not(feature = "jwe"), expect(dead_code, reason = "what reads it is in the feature"))]
mod compact;
#[cfg(feature = "jwe")]
mod content;
#[cfg(feature = "jwe")]
mod key_derivation;
#[cfg_attr(not(feature = "jwe"), path = "absent.rs")]
mod suite;

pub use algorithm::{ContentEncryption, Encryption, KeyManagement, UnsupportedEncryption};
pub use compact::{CompactJwe, JweError};
pub use suite::DecryptionKey;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};

use crate::secret::Secret;

/// A public key that something is encrypted to, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recipient {
    encryption: Encryption,
    key: Jwk,
}

impl Recipient {
    /// Whether this program can encrypt at all: whether it was built with the feature `jwe`.
    pub const AVAILABLE: bool = cfg!(feature = "jwe");

    /// The first of `keys` that may be encrypted to by the algorithm (RFC 7517 §4.2, §4.4).
    #[must_use]
    pub fn choose<'a>(
        encryption: Encryption,
        keys: impl IntoIterator<Item = &'a Jwk>,
    ) -> Option<Self> {
        let key = keys.into_iter().find(|key| is_for(key, encryption.alg))?;
        Some(Self { encryption, key: key.clone() })
    }

    /// Encrypts a text: a JWS, which the header says then (RFC 7519 §5.2), or plain JSON.
    ///
    /// # Errors
    /// [`JweError`] if the key cannot be used, or the feature is not there.
    pub fn encrypt(&self, plaintext: &Secret) -> Result<Secret, JweError> {
        suite::encrypt(self.encryption, &self.key, plaintext.expose())
    }
}

fn is_for(key: &Jwk, alg: KeyManagement) -> bool {
    let fits = match (&key.algorithm, alg) {
        (AlgorithmParameters::RSA(_), KeyManagement::RsaOaep256) => true,
        (AlgorithmParameters::EllipticCurve(ec), KeyManagement::EcdhEs) => {
            [EllipticCurve::P256, EllipticCurve::P384, EllipticCurve::P521].contains(&ec.curve)
        }
        _ => false,
    };
    let declared = match (key.common.key_algorithm, alg) {
        (None | Some(KeyAlgorithm::RSA_OAEP_256), KeyManagement::RsaOaep256) => true,
        // The JWK type knows no name of ECDH.
        (None | Some(KeyAlgorithm::UNKNOWN_ALGORITHM), KeyManagement::EcdhEs) => true,
        _ => false,
    };
    let encrypts = |use_: &PublicKeyUse| *use_ == PublicKeyUse::Encryption;
    fits && declared && key.common.public_key_use.as_ref().is_none_or(encrypts)
}
