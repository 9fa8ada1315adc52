//! [`Engine`]: a table of routes and a way to answer them.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};

use crate::http::{BodyLimit, respond};

/// A request with its whole body.
pub type Request = http::Request<Bytes>;
/// A response with its whole body.
pub type Response = http::Response<Bytes>;

/// Which listener a route belongs to. Admin routes are never mounted on the public one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Listener {
    /// Browsers and clients.
    Public,
    /// Operators and trusted services.
    Admin,
}

/// One row of an engine's table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Route {
    /// The method; `HEAD` follows `GET`, and `OPTIONS` is answered for CORS.
    pub method: Method,
    /// The path, from the root of the host.
    pub path: String,
    /// Where it is mounted.
    pub listener: Listener,
    /// What it does: the name by which [`Engine::call`] is told.
    pub operation: &'static str,
    /// What of a body is taken: 64 KiB in 10 seconds unless a route says otherwise.
    pub body_limit: BodyLimit,
}

impl Route {
    /// A public route.
    #[must_use]
    pub fn public(method: Method, path: impl Into<String>, operation: &'static str) -> Self {
        Self {
            method,
            path: path.into(),
            listener: Listener::Public,
            operation,
            body_limit: BodyLimit::DEFAULT,
        }
    }

    /// A route for operators and trusted services.
    #[must_use]
    pub fn admin(method: Method, path: impl Into<String>, operation: &'static str) -> Self {
        Self { listener: Listener::Admin, ..Self::public(method, path, operation) }
    }
}

/// Something that answers requests: a provider, a demo application, …
#[async_trait]
pub trait Engine: Send + Sync + fmt::Debug + 'static {
    /// All routes. The table does not change during the life of an engine.
    fn routes(&self) -> &[Route];

    /// Answers a request to the route whose `operation` this is. The client's address comes in as a
    /// [`Peer`](crate::http::Peer) extension.
    async fn call(&self, operation: &'static str, request: Request) -> Response;

    /// The answer to a preflight for `path` (Fetch §3.2); none by default.
    fn preflight(&self, path: &str, request: &Request) -> Option<Response> {
        let _ = (path, request);
        None
    }
}

/// The paths that an engine has on a listener, each with what the most generous of its routes takes of a
/// body: what an adapter registers.
#[must_use]
pub fn paths(engine: &dyn Engine, listener: Listener) -> BTreeMap<&str, BodyLimit> {
    let mut paths = BTreeMap::new();
    for route in engine.routes().iter().filter(|route| route.listener == listener) {
        let limit = paths.entry(route.path.as_str()).or_insert(route.body_limit);
        *limit = route.body_limit.or(*limit);
    }
    paths
}

/// Answers a request by the engine's table: 404 for an unknown path, 405 with `Allow` for another method
/// (RFC 9110 §15.5.6), 415 for a body that is encoded, 413 for one over the route's limit.
pub async fn dispatch(engine: &dyn Engine, listener: Listener, request: Request) -> Response {
    let path = request.uri().path();
    let here =
        || engine.routes().iter().filter(|route| route.listener == listener && route.path == path);
    if here().next().is_none() {
        return respond::text(StatusCode::NOT_FOUND, "there is nothing here\n");
    }
    let head = request.method() == Method::HEAD;
    let method = if head { &Method::GET } else { request.method() };
    let Some(route) = here().find(|route| route.method == *method) else {
        if request.method() == Method::OPTIONS
            && let Some(response) = engine.preflight(path, &request)
        {
            return response;
        }
        let mut response =
            respond::text(StatusCode::METHOD_NOT_ALLOWED, "this method is not for this path\n");
        let allowed: Vec<&str> = here().map(|route| route.method.as_str()).collect();
        if let Ok(allow) = HeaderValue::from_str(&allowed.join(", ")) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        return response;
    };
    if is_encoded(&request) {
        // What is small here may be endless once it is unpacked (RFC 9110 §8.4, §12.5.3).
        let line = "a body is sent as it is, without a content encoding\n";
        let mut response = respond::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, line);
        let identity = HeaderValue::from_static("identity");
        response.headers_mut().insert(header::ACCEPT_ENCODING, identity);
        return response;
    }
    if request.body().len() > route.body_limit.bytes {
        return BodyLimit::too_long();
    }
    let mut response = engine.call(route.operation, request).await;
    if head {
        // The length of what a GET would bring (RFC 9110 §8.6).
        let length = HeaderValue::from(response.body().len());
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length);
        *response.body_mut() = Bytes::new();
    }
    response
}

fn is_encoded(request: &Request) -> bool {
    let mut encodings = request.headers().get_all(header::CONTENT_ENCODING).iter();
    encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
