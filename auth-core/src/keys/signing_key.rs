//! [`SigningKey`]: a private key in this process, parsed once.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{CommonParameters, Jwk, KeyAlgorithm, PublicKeyUse};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};

use crate::decision::{Signature, Unavailable};
use crate::id::KeyId;
use crate::keys::{SigningAlgorithm, public_key};
use crate::secret::Secret;

/// A private key with the one algorithm that it is used with.
#[derive(Clone)]
pub struct SigningKey {
    algorithm: SigningAlgorithm,
    pair: Arc<Pair>,
    pkcs8: Arc<[u8]>,
    jwk: Jwk,
    kid: KeyId,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// The smallest RSA modulus, in bytes: 2048 bits.
    const MIN_RSA_BYTES: usize = 256;

    /// Makes a new key. RSA keys need the feature `aws-lc` and take between 0.05 and 0.3 seconds.
    ///
    /// # Errors
    /// [`InvalidSigningKey::NoGenerator`] for RSA without that feature.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Self, InvalidSigningKey> {
        let rng = SystemRandom::new();
        let pkcs8 = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng)
                    .map(|document| document.as_ref().to_vec())
                    .map_err(|_| InvalidSigningKey::Unreadable)?
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&rng)
                .map(|document| document.as_ref().to_vec())
                .map_err(|_| InvalidSigningKey::Unreadable)?,
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => generate_rsa()?,
        };
        Self::from_pkcs8(algorithm, &pkcs8)
    }

    /// Reads a key in PKCS#8 DER.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] if it is not a key for `algorithm`, or is too weak.
    pub fn from_pkcs8(
        algorithm: SigningAlgorithm,
        pkcs8: &[u8],
    ) -> Result<Self, InvalidSigningKey> {
        let unreadable = |_| InvalidSigningKey::Unreadable;
        let pair = match algorithm {
            SigningAlgorithm::Es256 => Pair::Ecdsa(
                EcdsaKeyPair::from_pkcs8(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    pkcs8,
                    &SystemRandom::new(),
                )
                .map_err(unreadable)?,
            ),
            SigningAlgorithm::EdDsa => Pair::Ed25519(
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(unreadable)?,
            ),
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(unreadable)?;
                if pair.public().modulus_len() < Self::MIN_RSA_BYTES {
                    return Err(InvalidSigningKey::Weak);
                }
                Pair::Rsa(pair)
            }
        };
        let (parameters, thumbprint) = match &pair {
            Pair::Ecdsa(pair) => public_key::p256(pair.public_key().as_ref()),
            Pair::Ed25519(pair) => public_key::ed25519(pair.public_key().as_ref()),
            Pair::Rsa(pair) => public_key::rsa(pair.public()),
        };
        let kid = KeyId::from(thumbprint);
        let common = CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_algorithm: Some(match algorithm {
                SigningAlgorithm::Es256 => KeyAlgorithm::ES256,
                SigningAlgorithm::EdDsa => KeyAlgorithm::EdDSA,
                SigningAlgorithm::Rs256 => KeyAlgorithm::RS256,
                SigningAlgorithm::Ps256 => KeyAlgorithm::PS256,
            }),
            key_id: Some(kid.to_string()),
            ..CommonParameters::default()
        };
        let jwk = Jwk { common, algorithm: parameters };
        Ok(Self { algorithm, pair: Arc::new(pair), pkcs8: pkcs8.into(), jwk, kid })
    }

    /// Reads a key in PEM: `BEGIN PRIVATE KEY`, which is PKCS#8.
    ///
    /// # Errors
    /// [`InvalidSigningKey`]; a key in another form names the command that converts it.
    pub fn from_pem(algorithm: SigningAlgorithm, pem: &Secret) -> Result<Self, InvalidSigningKey> {
        let body = pem.expose().split_once("-----BEGIN PRIVATE KEY-----");
        let body = body.and_then(|(_, rest)| rest.split_once("-----END PRIVATE KEY-----"));
        let (body, _) = body.ok_or(InvalidSigningKey::NotPkcs8Pem)?;
        let base64: String = body.split_whitespace().collect();
        let pkcs8 = STANDARD.decode(base64).map_err(|_| InvalidSigningKey::NotPkcs8Pem)?;
        Self::from_pkcs8(algorithm, &pkcs8)
    }

    /// Its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Its name: the SHA-256 thumbprint of its public half (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// Its public half with `use`, `alg` and `kid`.
    #[must_use]
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The key in PKCS#8 DER, to be sealed and stored.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The signature of `input` in the form of RFC 7518 §3.
    ///
    /// # Errors
    /// [`Unavailable`] if the system has no randomness.
    pub fn sign(&self, input: &[u8]) -> Result<Signature, Unavailable> {
        let rng = SystemRandom::new();
        match &*self.pair {
            Pair::Ecdsa(pair) => pair
                .sign(&rng, input)
                .map(|s| s.as_ref().into())
                .map_err(|_| crate::NoEntropy.into()),
            Pair::Ed25519(pair) => Ok(pair.sign(input).as_ref().into()),
            Pair::Rsa(pair) => {
                let padding: &dyn ring::signature::RsaEncoding =
                    if self.algorithm == SigningAlgorithm::Ps256 {
                        &RSA_PSS_SHA256
                    } else {
                        &RSA_PKCS1_SHA256
                    };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &rng, input, &mut signature).map_err(|_| crate::NoEntropy)?;
                Ok(signature.into())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm, self.kid)
    }
}

#[cfg(feature = "aws-lc")]
pub(super) fn generate_rsa() -> Result<Vec<u8>, InvalidSigningKey> {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};

    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| InvalidSigningKey::Unreadable)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| InvalidSigningKey::Unreadable)?;
    Ok(der.as_ref().to_vec())
}

#[cfg(not(feature = "aws-lc"))]
fn generate_rsa() -> Result<Vec<u8>, InvalidSigningKey> {
    Err(InvalidSigningKey::NoGenerator)
}

/// A signing key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSigningKey {
    /// Not a private key for the algorithm.
    #[error("this is not a private key for the algorithm")]
    Unreadable,
    /// Not PEM of the form that is read.
    #[error(
        "the key is not PKCS#8 PEM (`BEGIN PRIVATE KEY`): convert it by \
         `openssl pkcs8 -topk8 -nocrypt -in KEY`"
    )]
    NotPkcs8Pem,
    /// An RSA key under 2048 bits.
    #[error("an RSA key has at least 2048 bits")]
    Weak,
    /// RSA keys cannot be made without the feature.
    #[error(
        "RSA keys are made only with the feature `aws-lc`: switch it on, or pass a key made by \
         `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`"
    )]
    NoGenerator,
}
