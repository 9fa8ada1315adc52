//! The endpoints: one file each. This is the table of all routes: the map of the server.

mod answer;
mod authorize;
mod back_channel;
mod budget;
mod check_session;
mod consent;
mod discovery;
mod end_session;
mod guard;
mod health;
mod introspect;
pub(crate) mod jwks;
mod login;
mod logout;
mod par;
mod revoke;
mod token;
mod userinfo;

use std::future::ready;

use auth_core::Issuer;
use auth_core::http::{CorsPolicy, Request, Response, Route, text};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Method, StatusCode};

use crate::provider::Provider;

pub(crate) use answer::REQUEST_ID;
pub(crate) use guard::is_page;

/// Where the endpoints are, below the issuer.
pub(crate) mod path {
    pub(crate) const AUTHORIZATION: &str = "/oauth2/auth";
    pub(crate) const PUSHED_AUTHORIZATION: &str = "/oauth2/par";
    pub(crate) const TOKEN: &str = "/oauth2/token";
    pub(crate) const INTROSPECTION: &str = "/oauth2/introspect";
    pub(crate) const REVOCATION: &str = "/oauth2/revoke";
    pub(crate) const END_SESSION: &str = "/oauth2/sessions/logout";
    pub(crate) const CHECK_SESSION: &str = "/oauth2/sessions/check";
    pub(crate) const USERINFO: &str = "/userinfo";
    pub(crate) const JWKS: &str = "/.well-known/jwks.json";
    pub(crate) const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
    pub(crate) const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";
    pub(crate) const LOGIN: &str = "/oauth2/login";
    pub(crate) const CONSENT: &str = "/oauth2/consent";
    pub(crate) const LOGOUT: &str = "/oauth2/logout";
    pub(crate) const ALIVE: &str = "/health/alive";
    pub(crate) const READY: &str = "/health/ready";
    pub(crate) const VERSION: &str = "/version";
}

/// Every route of a provider: method, path, operation. The built-in pages are there only if nobody else
/// puts the questions: what an embedder's own pages demand must not be had for less next door.
pub(crate) fn routes(
    issuer: &Issuer,
    built_in_pages: bool,
    health: bool,
    session_management: bool,
) -> Vec<Route> {
    use path::*;
    let below = |path: &str| format!("{}{path}", issuer.path());
    let table = [
        (Method::GET, below(AUTHORIZATION), "authorize"),
        (Method::POST, below(AUTHORIZATION), "authorize"),
        (Method::POST, below(PUSHED_AUTHORIZATION), "par"),
        (Method::POST, below(TOKEN), "token"),
        (Method::POST, below(INTROSPECTION), "introspect"),
        (Method::POST, below(REVOCATION), "revoke"),
        (Method::GET, below(USERINFO), "userinfo"),
        (Method::POST, below(USERINFO), "userinfo"),
        (Method::GET, below(END_SESSION), "end_session"),
        (Method::POST, below(END_SESSION), "end_session"),
        (Method::GET, below(JWKS), "jwks"),
        (Method::GET, below(OPENID_CONFIGURATION), "discovery"),
        (Method::GET, below(OAUTH_METADATA), "discovery"),
        (Method::GET, below(LOGIN), "login"),
        (Method::POST, below(LOGIN), "login"),
        (Method::GET, below(CONSENT), "consent"),
        (Method::POST, below(CONSENT), "consent"),
        (Method::GET, below(LOGOUT), "logout"),
        (Method::POST, below(LOGOUT), "logout"),
        // RFC 8414 §3.1: for an issuer with a path the well-known part comes first.
        (Method::GET, format!("{OPENID_CONFIGURATION}{}", issuer.path()), "discovery"),
        (Method::GET, format!("{OAUTH_METADATA}{}", issuer.path()), "discovery"),
    ];
    let mut routes: Vec<Route> = Vec::new();
    for (method, path, operation) in table {
        if !built_in_pages && matches!(operation, "login" | "consent" | "logout") {
            continue;
        }
        if !routes.iter().any(|known| known.method == method && known.path == path) {
            routes.push(Route::public(method, path, operation));
        }
    }
    if session_management {
        routes.push(Route::public(Method::GET, below(CHECK_SESSION), "check_session"));
    }
    if health {
        for (path, operation) in [(ALIVE, "alive"), (READY, "ready")] {
            routes.push(Route::public(Method::GET, below(path), operation));
            routes.push(Route::admin(Method::GET, below(path), operation));
        }
    }
    routes.push(Route::admin(Method::GET, below(VERSION), "version"));
    routes
}

/// Answers a request to an operation of the table.
pub(crate) async fn answer(
    provider: &Provider,
    operation: &'static str,
    request: Request,
) -> Response {
    let cors = cors(provider, operation);
    let headers = request.headers();
    let endpoint = answer_by(provider, operation, &request);
    let mut response = guard::guarded(provider, operation, headers, endpoint).await;
    if let Some(cors) = cors {
        cors.apply(headers, response.headers_mut());
    }
    response
}

/// Each operation in a box of its own: as variants of one future, each would be as large as the largest of
/// them, and be moved as such.
fn answer_by<'a>(
    provider: &'a Provider,
    operation: &'static str,
    request: &'a Request,
) -> BoxFuture<'a, Response> {
    match operation {
        "authorize" => authorize::answer(provider, request).boxed(),
        "par" => par::answer(provider, request).boxed(),
        "token" => token::answer(provider, request).boxed(),
        "introspect" => introspect::answer(provider, request).boxed(),
        "revoke" => revoke::answer(provider, request).boxed(),
        "userinfo" => userinfo::answer(provider, request).boxed(),
        "end_session" => end_session::answer(provider, request).boxed(),
        "check_session" => ready(check_session::answer(provider)).boxed(),
        "jwks" => jwks::answer(provider).boxed(),
        "discovery" => discovery::answer(provider).boxed(),
        "login" => login::answer(provider, request).boxed(),
        "consent" => consent::answer(provider, request).boxed(),
        "logout" => logout::answer(provider, request).boxed(),
        "alive" => ready(health::alive()).boxed(),
        "ready" => health::ready(provider).boxed(),
        "version" => ready(health::version()).boxed(),
        _ => ready(text(StatusCode::NOT_FOUND, "there is nothing here\n")).boxed(),
    }
}

/// Whose scripts may call an operation; `None` for pages and for back channels.
pub(crate) fn cors<'a>(provider: &'a Provider, operation: &str) -> Option<&'a CorsPolicy> {
    match operation {
        "discovery" | "jwks" => Some(&CorsPolicy::Any),
        "par" | "token" | "userinfo" | "revoke" => Some(&provider.config().cors),
        _ => None,
    }
}
