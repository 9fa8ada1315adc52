//! [`SigningKey`]: a private key in this process, parsed once.

use std::fmt;
use std::sync::Arc;

// By RSA and Ed25519 AWS-LC takes half the time that *ring* takes; by P-256 they are equal.
#[cfg(feature = "aws-lc")]
use aws_lc_rs as faster;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{CommonParameters, Jwk, KeyAlgorithm, PublicKeyUse};
#[cfg(not(feature = "aws-lc"))]
use ring as faster;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use self::faster::signature::{
    Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
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
    /// With the length of a signature in bytes.
    Rsa(RsaKeyPair, usize),
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
                    .map_err(unreadable)?
            }
            SigningAlgorithm::EdDsa => ring::signature::Ed25519KeyPair::generate_pkcs8(&rng)
                .map(|document| document.as_ref().to_vec())
                .map_err(unreadable)?,
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
        // What is a key is for *ring* to say, whichever library signs.
        let (pair, (parameters, thumbprint)) = match algorithm {
            SigningAlgorithm::Es256 => {
                let (form, rng) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
                let pair = EcdsaKeyPair::from_pkcs8(form, pkcs8, &rng).map_err(unreadable)?;
                let public = public_key::p256(pair.public_key().as_ref());
                (Pair::Ecdsa(pair), public)
            }
            SigningAlgorithm::EdDsa => {
                let read = ring::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8);
                let public = public_key::ed25519(read.map_err(unreadable)?.public_key().as_ref());
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8);
                (Pair::Ed25519(pair.map_err(unreadable)?), public)
            }
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
                let read = ring::rsa::KeyPair::from_pkcs8(pkcs8).map_err(unreadable)?;
                if read.public().modulus_len() < Self::MIN_RSA_BYTES {
                    return Err(InvalidSigningKey::Weak);
                }
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(unreadable)?;
                (Pair::Rsa(pair, read.public().modulus_len()), public_key::rsa(read.public()))
            }
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
        match &*self.pair {
            Pair::Ecdsa(pair) => pair
                .sign(&SystemRandom::new(), input)
                .map(|s| s.as_ref().into())
                .map_err(|_| crate::NoEntropy.into()),
            Pair::Ed25519(pair) => Ok(pair.sign(input).as_ref().into()),
            Pair::Rsa(pair, len) => {
                let padding: &dyn RsaEncoding = match self.algorithm {
                    SigningAlgorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; *len];
                let rng = faster::rand::SystemRandom::new();
                pair.sign(padding, &rng, input, &mut signature).map_err(|_| crate::NoEntropy)?;
                Ok(signature.into())
            }
        }
    }
}

fn unreadable<E>(_: E) -> InvalidSigningKey {
    InvalidSigningKey::Unreadable
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

    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(unreadable)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(unreadable)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{CompactJws, JwsError};

    /// Made by `openssl genpkey`, whose form of Ed25519 has no public half, unlike that of *ring*.
    const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIALIs8FTRz6TH2LhqmE8UH9OJalJ3P4GjmKMEyWG4EZM
-----END PRIVATE KEY-----";
    const P256: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCMoG7Mk9G4IBTTw7
JYiyL97HpW4McpB/jkUI1ajZONKhRANCAASURvuCJl3ki9mxNw31SxCaOSFYEJfo
j1Li/70Z3P6joIb+mRZdNAm+cM6DTYr125d7JlTGUj5adxZV9nYPqwxM
-----END PRIVATE KEY-----";

    #[test]
    fn what_a_key_signs_its_public_half_verifies() {
        use SigningAlgorithm::{EdDsa, Es256};
        let pem = |algorithm, pem: &str| SigningKey::from_pem(algorithm, &Secret::new(pem));
        let mut keys = vec![
            pem(EdDsa, ED25519).unwrap(),
            pem(Es256, P256).unwrap(),
            SigningKey::generate(EdDsa).unwrap(),
            SigningKey::generate(Es256).unwrap(),
        ];
        if cfg!(feature = "aws-lc") {
            let rsa = SigningKey::generate(SigningAlgorithm::Rs256).unwrap();
            keys.push(SigningKey::from_pkcs8(SigningAlgorithm::Ps256, rsa.pkcs8()).unwrap());
            keys.push(rsa);
        }
        for key in keys {
            let encode = |bytes: &[u8]| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
            let header = format!(r#"{{"alg":"{}"}}"#, key.algorithm());
            let input = format!("{}.{}", encode(header.as_bytes()), encode(br#"{"sub":"u-1"}"#));
            let signature = key.sign(input.as_bytes()).unwrap();
            let token = format!("{input}.{}", encode(signature.as_ref()));
            let verified = CompactJws::parse(&token).unwrap().verify(key.jwk());
            assert_eq!(verified.unwrap()["sub"], "u-1", "{key:?}");
            let other = SigningKey::generate(key.algorithm());
            let Ok(other) = other else { continue };
            let refused = CompactJws::parse(&token).unwrap().verify(other.jwk());
            assert!(matches!(refused, Err(JwsError::Signature)), "{key:?}");
        }
    }

    #[test]
    fn a_key_of_another_algorithm_is_refused() {
        let pem = Secret::new(P256);
        assert!(SigningKey::from_pem(SigningAlgorithm::Es256, &pem).is_ok());
        for other in [SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
            let refused = SigningKey::from_pem(other, &pem);
            assert!(matches!(refused, Err(InvalidSigningKey::Unreadable)), "{other}");
        }
    }
}
