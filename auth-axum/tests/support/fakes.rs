//! An engine, an authority and a desk that do as they are told. The tests of both adapters use them.

use std::io;

use async_trait::async_trait;
use auth_core::challenge::{
    Accept, ChallengeDesk, ConsentRequest, DeskError, LoginRequest, LogoutRequest, Pending,
    RedirectTo, Reject,
};
use auth_core::decision::Unavailable;
use auth_core::http::{BodyLimit, Engine, Listener, Peer, Request, Response, Route};
use auth_core::page::ClientView;
use auth_core::{
    Authority, Carrier, CurrentSession, Denied, Principal, Scopes, Secret, SessionId, Timestamp,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::json;

fn away() -> Unavailable {
    Unavailable::Store(Box::new(io::Error::other("the cable is cut")))
}

/// Shows what arrives, and sends what is hard to translate.
#[derive(Debug)]
pub(crate) struct FakeEngine(Vec<Route>);

impl FakeEngine {
    pub(crate) fn new() -> Self {
        let mut small = Route::public(Method::POST, "/small", "length");
        small.body_limit = BodyLimit::DEFAULT.bytes(16);
        let mut larger = Route::public(Method::PUT, "/small", "length");
        larger.body_limit = BodyLimit::DEFAULT.bytes(64);
        let mut slow = Route::public(Method::POST, "/slow", "length");
        slow.body_limit = BodyLimit::DEFAULT.time(std::time::Duration::from_millis(300));
        let mut admin = Route::public(Method::GET, "/admin/health", "health");
        admin.listener = Listener::Admin;
        Self(vec![
            Route::public(Method::GET, "/show", "show"),
            Route::public(Method::DELETE, "/show", "show"),
            Route::public(Method::POST, "/mirror", "mirror"),
            Route::public(Method::GET, "/cookies", "cookies"),
            Route::public(Method::GET, "/sized", "sized"),
            Route::public(Method::GET, "/odd/{id}/:id/*", "show"),
            small,
            larger,
            slow,
            admin,
        ])
    }
}

#[async_trait]
impl Engine for FakeEngine {
    fn routes(&self) -> &[Route] {
        &self.0
    }

    async fn call(&self, operation: &'static str, request: Request) -> Response {
        let mut response = Response::default();
        match operation {
            "show" => {
                let headers: Vec<(&str, Vec<u8>)> = request
                    .headers()
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_bytes().to_vec()))
                    .collect();
                let peer = request.extensions().get::<Peer>().map(|peer| peer.0.to_string());
                let shown = json!({
                    "method": request.method().as_str(),
                    "path": request.uri().path(),
                    "query": request.uri().query(),
                    "headers": headers,
                    "peer": peer,
                });
                *response.body_mut() = shown.to_string().into();
            }
            "mirror" => *response.body_mut() = request.into_body(),
            "length" => *response.body_mut() = request.body().len().to_string().into(),
            "cookies" => {
                for cookie in ["a=1; Path=/; HttpOnly", "b=2; Max-Age=0", "a=3; Path=/x"] {
                    let cookie = HeaderValue::from_static(cookie);
                    response.headers_mut().append(header::SET_COOKIE, cookie);
                }
                let latin1 = HeaderValue::from_bytes(b"caf\xe9").unwrap();
                response.headers_mut().insert("x-latin1", latin1);
                *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
            }
            "sized" => {
                response
                    .headers_mut()
                    .insert(header::CONTENT_LENGTH, HeaderValue::from_static("5"));
                *response.body_mut() = Bytes::from_static(b"hello");
            }
            operation => *response.body_mut() = operation.into(),
        }
        response
    }
}

/// Knows the tokens `reader` and `plain`, both of the client `shop`, and the session cookie `s=alice`.
/// For the token `away` and the cookie `s=away` the store is away.
#[derive(Debug)]
pub(crate) struct FakeAuthority;

#[async_trait]
impl Authority for FakeAuthority {
    async fn bearer(&self, token: &Secret) -> Result<Principal, Denied> {
        let scopes = match token.expose() {
            "reader" => "openid orders:read",
            "plain" => "openid orders:readers",
            "away" => return Err(away().into()),
            _ => return Err(Denied::InvalidToken),
        };
        let mut principal = Principal::new(Carrier::BearerToken);
        principal.client_id = Some("shop".into());
        principal.scopes = Scopes::parse(scopes).unwrap();
        Ok(principal)
    }

    async fn session(&self, headers: &HeaderMap) -> Result<Option<CurrentSession>, Denied> {
        match headers.get(header::COOKIE).map(HeaderValue::as_bytes) {
            Some(b"s=alice") => {
                let sid = SessionId::from_bytes([1; 16]);
                let auth_time = Timestamp::from_secs(1).unwrap();
                Ok(Some(CurrentSession::new(sid, "alice".into(), auth_time)))
            }
            Some(b"s=away") => Err(away().into()),
            _ => Ok(None),
        }
    }
}

/// What the applications under test say of a principal.
pub(crate) fn describe(principal: &Principal) -> String {
    let name = principal.subject.as_ref().map(ToString::to_string);
    let name = name.or_else(|| principal.client_id.as_ref().map(ToString::to_string));
    format!("{} by {:?}", name.unwrap_or_default(), principal.carrier)
}

/// Has the challenges `login`, `consent` and `logout`; others are named after what is wrong with them.
/// The redirect says how a challenge was settled.
#[derive(Debug)]
pub(crate) struct FakeDesk;

#[async_trait]
impl ChallengeDesk for FakeDesk {
    async fn open(&self, challenge: &str) -> Result<Pending, DeskError> {
        let name = challenge.to_owned();
        let mut client = ClientView::default();
        client.name = "The Shop".to_owned();
        match challenge {
            "login" => Ok(Pending::Login(LoginRequest::new(name, "shop".into(), client))),
            "consent" => {
                let scopes = Scopes::parse("openid email").unwrap();
                let subject = "alice".into();
                let request = ConsentRequest::new(name, "shop".into(), client, subject, scopes);
                Ok(Pending::Consent(request))
            }
            "logout" => {
                let sid = SessionId::from_bytes([1; 16]);
                Ok(Pending::Logout(LogoutRequest::new(name, "alice".into(), sid)))
            }
            "other-key" => Err(DeskError::UnknownKey),
            "expired" => Err(DeskError::Expired),
            "used" => Err(DeskError::Used),
            "away" => Err(away().into()),
            _ => Err(DeskError::NotFound),
        }
    }

    async fn accept(&self, challenge: &str, accept: Accept) -> Result<RedirectTo, DeskError> {
        let how = match accept {
            Accept::Login(login) if login.subject.as_str() == "mallory" => {
                return Err(DeskError::Unfit("somebody else is signed in"));
            }
            Accept::Login(login) if login.continued => json!([login.subject, "continued"]),
            Accept::Login(login) => json!([
                login.subject,
                login.amr,
                login.acr,
                login.remember,
                login.remember_for.map(|time| time.as_secs()),
                login.context
            ]),
            Accept::Consent(consent) => json!([
                consent.grant_scope,
                consent.remember,
                consent.remember_for.map(|time| time.as_secs()),
                consent.id_token,
                consent.access_token
            ]),
            _ => json!([]),
        };
        Ok(RedirectTo::new(format!("https://op.example/accepted/{challenge}?{how}")))
    }

    async fn reject(&self, challenge: &str, reject: Reject) -> Result<RedirectTo, DeskError> {
        let how = json!([reject.error, reject.error_description]);
        Ok(RedirectTo::new(format!("https://op.example/rejected/{challenge}?{how}")))
    }
}
