//! Id tokens (OpenID Connect Core §2, §3.1.3.6).

use auth_core::decision::{Cx, Facts, Need};
use auth_core::keys::{PublishedKeys, SigningAlgorithm};
use auth_core::{Identity, Scopes, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde_json::{Map, Value, json};

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

    fn claims(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Map<String, Value>, Need> {
        let request = ClaimRequest {
            config: self.config,
            client: self.client,
            scope: self.scope,
            identity: Some(self.identity),
            target: ClaimTarget::IdToken,
            of_scopes: self.release == Release::Scopes,
            requested: Some(&self.grant.claims),
        };
        let mut claims = request.claims(facts)?;
        claims.extend(without_reserved(&self.grant.extra.id_token));
        let jti = token_id(cx);
        let sign_in = &self.grant.sign_in;
        let client_id = &self.client.client_id;
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", json!(cx.tenant.issuer.as_str()));
        put("sub", json!(self.config.subject_for(self.client, &sign_in.subject)?));
        put("aud", json!(client_id));
        put("azp", json!(client_id));
        put("iat", json!(cx.now.as_secs()));
        let expires_at = cx.now.saturating_add(self.config.tokens.id_token_lifetime);
        put("exp", json!(expires_at.as_secs()));
        put("jti", json!(jti));
        put("sid", json!(self.config.sid_for(self.client, &sign_in.sid)?));
        put("auth_time", json!(sign_in.auth_time.as_secs()));
        let algorithm = self.algorithm();
        for (name, of) in [("at_hash", self.access_token), ("c_hash", self.code)] {
            if let Some(of) = of {
                put(name, json!(left_half(algorithm, of.expose())));
            }
        }
        if let Some(nonce) = self.nonce {
            put("nonce", json!(nonce));
        }
        if let Some(acr) = &sign_in.acr {
            put("acr", json!(acr));
        }
        if !sign_in.amr.is_empty() {
            put("amr", json!(sign_in.amr));
        }
        Ok(claims)
    }
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
