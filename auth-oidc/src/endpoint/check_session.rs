//! The frame of session management (OpenID Connect Session Management 1.0 §3.2).

use auth_core::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use ring::digest;

use crate::provider::Provider;
use crate::session::check_session::{COOKIE, SCRIPT};

/// A page that anybody may put into a frame: it tells nothing but to who has a `session_state` already.
pub(super) fn answer(provider: &Provider) -> Response {
    let cookie = provider.config().cookies.name(COOKIE);
    let html = format!(
        "<!doctype html><html data-cookie=\"{cookie}\"><meta charset=\"utf-8\"><title>session</title>\
         <script>{SCRIPT}</script></html>"
    );
    let mut response = Response::new(Bytes::from(html));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, SCRIPT.as_bytes()));
    let policy = format!("default-src 'none'; script-src 'sha256-{hash}'; base-uri 'none'");
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
