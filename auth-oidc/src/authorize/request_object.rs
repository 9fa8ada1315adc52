//! Request objects: a request as a JWT that the client signed (RFC 9101, OpenID Connect Core §6.1).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use auth_core::decision::{Cx, Facts};
use auth_core::http::{Form, FormError};
use auth_core::keys::{CompactJwe, CompactJws, JwsError};
use auth_core::{Fetch, Tenant, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ring::digest;
use serde_json::{Map, Value};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::authorize::{AuthorizeRefusal, PageError};
use crate::client::encryption::decrypt;
use crate::client::{Client, keys};
use crate::explain::Explained;
use crate::numeric_date::numeric_date;
use crate::refusal::ErrorCode;
use crate::stop::Stop;

/// How far clocks may differ.
const SKEW: Duration = Duration::from_secs(60);
/// How long an object may live.
const MAX_LIFE: Duration = Duration::from_secs(3600);
/// The type of a request object (RFC 9101 §10.8); case does not matter (RFC 7515 §4.1.9).
pub(crate) const TYP: &str = "oauth-authz-req+jwt";
/// Claims of the JWT itself, which are no parameters.
const OF_THE_JWT: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// The parameters to go by: those of the object alone, if there is one (RFC 9101 §6.3).
pub(super) fn parameters<'a>(
    form: &'a Form,
    client: &Client,
    required: bool,
    facts: &Facts,
    cx: &Cx<'_>,
) -> Result<Cow<'a, Form>, Stop<AuthorizeRefusal>> {
    let object = match (form.get("request"), form.get("request_uri")) {
        (Some(_), Some(_)) => {
            let text = "the parameters 'request' and 'request_uri' exclude each other";
            return Err(PageError::new(ErrorCode::InvalidRequest, text).into());
        }
        (Some(object), None) => Some(Cow::Borrowed(object)),
        // Of a client that has none it is a form of request that is not supported, which it is told.
        (None, Some(uri)) if !client.request_uris.is_empty() => {
            Some(Cow::Owned(fetched(uri, form, client, facts)?))
        }
        (None, _) => None,
    };
    let Some(object) = object else {
        return match required {
            true => Err(refuse("there is none, and the client must send one").into()),
            false => Ok(Cow::Borrowed(form)),
        };
    };
    let encrypted = CompactJwe::is_one(&object);
    let object = if encrypted { Cow::Owned(decrypted(&object, client, facts)?) } else { object };
    let jws = match CompactJws::parse(&object) {
        Ok(jws) => jws,
        // Such as `none`: the same. Somebody who encrypts means what is inside.
        Err(JwsError::Algorithm) if !required && !encrypted => return Ok(Cow::Borrowed(form)),
        Err(error) => return Err(refuse(error).into()),
    };
    let claims = verified(&jws, client, facts)?;
    check(&claims, client, cx.tenant, cx.now).map_err(refuse)?;
    Ok(Cow::Owned(as_form(&claims).map_err(refuse)?))
}

fn refuse(reason: impl fmt::Display) -> PageError {
    let text = format!("the request object is not accepted: {reason}");
    PageError::new(ErrorCode::InvalidRequestObject, text).by("RFC 9101 §4, §6, §10.8")
}

/// The object at a `request_uri` that the client registered (RFC 9101 §5.2).
///
/// A fragment says what the digest of the object is (OpenID Connect Core §6.2): one that is known and has
/// another is fetched anew.
fn fetched(
    request_uri: &str,
    form: &Form,
    client: &Client,
    facts: &Facts,
) -> Result<String, Stop<AuthorizeRefusal>> {
    let refuse = |reason: &str| {
        let text = format!("the parameter 'request_uri' is not accepted: {reason}");
        let error = PageError::new(ErrorCode::InvalidRequestUri, text);
        Stop::from(error.by_parameter(
            "RFC 9101 §5.2, OpenID Connect Core §6.2",
            "request_uri",
            form,
        ))
    };
    let (address, digest) = match request_uri.split_once('#') {
        Some((address, digest)) => (address, Some(digest)),
        None => (request_uri, None),
    };
    let is_it = |known: &String| known.split('#').next() == Some(address);
    if !client.request_uris.iter().any(is_it) {
        return Err(refuse("it is not one that the client registered"));
    }
    let fetch = Fetch::of(Url::parse(address).map_err(|_| refuse("it is no URL"))?);
    let fits = |text: &Bytes| {
        let found = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text));
        digest.is_none_or(|digest| digest == found)
    };
    let document = match keys::document(&fetch, facts)? {
        Ok(text) if !fits(text) => keys::document(&fetch.anew(), facts)?,
        document => document,
    };
    match document {
        Err(error) => Err(refuse(&error.to_string())),
        Ok(text) if !fits(text) => Err(refuse("its fragment is not the digest of what is there")),
        Ok(text) => String::from_utf8(text.to_vec())
            .map(|text| text.trim().to_owned())
            .map_err(|_| refuse("what is there is no JWT")),
    }
}

/// What a client encrypted to a key of ours (RFC 9101 §6.1).
fn decrypted(
    object: &str,
    client: &Client,
    facts: &Facts,
) -> Result<String, Stop<AuthorizeRefusal>> {
    CompactJwe::parse(object).map_err(refuse)?;
    // Nobody pays for what cannot be verified afterwards.
    if client.jwks.is_none() && client.jwks_uri.is_none() {
        return Err(refuse("the client has no keys by which it could be verified").into());
    }
    let text = decrypt(object, facts)?.ok_or_else(|| refuse("it cannot be decrypted"))?;
    Ok(text.expose().to_owned())
}

fn verified(
    jws: &CompactJws<'_>,
    client: &Client,
    facts: &Facts,
) -> Result<Map<String, Value>, Stop<AuthorizeRefusal>> {
    let header = jws.header();
    let typ = header.typ.as_deref().unwrap_or("JWT");
    if !["JWT", TYP].iter().any(|known| known.eq_ignore_ascii_case(typ)) {
        return Err(refuse("its type is neither oauth-authz-req+jwt nor JWT").into());
    }
    if client.request_object_signing_alg.is_some_and(|registered| registered != header.alg) {
        return Err(refuse("its algorithm is not the one that the client registered").into());
    }
    Ok(keys::verify(client, jws, facts)?.map_err(refuse)?)
}

/// What the claims of the JWT must say (RFC 9101 §4, §6.2).
fn check(
    claims: &Map<String, Value>,
    client: &Client,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<(), &'static str> {
    let id = client.client_id.as_str();
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("client_id") != Some(id) || text("iss") != Some(id) {
        return Err("its iss and client_id must both be the client");
    }
    // It could be taken for a client assertion (RFC 9101 §10.8).
    if text("sub") == Some(id) {
        return Err("its sub is the client");
    }
    let issuer = tenant.issuer.as_str();
    let for_us = match claims.get("aud") {
        Some(Value::String(one)) => one == issuer,
        Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(issuer)),
        _ => false,
    };
    if !for_us {
        return Err("its aud is not the issuer identifier of this provider");
    }
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => numeric_date(value).map(Some).ok_or(()),
    };
    let exp = time("exp").ok().flatten().ok_or("its exp is missing or no time")?;
    if exp.saturating_add(SKEW) <= now {
        return Err("it is expired");
    }
    if exp > now.saturating_add(MAX_LIFE) {
        return Err("it lives longer than an hour");
    }
    for name in ["nbf", "iat"] {
        let at = time(name).map_err(|()| "its nbf or iat is no time")?;
        if at.is_some_and(|at| at > now.saturating_add(SKEW)) {
            return Err("its nbf or iat lies in the future");
        }
    }
    if ["request", "request_uri"].iter().any(|name| claims.contains_key(*name)) {
        return Err("it holds another request");
    }
    Ok(())
}

/// The other claims as parameters.
fn as_form(claims: &Map<String, Value>) -> Result<Form, FormError> {
    let mut query = Serializer::new(String::new());
    for (name, value) in claims.iter().filter(|(name, _)| !OF_THE_JWT.contains(&name.as_str())) {
        match value {
            Value::String(text) => {
                query.append_pair(name, text);
            }
            // A parameter that may be repeated.
            Value::Array(list) if list.iter().all(Value::is_string) => {
                query.extend_pairs(list.iter().filter_map(Value::as_str).map(|text| (name, text)));
            }
            Value::Null => {}
            other => {
                query.append_pair(name, &other.to_string());
            }
        }
    }
    Form::from_query(Some(&query.finish()))
}
