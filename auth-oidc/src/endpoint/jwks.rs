//! The JWK set (RFC 7517 §5).

use auth_core::http::{Response, json};
use http::{HeaderValue, StatusCode, header};

use crate::endpoint::answer::unavailable;
use crate::provider::Provider;

pub(super) async fn answer(provider: &Provider) -> Response {
    match provider.policy().await {
        Err(cause) => unavailable(&cause),
        Ok(policy) => public(&policy.keys.jwk_set()),
    }
}

/// A document that anyone may keep for a while: shorter than new keys are published before they sign.
pub(super) fn public(document: &impl serde::Serialize) -> Response {
    let mut response = json(StatusCode::OK, document);
    let headers = response.headers_mut();
    headers.remove(header::PRAGMA);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
