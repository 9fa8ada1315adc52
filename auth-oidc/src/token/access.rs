//! Access tokens: opaque references and JWTs (RFC 9068).

use std::time::Duration;

use auth_core::decision::{Cx, Facts, Need};
use auth_core::keys::PublishedKeys;
use auth_core::record::{Kind, Tag, TypedKey, Unknown};
use auth_core::seal::{Artefact, Handle, HandleDigest, Lineage};
use auth_core::store::{Main, MainWrite};
use auth_core::{ClientId, GrantId, Identity, Scopes, SessionId, Subject, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::{AccessTokenFormat, ClaimTarget, Client};
use crate::provider::Config;
use crate::token::claims::{ClaimRequest, without_reserved};
use crate::token::grant::{Generations, Grant};
use crate::token::{OutgoingToken, sign, sign_later, token_id};

/// What is stored of an opaque access token: all that introspection says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccessToken {
    pub(crate) client_id: ClientId,
    /// `None` if the client acts for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Subject>,
    pub(crate) scope: Scopes,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) audience: Vec<String>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// Claims of mappers, hook and consent.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) claims: Map<String, Value>,
    pub(crate) generations: Generations,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) revoked: bool,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl AccessToken {
    pub(crate) fn at(digest: &HandleDigest) -> TypedKey<Self> {
        Self::key(&[digest.as_bytes()])
    }
}

impl Kind for AccessToken {
    type Class = Main;
    const NAME: &'static str = "access_token";

    fn keep_until(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// Marks a JWT access token as revoked, until it would have expired.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RevokedToken {
    pub(crate) expires_at: Timestamp,
}

impl RevokedToken {
    pub(crate) fn at(jti: &str) -> TypedKey<Self> {
        Self::key(&[jti.as_bytes()])
    }
}

impl Kind for RevokedToken {
    type Class = Main;
    const NAME: &'static str = "revoked_token";

    fn keep_until(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// The type of a JWT access token (RFC 9068 §2.1).
pub(crate) const TYP: &str = "at+jwt";

/// An access token on its way to the client, with what must be committed first.
pub(crate) struct Issued {
    pub(crate) token: OutgoingToken,
    pub(crate) expires_in: Duration,
    /// `None` for a JWT, of which nothing is stored.
    pub(crate) write: Option<MainWrite>,
}

/// What an access token is issued for.
pub(crate) struct AccessRequest<'a> {
    pub(crate) config: &'a Config,
    pub(crate) keys: &'a PublishedKeys,
    pub(crate) client: &'a Client,
    /// The grant, and who granted it; `None` if the client acts for itself.
    pub(crate) granted: Option<(GrantId, &'a Grant, &'a Identity)>,
    pub(crate) scope: &'a Scopes,
    pub(crate) audience: &'a [String],
    pub(crate) generations: Generations,
    /// Whether its text is needed before all is decided: for the digest in an id token that comes with it, or
    /// for a redirect.
    pub(crate) at_once: bool,
}

impl AccessRequest<'_> {
    pub(crate) fn issue(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Issued, Need> {
        let request = ClaimRequest {
            config: self.config,
            client: self.client,
            scope: self.scope,
            identity: self.granted.map(|(_, _, identity)| identity),
            target: ClaimTarget::AccessToken,
            of_scopes: false,
            requested: None,
        };
        let mut audience = self.audience.to_vec();
        for added in request.audience() {
            if !audience.contains(&added) {
                audience.push(added);
            }
        }
        let mut claims = request.claims(facts)?;
        if let Some((_, grant, _)) = self.granted {
            claims.extend(without_reserved(&grant.extra.access_token));
        }
        let expires_in =
            self.client.access_token_lifetime(self.config.tokens.access_token_lifetime);
        match self.client.format(&self.config.tokens) {
            AccessTokenFormat::Opaque => Ok(self.opaque(audience, claims, expires_in, cx)),
            AccessTokenFormat::Jwt => self.jwt(audience, claims, expires_in, facts, cx),
        }
    }

    fn opaque(
        &self,
        audience: Vec<String>,
        claims: Map<String, Value>,
        expires_in: Duration,
        cx: &mut Cx<'_>,
    ) -> Issued {
        let lineage = lineage(
            cx,
            &self.client.client_id,
            self.granted.map(|(id, grant, _)| (id, grant.session(), &grant.sign_in.subject)),
        );
        let tenant = cx.tenant;
        let artefact = Artefact::AccessToken;
        let (token, handle) =
            Handle::mint(&tenant.keys, &mut cx.rng, artefact, tenant.id, cx.now, lineage);
        let record = AccessToken {
            client_id: self.client.client_id.clone(),
            subject: self.granted.map(|(_, grant, _)| grant.sign_in.subject.clone()),
            scope: self.scope.clone(),
            audience,
            issued_at: cx.now,
            expires_at: cx.now.saturating_add(expires_in),
            claims,
            generations: self.generations,
            revoked: false,
            unknown: Unknown::default(),
        };
        let write = AccessToken::at(&handle.digest).create(&record);
        Issued { token: OutgoingToken::Whole(token), expires_in, write: Some(write) }
    }

    /// RFC 9068 §2.2. Besides its claims the token names its grant (`gid`), session (`sid`) and the
    /// generations it was issued in, so that introspection shows a revocation at once.
    fn jwt(
        &self,
        audience: Vec<String>,
        others: Map<String, Value>,
        expires_in: Duration,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Issued, Need> {
        let issuer = cx.tenant.issuer.as_str();
        let client_id = &self.client.client_id;
        let sign_in = self.granted.map(|(_, grant, _)| &grant.sign_in);
        let Generations { client, subject, consent } = self.generations;
        let claims = JwtClaims {
            iss: issuer,
            aud: match audience.as_slice() {
                [] => Audience::One(issuer),
                [one] => Audience::One(one),
                many => Audience::Many(many),
            },
            client_id,
            sub: sign_in.map_or(client_id.as_str(), |sign_in| sign_in.subject.as_str()),
            iat: cx.now.as_secs(),
            exp: cx.now.saturating_add(expires_in).as_secs(),
            jti: token_id(cx),
            scope: self.scope,
            generations: [client, subject, consent],
            gid: self.granted.map(|(id, ..)| id),
            sid: sign_in.map(|sign_in| sign_in.sid),
            auth_time: sign_in.map(|sign_in| sign_in.auth_time.as_secs()),
            acr: sign_in.and_then(|sign_in| sign_in.acr.as_deref()),
            others,
        };
        let algorithm = self.config.tokens.signing_algorithm;
        let token = match self.at_once {
            true => OutgoingToken::Whole(sign(self.keys, algorithm, TYP, &claims, facts, cx)?),
            false => sign_later(self.keys, algorithm, TYP, &claims, cx)?,
        };
        Ok(Issued { token, expires_in, write: None })
    }
}

/// RFC 9068 §2.2, and what is ours.
#[derive(Serialize)]
struct JwtClaims<'a> {
    iss: &'a str,
    aud: Audience<'a>,
    client_id: &'a ClientId,
    sub: &'a str,
    iat: u64,
    exp: u64,
    jti: String,
    scope: &'a Scopes,
    #[serde(rename = "gen")]
    generations: [u64; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<GrantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    /// None of the names above.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// RFC 7519 §4.1.3.
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Many(&'a [String]),
}

/// What a value of this client, grant, session and subject descends from.
pub(crate) fn lineage(
    cx: &Cx<'_>,
    client: &ClientId,
    granted: Option<(GrantId, Option<SessionId>, &Subject)>,
) -> Lineage {
    let mut lineage = Lineage::default();
    lineage.client = Some(Tag::client(cx.tenant.id, client.as_str()));
    if let Some((grant, session, subject)) = granted {
        lineage.grant = Some(grant);
        lineage.session = session;
        lineage.subject = Some(Tag::subject(cx.tenant.id, subject.as_str()));
    }
    lineage
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two members of one name would leave it to the reader which one counts.
    #[test]
    fn nobody_else_sets_a_claim_of_an_access_token() {
        let (client, scope) = (ClientId::from("app"), Scopes::parse("openid").unwrap());
        let claims = JwtClaims {
            iss: "",
            aud: Audience::One(""),
            client_id: &client,
            sub: "u-1",
            iat: 0,
            exp: 0,
            jti: String::new(),
            scope: &scope,
            generations: [0; 3],
            gid: Some(GrantId::from_bytes([1; 16])),
            sid: Some(SessionId::from_bytes([1; 16])),
            auth_time: Some(0),
            acr: Some("1"),
            others: Map::new(),
        };
        let Value::Object(claims) = serde_json::to_value(claims).unwrap() else { panic!("a map") };
        assert_eq!(claims.len(), 13);
        assert_eq!(without_reserved(&claims), Map::new());
    }
}
