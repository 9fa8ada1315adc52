//! What the token endpoint issues and the other endpoints look at.

pub(crate) mod access;
pub(crate) mod claims;
pub(crate) mod code;
pub(crate) mod consent;
pub(crate) mod grant;
pub(crate) mod id;
pub(crate) mod liveness;
pub(crate) mod presented;
pub(crate) mod refresh;
pub(crate) mod requested_claims;
mod revocation;

use auth_core::decision::{Cx, DeferredSignature, Done, Facts, Need, Sign, Unavailable, Work};
use auth_core::keys::{PublishedKeys, SigningAlgorithm, signing_input};
use auth_core::{KeyId, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};

/// A token on its way to the client.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum OutgoingToken {
    /// Of which it was known at once what it is.
    Whole(#[serde(serialize_with = "expose")] Secret),
    /// A JWT that is signed when all is decided.
    SignedLater(DeferredSignature),
}

impl OutgoingToken {
    /// Its text; `None` before it is signed.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Whole(token) => Some(token.expose().to_owned()),
            Self::SignedLater(token) => token.text(),
        }
    }
}

fn expose<S: Serializer>(token: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose())
}

/// Signs claims as a compact JWS with the tenant's active key (RFC 7515 §3.1), at once: the decision is run
/// again with the signature.
pub(crate) fn sign(
    keys: &PublishedKeys,
    algorithm: SigningAlgorithm,
    typ: &str,
    claims: &impl Serialize,
    facts: &Facts,
    cx: &Cx<'_>,
) -> Result<Secret, Need> {
    let work = Work::Sign(to_sign(keys, algorithm, typ, claims, cx)?);
    let Done::Signature(signature) = facts.done(&work)? else {
        return Err(Unavailable::Defect("not a signature".into()).into());
    };
    let Work::Sign(Sign { input: mut token, .. }) = work else {
        return Err(Unavailable::Defect("not a signature".into()).into());
    };
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(Secret::new(token))
}

/// The same for a JWS that nothing else depends on.
pub(crate) fn sign_later(
    keys: &PublishedKeys,
    algorithm: SigningAlgorithm,
    typ: &str,
    claims: &impl Serialize,
    cx: &mut Cx<'_>,
) -> Result<OutgoingToken, Need> {
    let sign = to_sign(keys, algorithm, typ, claims, cx)?;
    Ok(OutgoingToken::SignedLater(cx.sign_later(sign)))
}

fn to_sign(
    keys: &PublishedKeys,
    algorithm: SigningAlgorithm,
    typ: &str,
    claims: &impl Serialize,
    cx: &Cx<'_>,
) -> Result<Sign, Unavailable> {
    let key = keys
        .active(algorithm, cx.now)
        .ok_or_else(|| Unavailable::NoKey(KeyId::from(algorithm.name())))?;
    let input = signing_input(key, typ, claims);
    Ok(Sign::new(key.kid.clone(), input.map_err(|error| Unavailable::Defect(error.into()))?))
}

/// A token identifier: 48 bits of time, then 80 random ones, so that they sort by when they were made.
pub(crate) fn token_id(cx: &mut Cx<'_>) -> String {
    let mut id: [u8; 16] = cx.rng.bytes();
    id[..6].copy_from_slice(&cx.now.as_millis().to_be_bytes()[2..]);
    URL_SAFE_NO_PAD.encode(id)
}
