//! [`CompactJwe`]: an encrypted token, taken apart (RFC 7516 §3.1, §5.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::EllipticCurveKeyParameters;
use serde_json::Value;

use crate::keys::CompactJws;
use crate::keys::jwe::{ContentEncryption, Encryption, KeyManagement};
use crate::keys::strict_json::parse_object;

/// A compact JWE that nobody has decrypted yet. Nothing in its header is believed but what chooses our key:
/// `jwk`, `jku`, `x5u` and the like are not even read.
#[derive(Debug, Clone)]
pub struct CompactJwe<'a> {
    pub(super) encryption: Encryption,
    pub(super) kid: Option<String>,
    /// The sender's ephemeral key, and what else goes into the derivation (RFC 7518 §4.6.1).
    pub(super) epk: Option<EllipticCurveKeyParameters>,
    pub(super) apu: Vec<u8>,
    pub(super) apv: Vec<u8>,
    /// The header as it was sent, which the tag covers.
    pub(super) aad: &'a str,
    pub(super) encrypted_key: Vec<u8>,
    pub(super) iv: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

impl<'a> CompactJwe<'a> {
    /// Whether a token has the five segments of a JWE.
    #[must_use]
    pub fn is_one(token: &str) -> bool {
        token.bytes().filter(|byte| *byte == b'.').count() == 4
    }

    /// Takes a token apart.
    ///
    /// # Errors
    /// [`JweError`] for anything but five strict base64url segments, with a header that we understand, and an
    /// initialization vector and a tag of full length. Compression and `crit` are refused here, as are
    /// algorithms with passwords, before anything is computed.
    pub fn parse(token: &'a str) -> Result<Self, JweError> {
        if token.len() > CompactJws::MAX_LEN {
            return Err(JweError::TooLong);
        }
        let segments: Vec<&str> = token.splitn(6, '.').collect();
        let [header, encrypted_key, iv, ciphertext, tag] = segments[..] else {
            return Err(JweError::Malformed);
        };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JweError::Malformed);
        let members = parse_object(&decode(header)?).map_err(|_| JweError::Malformed)?;
        if members.contains_key("crit") || members.contains_key("zip") {
            return Err(JweError::Critical);
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(JweError::Malformed),
        };
        let party = |name: &str| text(name)?.map_or(Ok(Vec::new()), decode);
        let alg: KeyManagement =
            text("alg")?.ok_or(JweError::Malformed)?.parse().map_err(|_| JweError::Algorithm)?;
        let enc: ContentEncryption =
            text("enc")?.ok_or(JweError::Malformed)?.parse().map_err(|_| JweError::Algorithm)?;
        let epk = members.get("epk").cloned().map(serde_json::from_value).transpose();
        let jwe = Self {
            encryption: Encryption::new(alg, enc),
            kid: text("kid")?.map(str::to_owned),
            epk: epk.map_err(|_| JweError::Malformed)?,
            apu: party("apu")?,
            apv: party("apv")?,
            aad: header,
            encrypted_key: decode(encrypted_key)?,
            iv: decode(iv)?,
            ciphertext: decode(ciphertext)?,
            tag: decode(tag)?,
        };
        if jwe.iv.len() != enc.iv_len() || jwe.tag.len() != enc.tag_len() {
            return Err(JweError::Malformed);
        }
        Ok(jwe)
    }

    /// By what it says that it is encrypted.
    #[must_use]
    pub fn encryption(&self) -> Encryption {
        self.encryption
    }

    /// The name of the key that it is encrypted to.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}

/// A token cannot be encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JweError {
    /// Over 16 KiB.
    #[error("the token is longer than {} bytes", CompactJws::MAX_LEN)]
    TooLong,
    /// Not five segments of base64url, the first of them a JSON object.
    #[error("the token is not a compact JWE")]
    Malformed,
    /// An extension that must be understood and is not, or compression.
    #[error("the token is compressed, or has a critical extension")]
    Critical,
    /// One that we do not have.
    #[error("the token's encryption is not accepted")]
    Algorithm,
    /// Whatever else is wrong with it: that it was changed, or is for another key. Which of these is nobody's
    /// business.
    #[error("the token cannot be decrypted")]
    Undecipherable,
    /// The key is none that can be encrypted to.
    #[error("the key cannot be encrypted to")]
    Key,
    /// The program was built without it.
    #[error("encryption needs the feature `jwe`: switch it on")]
    Absent,
}
