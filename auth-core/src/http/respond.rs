//! The forms of our answers, with the headers that each must have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, PRAGMA, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use tracing::error;
use url::Url;

use crate::http::Response;
use crate::page::{Page, PageRenderer, PageView};

/// Forbids every cache to keep the answer (RFC 6749 §5.1).
pub fn no_store(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
}

/// A JSON answer that is not to be kept; 500 for what JSON cannot hold, which is a mistake of the program.
#[must_use]
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Most answers are no longer.
    let mut written = Vec::with_capacity(1024);
    let body = match serde_json::to_writer(&mut written, body) {
        Ok(()) => written,
        Err(error) => {
            error!(error = &error as &dyn std::error::Error, "an answer cannot be written as JSON");
            return text(StatusCode::INTERNAL_SERVER_ERROR, "this provider cannot answer\n");
        }
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    no_store(headers);
    response
}

/// A JWT as the whole answer, that is not to be kept; 500 if there is none, since it was not signed, which is a
/// mistake of the program.
#[must_use]
pub fn jwt(content_type: &'static str, jwt: Option<String>) -> Response {
    let Some(body) = jwt else {
        error!("a JWT was to be sent before it was signed");
        return text(StatusCode::INTERNAL_SERVER_ERROR, "this provider cannot answer\n");
    };
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    no_store(headers);
    response
}

/// A line of text for people.
#[must_use]
pub fn text(status: StatusCode, line: &'static str) -> Response {
    let mut response = Response::new(Bytes::from_static(line.as_bytes()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    no_store(headers);
    response
}

/// An answer without a body that is not to be kept.
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    no_store(response.headers_mut());
    response
}

/// Sends the browser on by 303, which never repeats a POST (RFC 9700 §4.12).
#[must_use]
pub fn redirect(url: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(url) else {
        error!("a redirect has characters that a header cannot hold");
        return text(StatusCode::INTERNAL_SERVER_ERROR, "this provider cannot go on\n");
    };
    let mut response = empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A page with the headers that keep it from being framed, cached or scripted by others.
#[derive(Debug)]
#[non_exhaustive]
pub struct PageResponse<'a> {
    /// What makes HTML of it.
    pub renderer: &'a dyn PageRenderer,
    /// Wanted languages, best first.
    pub locales: &'a [String],
    /// Random bytes for the nonce of inline styles and scripts.
    pub nonce: [u8; 16],
}

impl<'a> PageResponse<'a> {
    /// A page in one of `locales`.
    #[must_use]
    pub fn new(renderer: &'a dyn PageRenderer, locales: &'a [String], nonce: [u8; 16]) -> Self {
        Self { renderer, locales, nonce }
    }

    /// The answer.
    #[must_use]
    pub fn respond(&self, status: StatusCode, page: &Page) -> Response {
        let nonce = STANDARD.encode(self.nonce);
        let html = match self.renderer.render(&PageView::new(page, self.locales, &nonce)) {
            Ok(html) => html,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "a page could not be rendered");
                return text(StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be shown\n");
            }
        };
        let mut response = Response::new(Bytes::from(html));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // Not `no-referrer`: with it browsers send `Origin: null` from our own forms.
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        no_store(headers);
        // No `form-action`: browsers apply it to the redirects after a form, too, and those lead to
        // whatever redirect URI the client registered.
        let frames = frame_sources(page);
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; \
             img-src 'self' https:; base-uri 'none'; frame-ancestors 'none'{frames}"
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// The origins whose pages this one has in frames (CSP 3 §6.1.6).
fn frame_sources(page: &Page) -> String {
    let Page::LoggedOut(page) = page else { return String::new() };
    let mut origins: Vec<String> = page
        .frames
        .iter()
        .filter_map(|frame| Url::parse(frame).ok())
        .map(|frame| frame.origin())
        .filter(url::Origin::is_tuple)
        .map(|origin| origin.ascii_serialization())
        .collect();
    origins.sort_unstable();
    origins.dedup();
    if origins.is_empty() { String::new() } else { format!("; frame-src {}", origins.join(" ")) }
}
