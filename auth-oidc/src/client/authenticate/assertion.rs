//! `private_key_jwt` and `client_secret_jwt` (OpenID Connect Core §9, RFC 7523 §3).

use std::borrow::Cow;
use std::time::Duration;

use auth_core::Timestamp;
use auth_core::decision::{Cx, Done, Facts, Need, Reservation, Work};
use auth_core::keys::{CompactJws, SecretJws};
use auth_core::store::{Class, Key};
use ring::digest;
use serde_json::{Map, Value};

use crate::authorize::request_object;
use crate::client::keys::{self, NotVerified};
use crate::client::{Client, ClientRecord, TokenEndpointAuthMethod};
use crate::endpoint::path;
use crate::explain::Explained;
use crate::numeric_date::numeric_date;
use crate::refusal::{ErrorCode, Refusal};
use crate::stop::Stop;

/// How far clocks may differ.
const SKEW: Duration = Duration::from_secs(60);
/// How long an assertion may live: its `jti` is remembered for that long.
const MAX_LIFE: Duration = Duration::from_secs(3600);

/// Verifies an assertion. The inner result says why it is not accepted.
///
/// Its `jti` is taken last, when everything else is good, and in the client's own namespace, so that
/// nobody can burn the identifiers of another.
pub(crate) fn verify(
    record: &ClientRecord,
    assertion: &str,
    facts: &Facts,
    cx: &Cx<'_>,
) -> Result<Result<(), Reason>, Stop<Refusal>> {
    let client = &record.client;
    let checked = match client.token_endpoint_auth_method {
        TokenEndpointAuthMethod::ClientSecretJwt => {
            by_secret(record, assertion, cx).map_err(Reason::from)
        }
        _ => by_key(client, assertion, facts)?,
    };
    let checked = checked.and_then(|claims| Ok(check(client, &claims, cx)?));
    let claims = match checked {
        Ok(claims) => claims,
        Err(reason) => return Ok(Err(reason)),
    };
    let jti = digest::digest(&digest::SHA256, claims.jti.as_bytes());
    // Main: who lost it would take the assertion again.
    let key = Key::builder(Class::Main, "client_assertion")
        .bytes(auth_core::record::Tag::client(cx.tenant.id, client.client_id.as_str()).as_bytes())
        .bytes(jti.as_ref())
        .build()
        .map_err(|error| auth_core::decision::Unavailable::Defect(error.into()))
        .map_err(Need::from)?;
    let keep_until = claims.exp.saturating_add(SKEW);
    let work = Work::Reserve { key, below: 1, keep_until };
    Ok(match facts.done(&work)? {
        Done::Reserved(Reservation::Granted(_)) => Ok(()),
        _ => Err("its jti was used before".into()),
    })
}

/// Why an assertion is not accepted.
type Reason = Cow<'static, str>;

struct Claims {
    jti: String,
    exp: Timestamp,
}

/// The claims that one of the client's keys has signed.
fn by_key(
    client: &Client,
    assertion: &str,
    facts: &Facts,
) -> Result<Result<Map<String, Value>, Reason>, Stop<Refusal>> {
    let Ok(jws) = CompactJws::parse(assertion) else {
        return Ok(Err("it is not a signed JWT that we accept".into()));
    };
    if let Err(reason) = not_a_request(jws.header().typ.as_deref()) {
        return Ok(Err(reason.into()));
    }
    match keys::verify(client, &jws, facts)? {
        Ok(claims) => Ok(Ok(claims)),
        // No guess that failed: it says nothing of the client.
        Err(unread @ NotVerified::Unread(_)) => {
            let refusal = Refusal::new(ErrorCode::TemporarilyUnavailable, unread.to_string());
            Err(refusal.by("OpenID Connect Core §10.1.1").into())
        }
        Err(error) => Ok(Err(error.to_string().into())),
    }
}

/// The claims with a MAC by one of the client's secrets.
fn by_secret(
    record: &ClientRecord,
    assertion: &str,
    cx: &Cx<'_>,
) -> Result<Map<String, Value>, &'static str> {
    let jws = SecretJws::parse(assertion).map_err(|_| "it is not a JWT with a MAC by HS256")?;
    not_a_request(jws.typ())?;
    let id = &record.client.client_id;
    let secrets = record.live_secrets(cx.now).filter_map(|it| it.open(&cx.tenant.keys, id));
    let claims = secrets.into_iter().find_map(|secret| jws.verify(&secret).ok());
    claims.ok_or("no secret of the client verifies it")
}

fn not_a_request(typ: Option<&str>) -> Result<(), &'static str> {
    match typ.is_some_and(|typ| typ.eq_ignore_ascii_case(request_object::TYP)) {
        true => Err("it is a request object"),
        false => Ok(()),
    }
}

fn check(
    client: &Client,
    claims: &Map<String, Value>,
    cx: &Cx<'_>,
) -> Result<Claims, &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let id = client.client_id.as_str();
    if text("iss") != Some(id) || text("sub") != Some(id) {
        return Err("iss and sub must both be the client_id");
    }
    let issuer = &cx.tenant.issuer;
    let for_us = text("aud").is_some_and(|aud| {
        let by_endpoint = client.insecure_token_endpoint_audience;
        // RFC 7523 §3, RFC 9126 §2.
        let endpoints = [path::TOKEN, path::PUSHED_AUTHORIZATION];
        aud == issuer.as_str()
            || (by_endpoint && endpoints.into_iter().any(|endpoint| aud == issuer.url(endpoint)))
    });
    if !for_us {
        return Err("aud must be the issuer identifier of this provider, as a string and alone");
    }
    let time = |name: &str| claims.get(name).and_then(numeric_date);
    let exp = time("exp").ok_or("exp is missing")?;
    if exp.saturating_add(SKEW) <= cx.now {
        return Err("it is expired");
    }
    if exp > cx.now.saturating_add(MAX_LIFE) {
        return Err("it lives longer than an hour");
    }
    for name in ["iat", "nbf"] {
        if claims.contains_key(name) && time(name).is_none_or(|at| at > cx.now.saturating_add(SKEW))
        {
            return Err("iat or nbf lies in the future");
        }
    }
    let jti = text("jti").filter(|jti| !jti.is_empty()).ok_or("jti is missing")?;
    Ok(Claims { jti: jti.to_owned(), exp })
}
