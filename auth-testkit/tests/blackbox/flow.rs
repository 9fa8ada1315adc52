//! What a relying party and a person do, step by step.

use std::collections::BTreeMap;

use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use ring::digest;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::world::{PASSWORD, SECRET, SPA_CALLBACK, WEB_CALLBACK, World};

/// A PKCE verifier and its challenge.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// An authorization request: `request("web")` is a good one.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest(Vec<(String, String)>);

/// A good request of the client `web` or `spa`.
pub fn request(client: &str) -> AuthorizationRequest {
    let callback = if client == "spa" { SPA_CALLBACK } else { WEB_CALLBACK };
    AuthorizationRequest::bare()
        .set("client_id", client)
        .set("redirect_uri", callback)
        .set("response_type", "code")
        .set("scope", "openid offline_access")
        .set("state", "state-1234567890")
        .set("nonce", "nonce-1234567890")
        .set("code_challenge", &challenge_of(VERIFIER))
        .set("code_challenge_method", "S256")
}

impl AuthorizationRequest {
    /// Without any parameter.
    pub fn bare() -> Self {
        Self(Vec::new())
    }

    /// With this value, in place of any other.
    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// With one value more.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// With its parameters the other way round.
    pub fn reversed(mut self) -> Self {
        self.0.reverse();
        self
    }

    pub fn query(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    pub fn url(&self, world: &World) -> String {
        format!("{}?{}", world.url("/oauth2/auth"), self.query())
    }
}

/// What reached the client's redirect URI.
#[derive(Debug, Clone)]
pub struct Callback {
    pub url: Url,
    pub parameters: BTreeMap<String, String>,
}

impl Callback {
    pub fn of(url: Url) -> Self {
        let parameters = url.query_pairs().into_owned().collect();
        Self { url, parameters }
    }

    pub fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    pub fn code(&self) -> String {
        let code = self.get("code");
        assert!(!code.is_empty(), "no code in {}", self.url);
        code.to_owned()
    }
}

/// Where a walk through the provider's pages ended.
#[derive(Debug, Clone)]
pub enum End {
    /// At the client.
    Callback(Callback),
    /// At a page of the provider.
    Page(Reply),
}

impl End {
    pub fn callback(self) -> Callback {
        match self {
            Self::Callback(callback) => callback,
            Self::Page(reply) => {
                panic!("a page instead of a callback: {} {}", reply.status, reply.text())
            }
        }
    }

    pub fn page(self) -> Reply {
        match self {
            Self::Page(reply) => reply,
            Self::Callback(callback) => panic!("a callback instead of a page: {}", callback.url),
        }
    }
}

/// How a person answers.
#[derive(Debug, Clone)]
pub struct Person<'a> {
    pub identifier: &'a str,
    pub password: &'a str,
    /// Whether the session outlives the browser's.
    pub remember: bool,
    /// Whether the consent is remembered.
    pub remember_consent: bool,
    /// `None` ticks every scope.
    pub scopes: Option<Vec<&'a str>>,
}

pub const ALICE: Person<'static> = Person {
    identifier: "alice",
    password: PASSWORD,
    remember: false,
    remember_consent: false,
    scopes: None,
};

pub const BOB: Person<'static> = Person { identifier: "bob", ..ALICE };

/// Follows redirects within the provider until a page or the client is reached.
pub async fn follow(world: &World, browser: &Browser, mut reply: Reply) -> End {
    for _ in 0..12 {
        let Some(location) = reply.location() else { return End::Page(reply) };
        assert!(
            reply.status == StatusCode::SEE_OTHER || reply.status == StatusCode::FOUND,
            "a redirect by {}",
            reply.status
        );
        if !location.as_str().starts_with(&world.issuer) {
            return End::Callback(Callback::of(location));
        }
        reply = browser.get(location.as_str()).await.unwrap();
    }
    panic!("redirects without end");
}

/// Opens a URL and follows it.
pub async fn open(world: &World, browser: &Browser, url: &str) -> End {
    let reply = browser.get(url).await.unwrap();
    follow(world, browser, reply).await
}

/// Goes on from a page: signs in, consents, until the client or another page is reached.
pub async fn answer(world: &World, browser: &Browser, person: &Person<'_>, mut end: End) -> End {
    for _ in 0..4 {
        let End::Page(page) = &end else { return end };
        let reply = if let Some(challenge) = page.hidden("login_challenge") {
            let mut form = vec![
                ("login_challenge", challenge.as_str()),
                ("identifier", person.identifier),
                ("password", person.password),
                ("action", "login"),
            ];
            if person.remember {
                form.push(("remember", "true"));
            }
            let reply = browser.post(&world.url("/oauth2/login"), &form).await.unwrap();
            if reply.location().is_none() {
                return End::Page(reply);
            }
            reply
        } else if let Some(challenge) = page.hidden("consent_challenge") {
            let offered = page.values("grant_scope");
            let mut form = vec![("consent_challenge", challenge.as_str()), ("action", "accept")];
            let all = || offered.iter().map(String::as_str).collect();
            let ticked = person.scopes.clone().unwrap_or_else(all);
            form.extend(ticked.iter().map(|scope| ("grant_scope", *scope)));
            if person.remember_consent {
                form.push(("remember", "true"));
            }
            browser.post(&world.url("/oauth2/consent"), &form).await.unwrap()
        } else {
            return end;
        };
        end = follow(world, browser, reply).await;
    }
    end
}

/// The whole way of a request, answered by a person.
pub async fn authorize(
    world: &World,
    browser: &Browser,
    person: &Person<'_>,
    request: &AuthorizationRequest,
) -> End {
    let end = open(world, browser, &request.url(world)).await;
    answer(world, browser, person, end).await
}

/// How a client authenticates.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    Basic(&'a str, &'a str),
    Post(&'a str, &'a str),
    None(&'a str),
    /// Not at all, not even by name.
    Nothing,
}

pub const WEB: By<'static> = By::Basic("web", SECRET);
pub const SPA: By<'static> = By::None("spa");
pub const SVC: By<'static> = By::Basic("svc", SECRET);
pub const RS: By<'static> = By::Basic("rs", SECRET);

/// Posts a form to a back-channel endpoint.
pub async fn post_as(world: &World, path: &str, by: By<'_>, form: &[(&str, &str)]) -> Reply {
    let browser = Browser::new();
    let mut form = form.to_vec();
    let mut request = browser.http().post(world.url(path));
    match by {
        By::Basic(id, secret) => {
            let credentials = STANDARD.encode(format!("{id}:{secret}"));
            request = request.header("authorization", format!("Basic {credentials}"));
        }
        By::Post(id, secret) => form.extend([("client_id", id), ("client_secret", secret)]),
        By::None(id) => form.push(("client_id", id)),
        By::Nothing => {}
    }
    browser.send(request.form(&form)).await.unwrap()
}

pub async fn token(world: &World, by: By<'_>, form: &[(&str, &str)]) -> Reply {
    post_as(world, "/oauth2/token", by, form).await
}

/// Redeems a code with the right verifier and redirect URI.
pub async fn redeem(world: &World, by: By<'_>, code: &str) -> Reply {
    let callback = if matches!(by, By::None("spa")) { SPA_CALLBACK } else { WEB_CALLBACK };
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", callback),
        ("code_verifier", VERIFIER),
    ];
    token(world, by, &form).await
}

pub async fn refresh(world: &World, by: By<'_>, refresh_token: &str) -> Reply {
    token(world, by, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
}

/// Tokens of a sign-in.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub id: String,
    pub answer: Value,
}

impl Tokens {
    pub fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        let answer = reply.json();
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
            id: text("id_token"),
            answer,
        }
    }
}

/// A code for `web`, by alice in a new browser.
pub async fn code(world: &World) -> String {
    authorize(world, &Browser::new(), &ALICE, &request("web")).await.callback().code()
}

/// Tokens for `web`, by alice in a new browser.
pub async fn tokens(world: &World) -> Tokens {
    Tokens::of(&redeem(world, WEB, &code(world).await).await)
}

/// What introspection says to the resource server.
pub async fn introspect(world: &World, token: &str) -> Value {
    let reply = post_as(world, "/oauth2/introspect", RS, &[("token", token)]).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

pub async fn is_active(world: &World, token: &str) -> bool {
    introspect(world, token).await["active"].as_bool().unwrap()
}

pub async fn userinfo(world: &World, access_token: &str) -> Reply {
    let browser = Browser::new();
    let request = browser.http().get(world.url("/userinfo"));
    browser.send(request.header("authorization", format!("Bearer {access_token}"))).await.unwrap()
}

/// The claims of a JWT, not verified.
pub fn claims(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// T(e): the token endpoint refuses with this status and error, nothing is issued or cached.
pub fn assert_refused(reply: &Reply, status: u16, error: &str) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
    assert_eq!(reply.json()["error"], error, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), "no-store");
    assert!(reply.json()["error_description"].as_str().is_some_and(|text| !text.is_empty()));
    assert!(!reply.text().contains("access_token\":"), "{}", reply.text());
}

/// PAGE400 and its like: a page of our own with this status, no redirect, nothing cached.
pub fn assert_page(reply: &Reply, status: u16) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
    assert!(reply.location().is_none(), "a redirect to {:?}", reply.location());
    assert!(reply.header("content-type").starts_with("text/html"), "{:?}", reply.headers);
    assert_eq!(reply.header("cache-control"), "no-store");
}

/// RED(e): the error reached the client with its state and our `iss`, and no code.
pub fn assert_redirected(world: &World, callback: &Callback, error: &str) {
    assert_eq!(callback.get("error"), error, "{}", callback.url);
    assert_eq!(callback.get("iss"), world.issuer);
    assert!(!callback.parameters.contains_key("code"), "{}", callback.url);
}
