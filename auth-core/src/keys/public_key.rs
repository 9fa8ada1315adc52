//! Public keys as JWKs, with the thumbprints that name them: of the required members in order of their names
//! (RFC 7638 §3).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType,
    OctetKeyPairParameters, OctetKeyPairType, RSAKeyParameters, RSAKeyType,
};
use ring::digest;
use ring::rsa::{PublicKey, PublicKeyComponents};

/// A point of P-256 in uncompressed form: 0x04 ‖ x ‖ y.
pub(super) fn p256(point: &[u8]) -> (AlgorithmParameters, String) {
    let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
    let (x, y) = (encode(x), encode(y));
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let (key_type, curve) = (EllipticCurveKeyType::EC, EllipticCurve::P256);
    let parameters = EllipticCurveKeyParameters { key_type, curve, x, y };
    (AlgorithmParameters::EllipticCurve(parameters), thumbprint(&canonical))
}

pub(super) fn ed25519(public: &[u8]) -> (AlgorithmParameters, String) {
    let x = encode(public);
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    let (key_type, curve) = (OctetKeyPairType::OctetKeyPair, EllipticCurve::Ed25519);
    let parameters = OctetKeyPairParameters { key_type, curve, x };
    (AlgorithmParameters::OctetKeyPair(parameters), thumbprint(&canonical))
}

pub(super) fn rsa(public: &PublicKey) -> (AlgorithmParameters, String) {
    let public = PublicKeyComponents::<Vec<u8>>::from(public);
    let (n, e) = (encode(&public.n), encode(&public.e));
    let canonical = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    let parameters = RSAKeyParameters { key_type: RSAKeyType::RSA, n, e };
    (AlgorithmParameters::RSA(parameters), thumbprint(&canonical))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn thumbprint(canonical: &str) -> String {
    encode(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
}
