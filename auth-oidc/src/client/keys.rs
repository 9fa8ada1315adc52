//! A client's keys, as it registered them or as it publishes them: whose signature it is, and what is encrypted to.

use auth_core::decision::{Done, Facts, Need, Work};
use auth_core::keys::{CompactJws, Encryption, KeyManagement, Recipient};
use auth_core::{Document, DocumentError, Fetch};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use url::Url;

use crate::client::Client;

/// The most keys of a client.
const MAX_KEYS: usize = 20;

/// Where a client's public keys are (RFC 7591 §2): in its metadata, or at an address of its own, where it
/// can change them by itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClientKeys {
    /// `jwks`.
    Registered(JwkSet),
    /// `jwks_uri`; the provider needs an [HTTP client](crate::ProviderBuilder::http_client) for it.
    At(String),
}

impl From<JwkSet> for ClientKeys {
    fn from(jwks: JwkSet) -> Self {
        Self::Registered(jwks)
    }
}

impl From<&str> for ClientKeys {
    fn from(jwks_uri: &str) -> Self {
        Self::At(jwks_uri.to_owned())
    }
}

impl From<String> for ClientKeys {
    fn from(jwks_uri: String) -> Self {
        Self::At(jwks_uri)
    }
}

/// Nothing says that the client signed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotVerified {
    #[error("no registered key of the client verifies it")]
    NoKey,
    #[error("the client's jwks_uri cannot be read: {0}")]
    Unread(DocumentError),
    #[error("what is at the client's jwks_uri is no key set")]
    NoSet,
}

/// The claims of a JWT that one of the client's keys verifies. A key set that lacks the key is read once
/// more: the client may have changed it since (OpenID Connect Core §10.1.1).
pub(crate) fn verify(
    client: &Client,
    jws: &CompactJws<'_>,
    facts: &Facts,
) -> Result<Result<Map<String, Value>, NotVerified>, Need> {
    let Some(jwks_uri) = &client.jwks_uri else {
        let keys = client.jwks.as_ref().map(|jwks| jwks.keys.as_slice()).unwrap_or_default();
        return Ok(by_one_of(named(keys, jws), jws));
    };
    // It was one when it was registered.
    let Ok(url) = Url::parse(jwks_uri) else { return Ok(Err(NotVerified::NoSet)) };
    let published = Fetch::of(url);
    let first = published_keys(document(&published, facts)?);
    let lacks_it = match &first {
        Ok(keys) => jws.header().kid.is_none() || named(keys, jws).next().is_none(),
        // Such as a page that says that the server is being mended.
        Err(NotVerified::NoSet) => true,
        Err(_) => false,
    };
    match first.and_then(|keys| by_one_of(named(&keys, jws), jws)) {
        Err(NotVerified::NoKey | NotVerified::NoSet) if lacks_it => {
            let second = published_keys(document(&published.anew(), facts)?);
            Ok(second.and_then(|keys| by_one_of(named(&keys, jws), jws)))
        }
        verified => Ok(verified),
    }
}

/// Why nothing can be encrypted for a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRecipient {
    #[error("none of the client's keys can be encrypted to by {0}")]
    NoKey(KeyManagement),
    #[error(transparent)]
    Unread(NotVerified),
}

/// The key of the client's to encrypt to. A key set that lacks one is read once more.
pub(crate) fn recipient(
    client: &Client,
    encryption: Encryption,
    facts: &Facts,
) -> Result<Result<Recipient, NoRecipient>, Need> {
    let choose = |keys: &[Jwk]| {
        Recipient::choose(encryption, keys).ok_or(NoRecipient::NoKey(encryption.alg))
    };
    let Some(jwks_uri) = &client.jwks_uri else {
        return Ok(choose(client.jwks.as_ref().map(|jwks| &*jwks.keys).unwrap_or_default()));
    };
    let Ok(url) = Url::parse(jwks_uri) else {
        return Ok(Err(NoRecipient::Unread(NotVerified::NoSet)));
    };
    let published = Fetch::of(url);
    let of = |document: &Document| choose(&published_keys(document).map_err(NoRecipient::Unread)?);
    match of(document(&published, facts)?) {
        Err(NoRecipient::NoKey(_) | NoRecipient::Unread(NotVerified::NoSet)) => {
            Ok(of(document(&published.anew(), facts)?))
        }
        chosen => Ok(chosen),
    }
}

/// A document of the client's.
pub(crate) fn document<'a>(fetch: &Fetch, facts: &'a Facts) -> Result<&'a Document, Need> {
    match facts.done(&Work::Fetch(fetch.clone()))? {
        Done::Document(document) => Ok(document),
        _ => Ok(&Err(DocumentError::NoClient)),
    }
}

/// The keys of a set that can be used: one of another kind is nothing that is wrong with the others
/// (RFC 7517 §5).
fn published_keys(document: &Document) -> Result<Vec<Jwk>, NotVerified> {
    #[derive(Deserialize)]
    struct KeySet {
        #[serde(deserialize_with = "usable")]
        keys: Vec<Jwk>,
    }
    fn usable<'de, D: Deserializer<'de>>(keys: D) -> Result<Vec<Jwk>, D::Error> {
        let keys = Vec::<Value>::deserialize(keys)?;
        let known = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Ok(known.filter(|key| check_key(key).is_ok()).collect())
    }
    let text = document.as_ref().map_err(|error| NotVerified::Unread(error.clone()))?;
    let set = serde_json::from_slice::<KeySet>(text).map_err(|_| NotVerified::NoSet)?;
    Ok(set.keys)
}

/// The keys that the JWT's header names.
fn named<'a>(keys: &'a [Jwk], jws: &CompactJws<'_>) -> impl Iterator<Item = &'a Jwk> {
    let kid = jws.header().kid.clone();
    let fits = move |key: &&Jwk| kid.is_none() || key.common.key_id == kid;
    keys.iter().filter(fits).take(MAX_KEYS)
}

fn by_one_of<'a>(
    mut keys: impl Iterator<Item = &'a Jwk>,
    jws: &CompactJws<'_>,
) -> Result<Map<String, Value>, NotVerified> {
    keys.find_map(|key| jws.verify(key).ok()).ok_or(NotVerified::NoKey)
}

pub(crate) fn check_keys(jwks: &JwkSet) -> Result<(), &'static str> {
    if jwks.keys.is_empty() || jwks.keys.len() > MAX_KEYS {
        return Err("there are 1 to 20 keys");
    }
    jwks.keys.iter().try_for_each(check_key)
}

/// A public key that is long enough (RFC 7518 §3.3, §6), for an algorithm of its own kind.
fn check_key(key: &Jwk) -> Result<(), &'static str> {
    use KeyAlgorithm::{
        ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512, RSA_OAEP, RSA_OAEP_256,
        UNKNOWN_ALGORITHM,
    };
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    let own: &[KeyAlgorithm] = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let (n, e) = (bytes(&rsa.n), bytes(&rsa.e));
            if bits(&n) < 2048 || bits(&e) < 2 || e.last().is_none_or(|last| last % 2 == 0) {
                return Err("an RSA key has 2048 bits or more and an odd exponent over 1");
            }
            &[RS256, RS384, RS512, PS256, PS384, PS512, RSA_OAEP, RSA_OAEP_256]
        }
        AlgorithmParameters::EllipticCurve(ec) => {
            let length = match ec.curve {
                EllipticCurve::P256 => 32,
                EllipticCurve::P384 => 48,
                EllipticCurve::P521 => 66,
                _ => return Err("the curve of an EC key is P-256, P-384 or P-521"),
            };
            if [&ec.x, &ec.y].into_iter().any(|part| bytes(part).len() != length) {
                return Err("the coordinates of an EC key are as long as its curve says");
            }
            &[ES256, ES384]
        }
        AlgorithmParameters::OctetKeyPair(okp) => {
            if bytes(&okp.x).len() != 32 {
                return Err("an OKP key has 32 bytes");
            }
            &[EdDSA]
        }
        _ => return Err("only public EC, RSA and OKP keys are taken"),
    };
    match key.common.key_algorithm {
        // One that is not known here verifies nothing.
        None | Some(UNKNOWN_ALGORITHM) => Ok(()),
        Some(algorithm) if own.contains(&algorithm) => Ok(()),
        Some(_) => Err("the `alg` of a key belongs to another kind of key"),
    }
}

/// The length of a number, in bits.
fn bits(number: &[u8]) -> usize {
    let Some(first) = number.iter().position(|byte| *byte != 0) else { return 0 };
    (number.len() - first) * 8 - number[first].leading_zeros() as usize
}
