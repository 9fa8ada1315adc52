//! [`DecryptionKey`] and its counterpart: keys of the content on their way (RFC 7518 §4.3, §4.6).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::agreement::{
    self, ECDH_P256, ECDH_P384, ECDH_P521, ParsedPublicKey, PrivateKey, UnparsedPublicKey, agree,
};
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters,
    EllipticCurveKeyType, Jwk, KeyAlgorithm, PublicKeyUse, RSAKeyParameters,
};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::id::KeyId;
use crate::keys::jwe::content::ContentKey;
use crate::keys::jwe::key_derivation::derive;
use crate::keys::jwe::{CompactJwe, ContentEncryption, Encryption, JweError, KeyManagement};
use crate::keys::public_key;
use crate::keys::signing_key::generate_rsa;
use crate::secret::Secret;

/// A private key that tokens are encrypted to. It is never one that signs (RFC 8725 §3.1).
#[derive(Clone)]
pub struct DecryptionKey {
    alg: KeyManagement,
    private: Arc<Private>,
    pkcs8: Arc<Zeroizing<Vec<u8>>>,
    jwk: Jwk,
    kid: KeyId,
}

enum Private {
    Rsa(OaepPrivateDecryptingKey),
    P256(PrivateKey),
}

impl DecryptionKey {
    /// Makes a new key, of RSA with 2048 bits or on P-256.
    ///
    /// # Errors
    /// [`JweError::Key`] if the system has no randomness.
    pub fn generate(alg: KeyManagement) -> Result<Self, JweError> {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};

        let pkcs8 = match alg {
            KeyManagement::RsaOaep256 => generate_rsa().map_err(|_| JweError::Key)?,
            KeyManagement::EcdhEs => {
                let key = PrivateKey::generate(&ECDH_P256).map_err(|_| JweError::Key)?;
                let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| JweError::Key)?;
                der.as_ref().to_vec()
            }
        };
        Self::from_pkcs8(alg, &pkcs8)
    }

    /// Reads a key in PKCS#8 DER.
    ///
    /// # Errors
    /// [`JweError::Key`] if it is none for `alg`.
    pub(crate) fn from_pkcs8(alg: KeyManagement, pkcs8: &[u8]) -> Result<Self, JweError> {
        let unreadable = |_| JweError::Key;
        let (private, (parameters, thumbprint)) = match alg {
            KeyManagement::RsaOaep256 => {
                let public = ring::rsa::KeyPair::from_pkcs8(pkcs8).map_err(|_| JweError::Key)?;
                let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| JweError::Key)?;
                let key = OaepPrivateDecryptingKey::new(key).map_err(unreadable)?;
                (Private::Rsa(key), public_key::rsa(public.public()))
            }
            KeyManagement::EcdhEs => {
                let key = PrivateKey::from_private_key_der(&ECDH_P256, pkcs8)
                    .map_err(|_| JweError::Key)?;
                let public = key.compute_public_key().map_err(unreadable)?;
                let public = public_key::p256(public.as_ref());
                (Private::P256(key), public)
            }
        };
        let kid = KeyId::from(thumbprint);
        let common = CommonParameters {
            public_key_use: Some(PublicKeyUse::Encryption),
            key_algorithm: (alg == KeyManagement::RsaOaep256).then_some(KeyAlgorithm::RSA_OAEP_256),
            key_id: Some(kid.to_string()),
            ..CommonParameters::default()
        };
        let jwk = Jwk { common, algorithm: parameters };
        let pkcs8 = Arc::new(Zeroizing::new(pkcs8.to_vec()));
        Ok(Self { alg, private: Arc::new(private), pkcs8, jwk, kid })
    }

    /// What it is for.
    #[must_use]
    pub fn alg(&self) -> KeyManagement {
        self.alg
    }

    /// Its name: the SHA-256 thumbprint of its public half (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// Its public half with `use` and `kid`.
    #[must_use]
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// The key in PKCS#8 DER, to be sealed and stored.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// What the token holds.
    ///
    /// # Errors
    /// [`JweError::Undecipherable`] for whatever is wrong with it.
    pub fn decrypt(&self, jwe: &CompactJwe<'_>) -> Result<Zeroizing<Vec<u8>>, JweError> {
        let key = self.content_key(jwe).ok_or(JweError::Undecipherable)?;
        let Encryption { enc, .. } = jwe.encryption;
        let content = ContentKey { enc, key: &key, iv: &jwe.iv, aad: jwe.aad.as_bytes() };
        let opened = content.open(&jwe.ciphertext, &jwe.tag).ok_or(JweError::Undecipherable)?;
        Ok(Zeroizing::new(opened))
    }

    fn content_key(&self, jwe: &CompactJwe<'_>) -> Option<Zeroizing<Vec<u8>>> {
        if jwe.encryption.alg != self.alg {
            return None;
        }
        match &*self.private {
            Private::Rsa(private) => {
                let mut key = Zeroizing::new(vec![0; private.min_output_size()]);
                let encrypted = &jwe.encrypted_key;
                let opened = private.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted, &mut key, None);
                let length = opened.ok()?.len();
                key.truncate(length);
                Some(key)
            }
            Private::P256(private) => {
                let theirs = jwe.epk.as_ref().filter(|epk| epk.curve == EllipticCurve::P256)?;
                // In this mode no key is sent (RFC 7518 §4.6).
                let (algorithm, point) = point(theirs).filter(|_| jwe.encrypted_key.is_empty())?;
                let theirs = UnparsedPublicKey::new(algorithm, point);
                let enc = jwe.encryption.enc;
                let derived = |agreed: &[u8]| Ok(derive(agreed, enc, &jwe.apu, &jwe.apv));
                // A point that is not on the curve is refused here.
                agree(private, theirs, (), derived).ok()
            }
        }
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecryptionKey({} {})", self.alg, self.kid)
    }
}

/// Whether a key is one for this algorithm, and no other than it seems: a point on its curve, or a modulus.
pub(super) fn is_usable(alg: KeyManagement, key: &Jwk) -> bool {
    match (&key.algorithm, alg) {
        (AlgorithmParameters::RSA(rsa), KeyManagement::RsaOaep256) => rsa_key(rsa).is_some(),
        (AlgorithmParameters::EllipticCurve(ec), KeyManagement::EcdhEs) => {
            let parsed = |(algorithm, point)| {
                ParsedPublicKey::try_from(UnparsedPublicKey::new(algorithm, point)).ok()
            };
            point(ec).and_then(parsed).is_some()
        }
        _ => false,
    }
}

/// Encrypts a text to a key that somebody else has the other half of.
pub(super) fn encrypt(
    encryption: Encryption,
    key: &Jwk,
    plaintext: &str,
) -> Result<Secret, JweError> {
    let Encryption { alg, enc } = encryption;
    let mut header = Map::new();
    header.insert("alg".to_owned(), json!(alg));
    header.insert("enc".to_owned(), json!(enc));
    if let Some(kid) = &key.common.key_id {
        header.insert("kid".to_owned(), json!(kid));
    }
    // A JWS in compact form, as opposed to JSON (RFC 7519 §5.2).
    if !plaintext.starts_with('{') {
        header.insert("cty".to_owned(), json!("JWT"));
    }
    let sent = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => to_rsa(enc, rsa),
        AlgorithmParameters::EllipticCurve(ec) => to_curve(enc, ec),
        _ => None,
    };
    let Sent { key, encrypted_key, epk } = sent.ok_or(JweError::Key)?;
    if let Some(epk) = epk {
        header.insert("epk".to_owned(), epk);
    }
    let aad = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
    let iv = random(enc.iv_len()).ok_or(JweError::Key)?;
    let content = ContentKey { enc, key: &key, iv: &iv, aad: aad.as_bytes() };
    let (ciphertext, tag) = content.seal(plaintext.as_bytes()).ok_or(JweError::Key)?;
    let [encrypted_key, iv, ciphertext, tag] =
        [encrypted_key, iv, ciphertext, tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    Ok(Secret::new([aad, encrypted_key, iv, ciphertext, tag].join(".")))
}

/// A key of the content, and what tells it to the recipient.
struct Sent {
    key: Zeroizing<Vec<u8>>,
    encrypted_key: Vec<u8>,
    epk: Option<Value>,
}

fn to_rsa(enc: ContentEncryption, rsa: &RSAKeyParameters) -> Option<Sent> {
    let public = rsa_key(rsa)?;
    let key = Zeroizing::new(random(enc.key_len())?);
    let mut encrypted = vec![0; public.ciphertext_size()];
    public.encrypt(&OAEP_SHA256_MGF1SHA256, &key, &mut encrypted, None).ok()?;
    Some(Sent { key, encrypted_key: encrypted, epk: None })
}

fn rsa_key(rsa: &RSAKeyParameters) -> Option<OaepPublicEncryptingKey> {
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let components = PublicKeyComponents { n: decode(&rsa.n)?, e: decode(&rsa.e)? };
    let public: PublicEncryptingKey = components.try_into().ok()?;
    OaepPublicEncryptingKey::new(public).ok()
}

fn to_curve(enc: ContentEncryption, theirs: &EllipticCurveKeyParameters) -> Option<Sent> {
    let (algorithm, point) = point(theirs)?;
    let ephemeral = PrivateKey::generate(algorithm).ok()?;
    let public = ephemeral.compute_public_key().ok()?;
    let (x, y) = public.as_ref().get(1..)?.split_at(public.as_ref().len() / 2);
    let epk = EllipticCurveKeyParameters {
        key_type: EllipticCurveKeyType::EC,
        curve: theirs.curve.clone(),
        x: URL_SAFE_NO_PAD.encode(x),
        y: URL_SAFE_NO_PAD.encode(y),
    };
    let derived = |agreed: &[u8]| Ok(derive(agreed, enc, b"", b""));
    let key = agree(&ephemeral, UnparsedPublicKey::new(algorithm, point), (), derived).ok()?;
    Some(Sent { key, encrypted_key: Vec::new(), epk: serde_json::to_value(epk).ok() })
}

/// A key's curve, and its point in uncompressed form.
fn point(key: &EllipticCurveKeyParameters) -> Option<(&'static agreement::Algorithm, Vec<u8>)> {
    let algorithm = match key.curve {
        EllipticCurve::P256 => &ECDH_P256,
        EllipticCurve::P384 => &ECDH_P384,
        EllipticCurve::P521 => &ECDH_P521,
        _ => return None,
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    Some((algorithm, [&[4][..], &decode(&key.x)?, &decode(&key.y)?].concat()))
}

fn random(length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::KeyOperations;

    use super::*;
    use crate::keys::Recipient;

    fn pairs() -> impl Iterator<Item = Encryption> {
        let with = |alg| ContentEncryption::ALL.map(|enc| Encryption::new(alg, enc));
        KeyManagement::ALL.into_iter().flat_map(with)
    }

    fn encrypted(encryption: Encryption, to: &DecryptionKey) -> String {
        let recipient = Recipient::choose(encryption, [to.jwk()]).unwrap();
        recipient.encrypt(&Secret::new("a.b.c")).unwrap().expose().to_owned()
    }

    #[test]
    fn what_is_encrypted_to_a_key_is_opened_by_it_alone() {
        for encryption in pairs() {
            let [ours, other] = [(); 2].map(|()| DecryptionKey::generate(encryption.alg).unwrap());
            let stored = DecryptionKey::from_pkcs8(encryption.alg, ours.pkcs8()).unwrap();
            let token = encrypted(encryption, &ours);
            let jwe = CompactJwe::parse(&token).unwrap();
            assert_eq!(jwe.encryption(), encryption);
            assert_eq!(jwe.kid(), Some(ours.kid().as_str()));
            assert_eq!(stored.decrypt(&jwe).unwrap()[..], b"a.b.c"[..]);
            assert_eq!(other.decrypt(&jwe), Err(JweError::Undecipherable));
        }
    }

    #[test]
    fn the_header_says_what_is_inside() {
        let key = DecryptionKey::generate(KeyManagement::EcdhEs).unwrap();
        let recipient = Recipient::choose(pairs().last().unwrap(), [key.jwk()]).unwrap();
        for (text, cty) in [("a.b.c", Some("JWT")), ("{}", None)] {
            let token = recipient.encrypt(&Secret::new(text)).unwrap();
            let header = token.expose().split('.').next().unwrap();
            let header: Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
            assert_eq!(header["cty"].as_str(), cty);
        }
    }

    #[test]
    fn a_change_of_any_byte_gives_one_and_the_same_error_or_none_parsed() {
        for encryption in pairs() {
            let key = DecryptionKey::generate(encryption.alg).unwrap();
            let token = encrypted(encryption, &key);
            for place in 0..token.len() {
                let mut changed = token.clone().into_bytes();
                changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                if let Ok(jwe) = CompactJwe::parse(&changed) {
                    assert_eq!(key.decrypt(&jwe), Err(JweError::Undecipherable), "{changed}");
                }
            }
        }
    }

    #[test]
    fn a_point_off_the_curve_and_a_key_that_is_sent_besides_are_refused() {
        let key = DecryptionKey::generate(KeyManagement::EcdhEs).unwrap();
        let encryption = Encryption::new(KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
        let token = encrypted(encryption, &key);
        let good = CompactJwe::parse(&token).unwrap();
        assert!(key.decrypt(&good).is_ok());
        let mut off = good.clone();
        let epk = off.epk.as_mut().unwrap();
        (epk.x, epk.y) = (epk.y.clone(), epk.x.clone());
        assert_eq!(key.decrypt(&off), Err(JweError::Undecipherable));
        let besides = CompactJwe { encrypted_key: vec![1], ..good.clone() };
        assert_eq!(key.decrypt(&besides), Err(JweError::Undecipherable));
        let without = CompactJwe { epk: None, ..good };
        assert_eq!(key.decrypt(&without), Err(JweError::Undecipherable));
    }

    #[test]
    fn keys_of_other_kinds_and_for_other_uses_are_not_encrypted_to() {
        let key = DecryptionKey::generate(KeyManagement::RsaOaep256).unwrap();
        let oaep = Encryption::new(KeyManagement::RsaOaep256, ContentEncryption::A128Gcm);
        let ecdh = Encryption::new(KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
        assert!(Recipient::choose(oaep, [key.jwk()]).is_some());
        assert!(Recipient::choose(ecdh, [key.jwk()]).is_none());
        let mut signing = key.jwk().clone();
        signing.common.public_key_use = Some(PublicKeyUse::Signature);
        assert!(Recipient::choose(oaep, [&signing]).is_none());
        let mut other = key.jwk().clone();
        other.common.key_algorithm = Some(KeyAlgorithm::RSA_OAEP);
        assert!(Recipient::choose(oaep, [&other]).is_none());
        let mut verifying = key.jwk().clone();
        verifying.common.key_operations = Some(vec![KeyOperations::Verify]);
        assert!(Recipient::choose(oaep, [&verifying]).is_none());
        let mut wrapping = key.jwk().clone();
        wrapping.common.key_operations = Some(vec![KeyOperations::WrapKey]);
        assert!(Recipient::choose(oaep, [&wrapping]).is_some());
        let mut no_modulus = key.jwk().clone();
        let AlgorithmParameters::RSA(rsa) = &mut no_modulus.algorithm else { unreachable!() };
        rsa.n = URL_SAFE_NO_PAD.encode([0xFF; 2048]);
        let chosen = Recipient::choose(oaep, [&no_modulus, key.jwk()]).unwrap();
        assert_eq!(chosen.key, *key.jwk(), "a bad key hides no good one");
    }

    #[test]
    fn a_key_that_says_that_it_is_for_encryption_comes_first() {
        let [signs, encrypts] =
            [(); 2].map(|()| DecryptionKey::generate(KeyManagement::EcdhEs).unwrap());
        let ecdh = Encryption::new(KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
        let mut bare = signs.jwk().clone();
        bare.common.public_key_use = None;
        let chosen = Recipient::choose(ecdh, [&bare, encrypts.jwk()]).unwrap();
        assert_eq!(chosen.key, *encrypts.jwk());
        assert!(Recipient::choose(ecdh, [&bare]).is_some());
        let mut of_another_algorithm = bare.clone();
        of_another_algorithm.common.key_algorithm = Some(KeyAlgorithm::ES256);
        assert!(Recipient::choose(ecdh, [&of_another_algorithm]).is_none());
        // As a client writes it, without a word on its use (RFC 7517 §4.4).
        let mut text = serde_json::to_value(encrypts.jwk()).unwrap();
        text.as_object_mut().unwrap().remove("use");
        text["alg"] = json!("ECDH-ES");
        let by_name: Jwk = serde_json::from_value(text).unwrap();
        let chosen = Recipient::choose(ecdh, [&bare, &by_name]).unwrap();
        assert_eq!(chosen.key, by_name);
        let mut off = encrypts.jwk().clone();
        let AlgorithmParameters::EllipticCurve(ec) = &mut off.algorithm else { unreachable!() };
        (ec.x, ec.y) = (ec.y.clone(), ec.x.clone());
        assert!(Recipient::choose(ecdh, [&off]).is_none());
    }
}
