//! Signing keys: what they sign verifies elsewhere, nothing else verifies here, and they rotate.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

mod encryption;
mod rotation;
mod signatures;

use auth_core::Timestamp;
use auth_core::keys::{
    CompactJws, JwsError, PublishedKey, SigningAlgorithm, SigningKey, signing_input,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use openidconnect::JsonWebKey;
use openidconnect::core::{CoreJsonWebKey, CoreJwsSigningAlgorithm};
use serde_json::{Map, Value, json};

const RSA: &str = include_str!("../../fixtures/rsa-2048.pem");
/// The key of RFC 7517 §A.2, whose public half is the example of RFC 7638 §3.1.
const RSA_OF_RFC: &str = include_str!("../../fixtures/rfc7517-a2.pem");
const ES256: SigningAlgorithm = SigningAlgorithm::Es256;
const RS256: SigningAlgorithm = SigningAlgorithm::Rs256;

/// A key for the algorithm; RSA keys cannot be made without the feature for it.
fn key(algorithm: SigningAlgorithm) -> SigningKey {
    match algorithm.is_rsa() {
        true => SigningKey::from_pem(algorithm, &RSA.into()).unwrap(),
        false => SigningKey::generate(algorithm).unwrap(),
    }
}

fn published(key: &SigningKey) -> PublishedKey {
    PublishedKey::new(key.kid().clone(), key.algorithm(), key.jwk().clone(), Timestamp::EPOCH)
}

fn claims() -> Map<String, Value> {
    json!({"sub": "ada", "exp": 1_800_000_000}).as_object().unwrap().clone()
}

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

/// A token with any header and payload that `key` really signs.
fn signed(key: &SigningKey, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", encode(header), encode(payload));
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", encode(signature))
}

fn token(key: &SigningKey) -> String {
    let input = signing_input(&published(key), "JWT", &claims()).unwrap();
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", encode(signature))
}

fn verify(token: &str, jwk: &Jwk) -> Result<Map<String, Value>, JwsError> {
    CompactJws::parse(token)?.verify(jwk)
}

/// Verifies by an implementation that shares no code with ours.
fn verified_elsewhere(token: &str, jwk: &Jwk, algorithm: SigningAlgorithm) -> bool {
    let jwk: CoreJsonWebKey = serde_json::from_value(serde_json::to_value(jwk).unwrap()).unwrap();
    let algorithm = match algorithm {
        SigningAlgorithm::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        SigningAlgorithm::EdDsa => CoreJwsSigningAlgorithm::EdDsa,
        SigningAlgorithm::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        _ => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    };
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    jwk.verify_signature(&algorithm, input.as_bytes(), &signature).is_ok()
}
