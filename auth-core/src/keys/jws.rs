//! [`CompactJws`]: a signed token, taken apart and verified (RFC 7515, RFC 7519, RFC 8725).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::keys::strict_json::parse_object;
use crate::keys::{PublishedKey, SigningAlgorithm};

/// The part of a token that is signed: `base64url(header).base64url(payload)`, with the key's `alg` and
/// `kid` in the header.
///
/// # Errors
/// If JSON cannot hold the payload, which is a mistake of the program.
pub fn signing_input(
    key: &PublishedKey,
    typ: &str,
    payload: &impl Serialize,
) -> Result<String, serde_json::Error> {
    let header = format!(
        r#"{{"alg":"{}","typ":"{typ}","kid":{}}}"#,
        key.algorithm,
        Value::from(key.kid.as_str())
    );
    let payload = serde_json::to_vec(payload)?;
    let mut input = String::with_capacity((header.len() + payload.len()) * 4 / 3 + 4);
    URL_SAFE_NO_PAD.encode_string(header, &mut input);
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut input);
    Ok(input)
}

/// A compact JWS whose signature is not verified yet. Its claims come out of
/// [`CompactJws::verify`] only.
#[derive(Debug, Clone)]
pub struct CompactJws<'a> {
    header: JwsHeader,
    input: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// The members of a header that choose a key. Nothing in it is believed: `jwk`, `jku`, `x5u` and the
/// like are not even read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JwsHeader {
    /// The algorithm.
    pub alg: SigningAlgorithm,
    /// The name of the key.
    pub kid: Option<String>,
    /// The type of the token.
    pub typ: Option<String>,
}

impl<'a> CompactJws<'a> {
    /// The longest token, in bytes.
    pub const MAX_LEN: usize = 16 * 1024;

    /// Takes a token apart.
    ///
    /// # Errors
    /// [`JwsError`] for anything but three strict base64url segments with a header that we understand;
    /// `alg: none`, symmetric algorithms and `crit` are refused here.
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        let Segments { header, input, payload, signature } = Segments::of(token)?;
        let alg = header.alg.parse().map_err(|_| JwsError::Algorithm)?;
        let header = JwsHeader { alg, kid: header.kid, typ: header.typ };
        Ok(Self { header, input, payload, signature })
    }

    /// The header, to choose a key by; it is not authentic yet.
    #[must_use]
    pub fn header(&self) -> &JwsHeader {
        &self.header
    }

    /// A text claim that nobody vouches for, to look up whose keys verify the token.
    #[must_use]
    pub fn unverified_text(&self, claim: &str) -> Option<String> {
        unverified_text(&self.payload, claim)
    }

    /// The claims, if `key` signed them with the algorithm of the header and may do so.
    ///
    /// # Errors
    /// [`JwsError`] if it did not, or the payload is not a strict JSON object.
    pub fn verify(&self, key: &Jwk) -> Result<Map<String, Value>, JwsError> {
        if !permits(key, self.header.alg) {
            return Err(JwsError::Key);
        }
        let (input, signature) = (self.input.as_bytes(), self.signature.as_slice());
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Key);
        let verified = match (&key.algorithm, self.header.alg) {
            (AlgorithmParameters::EllipticCurve(ec), SigningAlgorithm::Es256)
                if ec.curve == EllipticCurve::P256 =>
            {
                let point = [&[4][..], &decode(&ec.x)?, &decode(&ec.y)?].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input, signature)
            }
            (AlgorithmParameters::OctetKeyPair(okp), SigningAlgorithm::EdDsa)
                if okp.curve == EllipticCurve::Ed25519 =>
            {
                UnparsedPublicKey::new(&ED25519, decode(&okp.x)?).verify(input, signature)
            }
            (AlgorithmParameters::RSA(rsa), SigningAlgorithm::Rs256) => {
                RsaPublicKeyComponents { n: decode(&rsa.n)?, e: decode(&rsa.e)? }.verify(
                    &RSA_PKCS1_2048_8192_SHA256,
                    input,
                    signature,
                )
            }
            (AlgorithmParameters::RSA(rsa), SigningAlgorithm::Ps256) => {
                RsaPublicKeyComponents { n: decode(&rsa.n)?, e: decode(&rsa.e)? }.verify(
                    &RSA_PSS_2048_8192_SHA256,
                    input,
                    signature,
                )
            }
            _ => return Err(JwsError::Key),
        };
        verified.map_err(|_| JwsError::Signature)?;
        parse_object(&self.payload).map_err(|_| JwsError::Malformed)
    }
}

/// A compact JWS with a MAC by a secret that both sides know: HS256 (RFC 7518 §3.2). It is a type of its own, so that
/// a public key is never taken for a secret (RFC 8725 §3.1).
#[derive(Debug, Clone)]
pub struct SecretJws<'a> {
    typ: Option<String>,
    input: &'a str,
    payload: Vec<u8>,
    mac: Vec<u8>,
}

impl<'a> SecretJws<'a> {
    /// The shortest secret, in bytes (RFC 7518 §3.2).
    pub const MIN_SECRET: usize = 32;

    /// Takes a token apart.
    ///
    /// # Errors
    /// [`JwsError`] as of [`CompactJws::parse`]; [`JwsError::Algorithm`] for any algorithm but HS256.
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        let Segments { header, input, payload, signature: mac } = Segments::of(token)?;
        match header.alg.as_str() {
            "HS256" => Ok(Self { typ: header.typ, input, payload, mac }),
            _ => Err(JwsError::Algorithm),
        }
    }

    /// The type of the token; it is not authentic yet.
    #[must_use]
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// A text claim that nobody vouches for, to look up whose secret verifies the token.
    #[must_use]
    pub fn unverified_text(&self, claim: &str) -> Option<String> {
        unverified_text(&self.payload, claim)
    }

    /// The claims, if the MAC is by `secret`. Compared in constant time.
    ///
    /// # Errors
    /// [`JwsError`] if it is not, or the secret is too short, or the payload is not a strict JSON object.
    pub fn verify(&self, secret: &[u8]) -> Result<Map<String, Value>, JwsError> {
        if secret.len() < Self::MIN_SECRET {
            return Err(JwsError::Key);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::verify(&key, self.input.as_bytes(), &self.mac).map_err(|_| JwsError::Signature)?;
        parse_object(&self.payload).map_err(|_| JwsError::Malformed)
    }
}

/// The parts of a compact JWS, strictly decoded.
struct Segments<'a> {
    header: RawHeader,
    input: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

struct RawHeader {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
}

impl<'a> Segments<'a> {
    fn of(token: &'a str) -> Result<Self, JwsError> {
        if token.len() > CompactJws::MAX_LEN {
            return Err(JwsError::TooLong);
        }
        let (input, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = input.split_once('.').ok_or(JwsError::Malformed)?;
        let decode = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Malformed);
        let header = parse_object(&decode(header)?).map_err(|_| JwsError::Malformed)?;
        if header.contains_key("crit") || header.contains_key("b64") || header.contains_key("zip") {
            return Err(JwsError::Critical);
        }
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(JwsError::Malformed),
        };
        let alg = text("alg")?.ok_or(JwsError::Malformed)?;
        let header = RawHeader { alg, kid: text("kid")?, typ: text("typ")? };
        Ok(Self { header, input, payload: decode(payload)?, signature: decode(signature)? })
    }
}

fn unverified_text(payload: &[u8], claim: &str) -> Option<String> {
    let claims = parse_object(payload).ok()?;
    claims.get(claim)?.as_str().map(str::to_owned)
}

/// Whether a key says of itself that it is for signatures with `algorithm` (RFC 7517 §4.2, §4.4).
fn permits(key: &Jwk, algorithm: SigningAlgorithm) -> bool {
    let for_signatures =
        key.common.public_key_use.as_ref().is_none_or(|use_| *use_ == PublicKeyUse::Signature);
    let for_algorithm = key.common.key_algorithm.is_none_or(|alg| match algorithm {
        SigningAlgorithm::Es256 => alg == KeyAlgorithm::ES256,
        SigningAlgorithm::EdDsa => alg == KeyAlgorithm::EdDSA,
        SigningAlgorithm::Rs256 => alg == KeyAlgorithm::RS256,
        SigningAlgorithm::Ps256 => alg == KeyAlgorithm::PS256,
    });
    for_signatures && for_algorithm
}

/// A token is not one that we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Over 16 KiB.
    #[error("the token is longer than {} bytes", CompactJws::MAX_LEN)]
    TooLong,
    /// Not three segments of base64url with JSON objects in them.
    #[error("the token is not a compact JWS")]
    Malformed,
    /// An extension that must be understood and is not.
    #[error("the token has a critical extension")]
    Critical,
    /// `none`, a symmetric algorithm, or one that we do not have.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// The key is of another family, or not for signatures.
    #[error("the key is not for the token's algorithm")]
    Key,
    /// Signed by somebody else, or changed.
    #[error("the signature does not verify")]
    Signature,
}
