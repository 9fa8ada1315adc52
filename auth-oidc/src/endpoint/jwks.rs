//! The JWK set (RFC 7517 §5).

use std::time::Duration;

use auth_core::http::Response;
use bytes::Bytes;
use http::{HeaderValue, header};

use crate::endpoint::answer::unavailable;
use crate::provider::Provider;

/// For how long the set may be kept: `publish_before` of the keys is longer.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(300);

pub(super) async fn answer(provider: &Provider) -> Response {
    match provider.policy().await {
        Err(cause) => unavailable(&cause),
        Ok(policy) => public(policy.keys.jwk_set_json()),
    }
}

/// A document that anyone may keep for [`MAX_AGE`].
pub(super) fn public(json: Bytes) -> Response {
    let mut response = Response::new(json);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_may_be_kept_for_as_long_as_keys_are_published_before_they_sign() {
        let response = public(Bytes::new());
        let said = response.headers()[header::CACHE_CONTROL].to_str().unwrap();
        assert_eq!(said, format!("public, max-age={}", MAX_AGE.as_secs()));
    }
}
