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
mod revocation;

use auth_core::decision::{Cx, Done, Facts, Need, Sign, Work};
use auth_core::keys::{PublishedKeys, SigningAlgorithm, signing_input};
use auth_core::{KeyId, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Signs claims as a compact JWS with the tenant's active key (RFC 7515 §3.1).
pub(crate) fn sign(
    keys: &PublishedKeys,
    algorithm: SigningAlgorithm,
    typ: &str,
    claims: &Map<String, Value>,
    facts: &Facts,
    cx: &Cx<'_>,
) -> Result<Secret, Need> {
    let key = keys
        .active(algorithm, cx.now)
        .ok_or_else(|| auth_core::decision::Unavailable::NoKey(KeyId::from(algorithm.name())))?;
    let input = signing_input(key, typ, claims);
    let work = Work::Sign(Sign::new(key.kid.clone(), input));
    let Done::Signature(signature) = facts.done(&work)? else {
        return Err(auth_core::decision::Unavailable::Defect("not a signature".into()).into());
    };
    let Work::Sign(Sign { input: mut token, .. }) = work else {
        return Err(auth_core::decision::Unavailable::Defect("not a signature".into()).into());
    };
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(Secret::new(token))
}

/// A token identifier: 48 bits of time, then 80 random ones, so that they sort by when they were made.
pub(crate) fn token_id(cx: &mut Cx<'_>) -> String {
    let mut id: [u8; 16] = cx.rng.bytes();
    id[..6].copy_from_slice(&cx.now.as_millis().to_be_bytes()[2..]);
    URL_SAFE_NO_PAD.encode(id)
}
