//! [`Caller`]: a client and a browser at a provider, ours or the peer.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use auth_core::http::Request;
use auth_core::keys::SigningAlgorithm;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use cookie::Cookie;
use http::{Method, Response, header};
use ring::digest;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::keys::Keys;
use crate::operation::Operation;
use crate::scene::Failure;
use crate::served::callers::{Callers, encode};

pub(crate) const SECRET: &str = "cs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
pub(crate) const CALLBACK: &str = "https://app.example/cb";
/// How many refresh tokens a caller has.
const FAMILIES: usize = 64;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Where a provider is, and where it differs from the other one.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// By the algorithm of access tokens, in the order of [`Keys::ALGORITHMS`].
    pub(crate) addresses: [SocketAddr; 3],
    pub(crate) token: &'static str,
    pub(crate) introspection: &'static str,
    pub(crate) authorization: &'static str,
    pub(crate) jwks: &'static str,
    /// The client that people sign in at.
    pub(crate) web: &'static str,
    pub(crate) callback: String,
    /// Which client gets JWTs, and whether it asks for them by a resource.
    pub(crate) jwt_client: &'static str,
    pub(crate) by_resource: bool,
}

impl Site {
    /// A provider of ours.
    pub(crate) fn ours(addresses: [SocketAddr; 3], web: &'static str, callback: String) -> Self {
        Self {
            addresses,
            token: "/oauth2/token",
            introspection: "/oauth2/introspect",
            authorization: "/oauth2/auth",
            jwks: "/.well-known/jwks.json",
            web,
            callback,
            jwt_client: "svc-jwt",
            by_resource: false,
        }
    }

    /// At which of the addresses an operation is done.
    pub(crate) fn place(operation: Operation) -> usize {
        match operation {
            Operation::Jwt(algorithm) => {
                Keys::ALGORITHMS.iter().position(|it| *it == algorithm).unwrap_or_default()
            }
            _ => 0,
        }
    }

    /// Callers who have been here before: each has a session, refresh tokens and an opaque token.
    pub(crate) fn callers(&self, count: usize) -> Result<Vec<Caller>, Failure> {
        let mut callers = Vec::new();
        for _ in 0..count {
            let mut caller = Caller::connected(self)?;
            let flows = [Operation::Flow; FAMILIES];
            for operation in flows.into_iter().chain([Operation::ClientCredentials]) {
                let mut request = caller.begin(operation);
                while let Some(sent) = request {
                    caller.send(operation, &sent)?;
                    request = caller.receive(operation)?;
                }
            }
            callers.push(caller);
        }
        Ok(callers)
    }
}

/// A client of the provider, and the browser of somebody who uses it.
pub(crate) struct Caller {
    site: Site,
    connections: Vec<Callers>,
    /// By name alone.
    cookies: BTreeMap<String, String>,
    /// Those of somebody who is signed in.
    session: BTreeMap<String, String>,
    /// Where the browser is.
    path: String,
    access_token: String,
    /// Of different grants, used in turn: a client refreshes once in an hour, and seldom again at once.
    refresh_tokens: VecDeque<String>,
}

impl Caller {
    /// One without connections.
    pub(crate) fn alone(site: &Site) -> Self {
        Self {
            site: site.clone(),
            connections: Vec::new(),
            cookies: BTreeMap::new(),
            session: BTreeMap::new(),
            path: String::new(),
            access_token: String::new(),
            refresh_tokens: VecDeque::new(),
        }
    }

    /// One that is at nothing yet.
    pub(crate) fn connected(site: &Site) -> Result<Self, Failure> {
        let connections = site.addresses.iter().map(|it| Callers::connect(*it, 1));
        Ok(Self { connections: connections.collect::<Result<_, _>>()?, ..Self::alone(site) })
    }

    /// The first request of an operation.
    pub(crate) fn begin(&mut self, operation: Operation) -> Option<Request> {
        let site = &self.site;
        let credentials = ("grant_type", "client_credentials");
        Some(match operation {
            Operation::ClientCredentials => {
                post(site.token, "svc", &[credentials, ("scope", "api")])
            }
            Operation::Jwt(algorithm) => {
                let resource = match algorithm {
                    SigningAlgorithm::Es256 => "https://api.example/es256",
                    SigningAlgorithm::EdDsa => "https://api.example/eddsa",
                    _ => "https://api.example/rs256",
                };
                let form = [credentials, ("scope", "api"), ("resource", resource)];
                post(site.token, site.jwt_client, &form[..if site.by_resource { 3 } else { 2 }])
            }
            Operation::Introspection => {
                post(site.introspection, "svc", &[("token", &self.access_token)])
            }
            Operation::Refresh => {
                let token = self.refresh_tokens.pop_front().unwrap_or_default();
                let form = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
                post(site.token, site.web, &form)
            }
            Operation::Flow => {
                self.cookies.clear();
                let url = self.authorization("openid offline_access", Some("consent"));
                self.browse(Method::GET, url, "")
            }
            Operation::FlowWithSession => {
                self.cookies.clone_from(&self.session);
                let url = self.authorization("openid", None);
                self.browse(Method::GET, url, "")
            }
            Operation::Discovery => {
                self.browse(Method::GET, "/.well-known/openid-configuration".into(), "")
            }
            Operation::Jwks => self.browse(Method::GET, site.jwks.into(), ""),
        })
    }

    /// The request that comes after an answer; `None` at the end.
    pub(crate) fn next(
        &mut self,
        operation: Operation,
        answer: &Response<Bytes>,
    ) -> Result<Option<Request>, Failure> {
        for set in answer.headers().get_all(header::SET_COOKIE) {
            let cookie = Cookie::parse(set.to_str()?)?;
            self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
        }
        if let Some(location) = answer.headers().get(header::LOCATION) {
            return self.follow(location.to_str()?).map(Some);
        }
        let of = answer.headers().get(header::CONTENT_TYPE).ok_or("an answer of no type")?;
        if of.to_str()?.starts_with("text/html") {
            let page = std::str::from_utf8(answer.body())?;
            let form = fill(page);
            let action =
                attribute(page.split_once("<form").ok_or("a page without form")?.1, "action");
            let path = path_of(action.ok_or("a form without action")?).to_owned();
            return Ok(Some(self.browse(Method::POST, path, &form)));
        }
        let document: Value = serde_json::from_slice(answer.body())?;
        let text = |name: &str| document[name].as_str().map(str::to_owned);
        let good = match operation {
            Operation::Introspection => document["active"] == true,
            Operation::Discovery => text("issuer").is_some(),
            Operation::Jwks => document["keys"].as_array().is_some_and(|keys| keys.len() == 3),
            Operation::ClientCredentials => {
                self.access_token = text("access_token").unwrap_or_default();
                !self.access_token.is_empty()
            }
            Operation::Jwt(algorithm) => {
                let header = text("access_token").unwrap_or_default();
                let header =
                    URL_SAFE_NO_PAD.decode(header.split('.').next().unwrap_or_default())?;
                serde_json::from_slice::<Value>(&header)?["alg"] == algorithm.name()
            }
            Operation::Flow | Operation::Refresh => {
                if operation == Operation::Flow {
                    self.session.clone_from(&self.cookies);
                }
                self.refresh_tokens.extend(text("refresh_token"));
                text("id_token").is_some() && document["refresh_token"].is_string()
            }
            Operation::FlowWithSession => text("id_token").is_some(),
        };
        match good {
            true => Ok(None),
            false => Err(format!("{} was answered by {document}", operation.name()).into()),
        }
    }

    pub(crate) fn send(&mut self, operation: Operation, request: &Request) -> Result<(), Failure> {
        self.connections[Site::place(operation)].send(&[encode(request)])
    }

    pub(crate) fn receive(&mut self, operation: Operation) -> Result<Option<Request>, Failure> {
        let [answer] = self.connections[Site::place(operation)]
            .receive(1)?
            .try_into()
            .map_err(|_| "one request has one answer")?;
        self.next(operation, &answer)
    }

    fn authorization(&self, scope: &str, prompt: Option<&str>) -> String {
        let challenge =
            URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
        let query = encoded(&[
            ("client_id", self.site.web),
            ("redirect_uri", &self.site.callback),
            ("response_type", "code"),
            ("scope", scope),
            ("state", "state-1234567890"),
            ("nonce", "nonce-1234567890"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let prompt = prompt.map(|prompt| format!("&prompt={prompt}")).unwrap_or_default();
        format!("{}?{query}{prompt}", self.site.authorization)
    }

    fn browse(&mut self, method: Method, path: String, form: &str) -> Request {
        let mut request = http::Request::builder().method(method).uri(&path);
        if !self.cookies.is_empty() {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if !form.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        self.path = path;
        request.body(form.to_owned().into()).expect("what a server said is a request")
    }

    /// The page that a redirect leads to, or the code that it carries, redeemed.
    fn follow(&mut self, location: &str) -> Result<Request, Failure> {
        if !location.starts_with(&self.site.callback) {
            return Ok(self.browse(Method::GET, path_of(location).to_owned(), ""));
        }
        let url = Url::parse(location)?;
        let mut query = url.query_pairs();
        let code = query.find_map(|(name, value)| (name == "code").then(|| value.into_owned()));
        let code = code.ok_or_else(|| format!("a redirect without a code: {location}"))?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", &*self.site.callback),
            ("code_verifier", VERIFIER),
        ];
        Ok(post(self.site.token, self.site.web, &form))
    }
}

/// A form, posted by a client.
fn post(path: &str, client: &str, form: &[(&str, &str)]) -> Request {
    let credentials = STANDARD.encode(format!("{client}:{SECRET}"));
    http::Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Basic {credentials}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(encoded(form).into())
        .expect("it is made of texts of this program")
}

fn encoded(form: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(form).finish()
}

/// Path and query of a URL of the provider's.
fn path_of(url: &str) -> &str {
    match url.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => url,
    }
}

/// The fields of a page's form, as a person fills them in who agrees to everything.
fn fill(page: &str) -> String {
    let mut form = Serializer::new(String::new());
    for input in page.split("<input").skip(1) {
        let tag = input.split('>').next().unwrap_or_default();
        let Some(name) = attribute(tag, "name") else { continue };
        let value = match name {
            "login" | "identifier" => "alice",
            "password" => "wonderland",
            _ => attribute(tag, "value").unwrap_or_default(),
        };
        form.append_pair(name, value);
    }
    form.append_pair("action", "accept").finish()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = tag.split_once(&format!("{name}=\""))?;
    after.split('"').next()
}
