//! [`PresentedAccess`]: an access token that somebody shows us, of either form.

use auth_core::decision::{Asks, Facts, Need};
use auth_core::keys::{CompactJws, PublishedKeys};
use auth_core::record::Tag;
use auth_core::seal::{Artefact, Handle, Lineage};
use auth_core::{ClientId, GrantId, Scopes, SessionId, Subject, Tenant, Timestamp};
use serde_json::{Map, Value};

use crate::provider::Config;
use crate::token::access::{self, AccessToken, RevokedToken};
use crate::token::grant::Generations;
use crate::token::liveness;
use crate::token::refresh::RefreshFamily;
use crate::token::requested_claims::RequestedClaims;

/// An access token that is ours by its form; whether it is good takes the store.
#[derive(Debug, Clone)]
pub(crate) enum PresentedAccess {
    Opaque(Handle),
    Jwt(Box<JwtAccess>),
}

/// A JWT access token whose signature was verified.
#[derive(Debug, Clone)]
pub(crate) struct JwtAccess {
    pub(crate) lineage: Lineage,
    pub(crate) jti: String,
    pub(crate) token: LiveAccess,
    generations: Generations,
}

/// An access token that is good, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LiveAccess {
    pub(crate) client_id: ClientId,
    pub(crate) subject: Option<Subject>,
    pub(crate) scope: Scopes,
    pub(crate) audience: Vec<String>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) claims: Map<String, Value>,
    /// Claims that the client asked for one by one, and its grant holds.
    pub(crate) requested: RequestedClaims,
    /// Whether its grant names the resources that it is for (RFC 8707).
    pub(crate) for_resources: bool,
}

impl LiveAccess {
    /// Whether the provider and the APIs beside it may take it (RFC 9068 §4): it names one of them, or nobody.
    pub(crate) fn is_for_us(&self, tenant: &Tenant, config: &Config) -> bool {
        let ours = |audience: &String| {
            audience == tenant.issuer.as_str() || config.audience.contains(audience)
        };
        self.audience.is_empty() || self.audience.iter().any(ours)
    }
}

impl PresentedAccess {
    /// Takes a token apart; `None` if we did not make it, which costs no read.
    pub(crate) fn parse(text: &str, keys: &PublishedKeys, tenant: &Tenant) -> Option<Self> {
        if let Some(handle) = Handle::parse(&tenant.keys, Artefact::AccessToken, tenant.id, text) {
            return Some(Self::Opaque(handle));
        }
        JwtAccess::parse(text, keys, tenant).map(|jwt| Self::Jwt(Box::new(jwt)))
    }

    /// The records that it stands or falls with: one round trip.
    pub(crate) fn asks(&self) -> Asks {
        match self {
            Self::Opaque(handle) => {
                liveness::asks(&handle.lineage).read(&AccessToken::at(&handle.digest))
            }
            Self::Jwt(jwt) => liveness::asks(&jwt.lineage).read(&RevokedToken::at(&jwt.jti)),
        }
    }

    /// What it says, if it is good at `now`.
    pub(crate) fn live(&self, facts: &Facts, now: Timestamp) -> Result<Option<LiveAccess>, Need> {
        let (mut token, lineage, generations) = match self {
            Self::Opaque(handle) => {
                let Some(record) = facts.read(&AccessToken::at(&handle.digest))? else {
                    return Ok(None);
                };
                if record.value.revoked {
                    return Ok(None);
                }
                let value = record.value.clone();
                let token = LiveAccess {
                    client_id: value.client_id,
                    subject: value.subject,
                    scope: value.scope,
                    audience: value.audience,
                    issued_at: value.issued_at,
                    expires_at: value.expires_at,
                    claims: value.claims,
                    requested: RequestedClaims::default(),
                    for_resources: false,
                };
                (token, handle.lineage, value.generations)
            }
            Self::Jwt(jwt) => {
                if facts.read(&RevokedToken::at(&jwt.jti))?.is_some() {
                    return Ok(None);
                }
                (jwt.token.clone(), jwt.lineage, jwt.generations)
            }
        };
        let parents_are_good = match lineage.grant {
            // Whose it is, the grant knows as well; and its generations are those of now.
            Some(_) => liveness::live_grant(&lineage, facts, now)?.is_some_and(|grant| {
                token.requested.clone_from(&grant.value.claims);
                token.for_resources = !grant.value.audience.is_empty();
                token.subject.as_ref() == Some(&grant.value.sign_in.subject)
                    && token.client_id == grant.value.client_id
                    && generations == grant.value.generations
            }),
            None => liveness::generations_admit(&lineage, generations, facts)?,
        };
        Ok((now < token.expires_at && parents_are_good).then_some(token))
    }
}

impl JwtAccess {
    fn parse(text: &str, keys: &PublishedKeys, tenant: &Tenant) -> Option<Self> {
        let jws = CompactJws::parse(text).ok()?;
        // An id token or a client's assertion is no access token (RFC 9068 §4).
        if jws.header().typ.as_deref() != Some(access::TYP) {
            return None;
        }
        let key = keys.find(jws.header().kid.as_deref()?)?;
        let mut claims = jws.verify(&key.jwk).ok()?;
        if claims.remove("iss")?.as_str() != Some(tenant.issuer.as_str()) {
            return None;
        }
        let mut text = |name: &str| match claims.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let client_id = ClientId::from(text("client_id")?);
        let subject = Subject::from(text("sub")?);
        let jti = text("jti")?;
        let scope = Scopes::parse(&text("scope")?).ok()?;
        let grant = text("gid").and_then(|gid| GrantId::parse(&gid));
        let session = text("sid").and_then(|sid| SessionId::parse(&sid));
        let time = |value: Option<Value>| Timestamp::from_secs(value?.as_u64()?);
        let issued_at = time(claims.remove("iat"))?;
        let expires_at = time(claims.remove("exp"))?;
        let generations: [u64; 3] = serde_json::from_value(claims.remove("gen")?).ok()?;
        let audience = match claims.remove("aud")? {
            Value::String(one) => vec![one],
            Value::Array(many) => {
                many.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
            }
            _ => return None,
        };
        for own in ["auth_time", "acr"] {
            claims.remove(own);
        }
        let mut lineage = Lineage::default();
        lineage.client = Some(Tag::client(tenant.id, client_id.as_str()));
        lineage.grant = grant;
        lineage.session = session;
        lineage.subject = grant.map(|_| Tag::subject(tenant.id, subject.as_str()));
        let token = LiveAccess {
            client_id,
            subject: grant.map(|_| subject),
            scope,
            audience,
            issued_at,
            expires_at,
            claims,
            requested: RequestedClaims::default(),
            for_resources: false,
        };
        let [client, subject, consent] = generations;
        Some(Self { lineage, jti, token, generations: Generations { client, subject, consent } })
    }
}

/// A token of ours of any kind. Its prefix tells which; `token_type_hint` cannot make it anything else
/// (RFC 7009 §2.1, RFC 7662 §2.1).
#[derive(Debug, Clone)]
pub(crate) enum PresentedToken {
    Access(PresentedAccess),
    Refresh(Handle),
}

impl PresentedToken {
    /// Takes a token apart; `None` if we did not make it.
    pub(crate) fn parse(text: &str, keys: &PublishedKeys, tenant: &Tenant) -> Option<Self> {
        let refresh = Handle::parse(&tenant.keys, Artefact::RefreshToken, tenant.id, text);
        refresh
            .map(Self::Refresh)
            .or_else(|| PresentedAccess::parse(text, keys, tenant).map(Self::Access))
    }

    /// The records that it stands or falls with: one round trip.
    pub(crate) fn asks(&self) -> Asks {
        match self {
            Self::Access(access) => access.asks(),
            Self::Refresh(handle) => {
                let asks = liveness::asks(&handle.lineage);
                match &handle.lineage.grant {
                    Some(grant) => asks.read(&RefreshFamily::at(grant)),
                    None => asks,
                }
            }
        }
    }
}
