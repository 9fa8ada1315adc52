//! `id_token_hint`: an id token that we issued, however old (OpenID Connect Core §3.1.2.1,
//! RP-Initiated Logout §2).

use auth_core::Tenant;
use auth_core::decision::{Facts, Need};
use auth_core::keys::{CompactJwe, CompactJws, PublishedKeys};
use serde_json::Value;

use crate::client::encryption::decrypt;
use crate::token::id;

/// What a hint says. It names somebody and never authenticates them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdTokenHint {
    pub(crate) subject: String,
    /// The client that it was issued to.
    pub(crate) client_id: String,
    /// As the client knows it.
    pub(crate) sid: Option<String>,
}

/// A text is not an id token of this provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotOurs;

/// Reads a hint, which the client may have encrypted to us (OpenID Connect Core §3.1.2.1).
pub(crate) fn read(
    hint: &str,
    keys: &PublishedKeys,
    facts: &Facts,
    tenant: &Tenant,
) -> Result<Result<IdTokenHint, NotOurs>, Need> {
    if !CompactJwe::is_one(hint) {
        return Ok(verify(hint, keys, tenant));
    }
    let decrypted = decrypt(hint, facts)?;
    Ok(decrypted.ok_or(NotOurs).and_then(|hint| verify(hint.expose(), keys, tenant)))
}

/// Our signature and issuer; expiry is not looked at.
fn verify(hint: &str, keys: &PublishedKeys, tenant: &Tenant) -> Result<IdTokenHint, NotOurs> {
    let jws = CompactJws::parse(hint).map_err(|_| NotOurs)?;
    let key = jws.header().kid.as_deref().and_then(|kid| keys.find(kid)).ok_or(NotOurs)?;
    // An access token is signed by the same keys and is no id token (RFC 8725 §3.11).
    if jws.header().typ.as_deref() != Some(id::TYP) {
        return Err(NotOurs);
    }
    let claims = jws.verify(&key.jwk).map_err(|_| NotOurs)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(tenant.issuer.as_str()) {
        return Err(NotOurs);
    }
    Ok(IdTokenHint {
        subject: text("sub").ok_or(NotOurs)?.to_owned(),
        client_id: text("aud").ok_or(NotOurs)?.to_owned(),
        sid: text("sid").map(str::to_owned),
    })
}
