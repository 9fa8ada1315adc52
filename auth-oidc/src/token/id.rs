//! Id tokens (OpenID Connect Core §2, §3.1.3.6).

use std::borrow::Cow;

use auth_core::decision::{Cx, Facts, Need};
use auth_core::keys::{PublishedKeys, SigningAlgorithm};
use auth_core::{ClientId, Identity, Scopes, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::client::encryption::encrypt;
use crate::client::{ClaimTarget, Client};
use crate::provider::Config;
use crate::token::claims::{ClaimRequest, without_reserved};
use crate::token::grant::Grant;
use crate::token::{OutgoingToken, sign, sign_later, token_id};

/// The type of an id token.
pub(crate) const TYP: &str = "JWT";

/// What an id token is issued for.
pub(crate) struct IdTokenRequest<'a> {
    pub(crate) config: &'a Config,
    pub(crate) keys: &'a PublishedKeys,
    pub(crate) client: &'a Client,
    pub(crate) grant: &'a Grant,
    /// At most the grant's.
    pub(crate) scope: &'a Scopes,
    pub(crate) identity: &'a Identity,
    /// Of the authorization request; a refreshed id token has none (OpenID Connect Core §12.2).
    pub(crate) nonce: Option<&'a str>,
    /// The access token that comes with it, for `at_hash`.
    pub(crate) access_token: Option<&'a Secret>,
    /// The code that comes with it, for `c_hash` (OpenID Connect Core §3.3.2.11).
    pub(crate) code: Option<&'a Secret>,
    pub(crate) release: Release,
}

/// What an id token says of the person, beside what mappers and hook add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// Nothing: the userinfo endpoint does.
    Nothing,
    /// The claims of the granted scopes.
    Scopes,
}

impl IdTokenRequest<'_> {
    /// Signed when all is decided, unless it is encrypted then.
    pub(crate) fn issue(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<OutgoingToken, Need> {
        if self.client.id_token_encryption().is_some() {
            return self.issue_at_once(facts, cx).map(OutgoingToken::Whole);
        }
        let claims = self.claims(facts, cx)?;
        sign_later(self.keys, self.algorithm(), TYP, &claims, cx)
    }

    /// Signed at once, for a redirect, and encrypted if the client wants that.
    pub(crate) fn issue_at_once(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Secret, Need> {
        let claims = self.claims(facts, cx)?;
        let signed = sign(self.keys, self.algorithm(), TYP, &claims, facts, cx)?;
        match self.client.id_token_encryption() {
            None => Ok(signed),
            Some(encryption) => encrypt(self.client, encryption, signed, facts),
        }
    }

    fn algorithm(&self) -> SigningAlgorithm {
        let registered = self.client.id_token_signed_response_alg;
        registered.unwrap_or(self.config.tokens.signing_algorithm)
    }

    fn claims(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<IdTokenClaims<'_>, Need> {
        let request = ClaimRequest {
            config: self.config,
            client: self.client,
            scope: self.scope,
            identity: Some(self.identity),
            target: ClaimTarget::IdToken,
            of_scopes: self.release == Release::Scopes,
            requested: Some(&self.grant.claims),
        };
        let mut others = request.claims(facts)?;
        others.extend(without_reserved(&self.grant.extra.id_token));
        let sign_in = &self.grant.sign_in;
        let expires_at = cx.now.saturating_add(self.config.tokens.id_token_lifetime);
        let hash = |of: Option<&Secret>| of.map(|of| left_half(self.algorithm(), of.expose()));
        Ok(IdTokenClaims {
            iss: cx.tenant.issuer.as_str().to_owned(),
            sub: self.config.subject_for(self.client, &sign_in.subject)?,
            aud: &self.client.client_id,
            azp: &self.client.client_id,
            iat: cx.now.as_secs(),
            exp: expires_at.as_secs(),
            jti: token_id(cx),
            sid: self.config.sid_for(self.client, &sign_in.sid)?,
            auth_time: sign_in.auth_time.as_secs(),
            at_hash: hash(self.access_token),
            c_hash: hash(self.code),
            nonce: self.nonce,
            acr: sign_in.acr.as_deref(),
            amr: &sign_in.amr,
            others,
        })
    }
}

/// OpenID Connect Core §2, §3.3.2.11.
#[derive(Serialize)]
struct IdTokenClaims<'a> {
    iss: String,
    sub: Cow<'a, str>,
    aud: &'a ClientId,
    azp: &'a ClientId,
    iat: u64,
    exp: u64,
    jti: String,
    sid: Cow<'a, str>,
    auth_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    c_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    amr: &'a [String],
    /// None of the names above.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// The left half of a token's or code's hash, by the hash of the id token's algorithm (OpenID Connect Core
/// §3.1.3.6): SHA-256, or SHA-512 for Ed25519 (RFC 8032 §5.1).
fn left_half(algorithm: SigningAlgorithm, token: &str) -> String {
    let hash = match algorithm {
        SigningAlgorithm::EdDsa => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let hash = digest::digest(hash, token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two members of one name would leave it to the reader which one counts.
    #[test]
    fn nobody_else_sets_a_claim_of_an_id_token() {
        let (client, amr) = (ClientId::from("app"), ["pwd".to_owned()]);
        let claims = IdTokenClaims {
            iss: String::new(),
            sub: "u-1".into(),
            aud: &client,
            azp: &client,
            iat: 0,
            exp: 0,
            jti: String::new(),
            sid: "s-1".into(),
            auth_time: 0,
            at_hash: Some(String::new()),
            c_hash: Some(String::new()),
            nonce: Some("n"),
            acr: Some("1"),
            amr: &amr,
            others: Map::new(),
        };
        let Value::Object(claims) = serde_json::to_value(claims).unwrap() else { panic!("a map") };
        assert_eq!(claims.len(), 14);
        assert_eq!(without_reserved(&claims), Map::new());
    }
}
