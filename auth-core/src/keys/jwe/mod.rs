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

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};

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

    /// One of `keys` that may be encrypted to by the algorithm, and can be: the first that says so, or the first
    /// that says nothing of its use (RFC 7517 §4.2 to §4.4).
    #[must_use]
    pub fn choose<'a>(
        encryption: Encryption,
        keys: impl IntoIterator<Item = &'a Jwk>,
    ) -> Option<Self> {
        let usable = |key: &&Jwk| suite::is_usable(encryption.alg, key);
        let keys: Vec<&Jwk> = keys.into_iter().filter(usable).collect();
        let says = |said: Said| keys.iter().find(|key| said_of(key, encryption.alg) == Some(said));
        let key = says(Said::Encryption).or_else(|| says(Said::Nothing))?;
        Some(Self { encryption, key: (*key).clone() })
    }

    /// Encrypts a text: a JWS, which the header says then (RFC 7519 §5.2), or plain JSON.
    ///
    /// # Errors
    /// [`JweError`] if the key cannot be used, or the feature is not there.
    pub fn encrypt(&self, plaintext: &Secret) -> Result<Secret, JweError> {
        suite::encrypt(self.encryption, &self.key, plaintext.expose())
    }
}

/// What a key says of its use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Encryption,
    Nothing,
}

fn is_p521(key: &Jwk) -> bool {
    matches!(&key.algorithm, AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P521)
}

/// `None` if it says that it is for something else.
fn said_of(key: &Jwk, alg: KeyManagement) -> Option<Said> {
    let common = &key.common;
    let mut said = Said::Nothing;
    match &common.public_key_use {
        None => {}
        Some(PublicKeyUse::Encryption) => said = Said::Encryption,
        Some(_) => return None,
    }
    match (common.key_algorithm, alg) {
        (None, _) => {}
        (Some(KeyAlgorithm::RSA_OAEP_256), KeyManagement::RsaOaep256) => said = Said::Encryption,
        // The type of JWKs knows no name of ECDH, nor of ES512, which is of another curve than those of the rest.
        (Some(KeyAlgorithm::UNKNOWN_ALGORITHM), KeyManagement::EcdhEs)
            if said == Said::Encryption || !is_p521(key) =>
        {
            said = Said::Encryption;
        }
        _ => return None,
    }
    let operations = common.key_operations.as_deref().unwrap_or_default();
    let wanted: &[KeyOperations] = match alg {
        KeyManagement::RsaOaep256 => &[KeyOperations::WrapKey, KeyOperations::Encrypt],
        // Of a public key there are none to name.
        KeyManagement::EcdhEs => &[KeyOperations::DeriveKey, KeyOperations::DeriveBits],
    };
    let permitted = operations.is_empty() || operations.iter().any(|it| wanted.contains(it));
    permitted.then_some(said)
}
