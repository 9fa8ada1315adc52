//! A provider in this process with a client and any number of people, and what a relying party does.

pub(crate) mod arguments;
pub(crate) mod bulk;
pub(crate) mod database;
pub(crate) mod folder;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use auth_core::decision::Unavailable;
use auth_core::http::{Engine, Listener, Request, Response, dispatch};
use auth_core::keys::SigningAlgorithm;
use auth_core::store::{Store, TenantId};
use auth_core::{Authentication, Clock, Identity, IdentityDirectory, Secret, Subject};
use auth_oidc::Provider;
use auth_oidc::client::Client;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cookie::Cookie;
use http::{Method, StatusCode, header};
use ring::digest;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

const ISSUER: &str = "http://127.0.0.1:4444";
const CALLBACK: &str = "https://app.example/cb";
const CLIENT_SECRET: &str = "cs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Everybody who asks: each identifier signs in, and is its own subject.
#[derive(Debug)]
pub(crate) struct Everybody;

#[async_trait]
impl IdentityDirectory for Everybody {
    async fn authenticate(
        &self,
        _: TenantId,
        identifier: &str,
        _: &Secret,
    ) -> Result<Authentication, Unavailable> {
        Ok(Authentication::Accepted(Subject::from(identifier)))
    }

    async fn find(&self, _: TenantId, subject: &Subject) -> Result<Option<Identity>, Unavailable> {
        Ok(Some(Identity::new(subject.clone(), "A Person")))
    }
}

/// A provider on a store.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) provider: Provider,
    engine: Arc<dyn Engine>,
}

/// The cookies of a browser in which somebody is signed in: a code costs one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session(BTreeMap<String, String>);

/// Tokens of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Scene {
    /// Opens the provider on a store, which may have served one before.
    pub(crate) async fn open(store: Arc<dyn Store>, clock: impl Clock) -> Result<Self, Failure> {
        let app = Client::confidential("app", CLIENT_SECRET).redirect_uri(CALLBACK).skip_consent();
        let provider = Provider::builder(ISSUER)
            .development()
            .shared_store(store)
            .pages(auth_ui::DefaultPages::new())
            .directory(Everybody)
            .clock(clock)
            .signing_keys(|keys| keys.algorithms = vec![SigningAlgorithm::Es256])
            .client(app.scope("openid offline_access"))
            .client(Client::service("svc", CLIENT_SECRET).scope("openid").introspect_any())
            .build()
            .await?;
        let engine = provider.engine();
        Ok(Self { provider, engine })
    }

    /// Goes through the login page once. The session outlives the browser's.
    pub(crate) async fn sign_in(&self, identifier: &str) -> Result<Session, Failure> {
        let mut session = Session::default();
        let mut response = self.browse(&mut session, Method::GET, &authorization_url(), "").await?;
        while let Some(location) = location(&response) {
            response = self.browse(&mut session, Method::GET, &location, "").await?;
        }
        let page = String::from_utf8_lossy(response.body()).into_owned();
        let challenge = hidden(&page, "login_challenge").ok_or("there is no login page")?;
        let form = encoded(&[
            ("login_challenge", challenge.as_str()),
            ("identifier", identifier),
            ("password", "any"),
            ("remember", "true"),
        ]);
        response = self.browse(&mut session, Method::POST, "/oauth2/login", &form).await?;
        loop {
            let location = location(&response)
                .ok_or_else(|| format!("the sign-in led to {}", response.status()))?;
            if location.starts_with(CALLBACK) {
                return Ok(session);
            }
            response = self.browse(&mut session, Method::GET, &location, "").await?;
        }
    }

    /// Sends a request as the browser, and keeps the cookies of the answer.
    async fn browse(
        &self,
        session: &mut Session,
        method: Method,
        url: &str,
        form: &str,
    ) -> Result<Response, Failure> {
        let response = self.send(session.request(method, url, form)?).await;
        for set in response.headers().get_all(header::SET_COOKIE) {
            let cookie = Cookie::parse(set.to_str()?)?;
            session.0.insert(cookie.name().to_owned(), cookie.value().to_owned());
        }
        Ok(response)
    }

    async fn send(&self, request: Request) -> Response {
        dispatch(&*self.engine, Listener::Public, request).await
    }

    /// A new code.
    pub(crate) async fn code(&self, session: &Session) -> Result<String, Failure> {
        let response = self.send(authorization(session)?).await;
        code_of(response.headers())
    }

    /// Tokens of a new grant.
    pub(crate) async fn grant(&self, session: &Session) -> Result<Tokens, Failure> {
        let code = self.code(session).await?;
        self.redeem(&code).await?.ok_or_else(|| "a redemption failed".into())
    }

    /// Redeems a code; `None` if it is refused.
    pub(crate) async fn redeem(&self, code: &str) -> Result<Option<Tokens>, Failure> {
        self.tokens(redemption(code)?).await
    }

    /// Uses a refresh token; `None` if it is refused.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Option<Tokens>, Failure> {
        self.tokens(refresh(token)?).await
    }

    async fn tokens(&self, request: Request) -> Result<Option<Tokens>, Failure> {
        let response = self.send(request).await;
        let answer: Value = serde_json::from_slice(response.body())?;
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        match (response.status(), text("access_token"), text("refresh_token")) {
            (StatusCode::OK, Some(access), Some(refresh)) => Ok(Some(Tokens { access, refresh })),
            (StatusCode::BAD_REQUEST, ..) if answer["error"] == "invalid_grant" => Ok(None),
            (status, ..) => Err(format!("no answer of a token endpoint: {status} {answer}").into()),
        }
    }

    pub(crate) async fn is_active(&self, token: &str) -> Result<bool, Failure> {
        let response = self.send(introspection(token)?).await;
        let answer: Value = serde_json::from_slice(response.body())?;
        answer["active"].as_bool().ok_or_else(|| format!("no introspection: {answer}").into())
    }
}

impl Session {
    fn request(&self, method: Method, url: &str, form: &str) -> Result<Request, Failure> {
        let path = url.strip_prefix(ISSUER).unwrap_or(url);
        let cookies: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(http::Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookies.join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.to_owned().into())?)
    }
}

/// An authorization request in a browser.
pub(crate) fn authorization(session: &Session) -> Result<Request, Failure> {
    session.request(Method::GET, &authorization_url(), "")
}

/// The code in the redirect that answers an authorization request.
pub(crate) fn code_of(headers: &http::HeaderMap) -> Result<String, Failure> {
    let location = headers.get(header::LOCATION).ok_or("there is no redirect")?.to_str()?;
    let code = Url::parse(location)?
        .query_pairs()
        .find_map(|(name, value)| (name == "code").then(|| value.into_owned()));
    Ok(code.ok_or("a redirect without a code")?)
}

pub(crate) fn redemption(code: &str) -> Result<Request, Failure> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    post("/oauth2/token", "app", &form)
}

pub(crate) fn refresh(token: &str) -> Result<Request, Failure> {
    post("/oauth2/token", "app", &[("grant_type", "refresh_token"), ("refresh_token", token)])
}

pub(crate) fn client_credentials() -> Result<Request, Failure> {
    post("/oauth2/token", "svc", &[("grant_type", "client_credentials"), ("scope", "openid")])
}

pub(crate) fn introspection(token: &str) -> Result<Request, Failure> {
    post("/oauth2/introspect", "svc", &[("token", token)])
}

/// Ends a proof unless something holds.
pub(crate) fn must(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}").into()) }
}

/// A form, posted by a client.
fn post(path: &str, client: &str, form: &[(&str, &str)]) -> Result<Request, Failure> {
    let credentials = STANDARD.encode(format!("{client}:{CLIENT_SECRET}"));
    Ok(http::Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Basic {credentials}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(encoded(form).into())?)
}

fn encoded(form: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(form).finish()
}

fn authorization_url() -> String {
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
    let query = encoded(&[
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid offline_access"),
        ("state", "state-1234567890"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    format!("/oauth2/auth?{query}")
}

fn location(response: &Response) -> Option<String> {
    response.headers().get(header::LOCATION)?.to_str().ok().map(str::to_owned)
}

/// The value of a hidden field of a page.
fn hidden(page: &str, name: &str) -> Option<String> {
    let (_, after) = page.split_once(&format!("name=\"{name}\""))?;
    let (_, after) = after.split_once("value=\"")?;
    Some(after.split_once('"')?.0.to_owned())
}
