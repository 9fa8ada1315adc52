//! [`Pass`]: one run through a plan's modules, with a response type and a response mode of its own.

use std::collections::BTreeMap;

use auth_core::Clock;
use auth_core::keys::{CompactJws, SigningAlgorithm};
use auth_oidc::client::{Client, ResponseType, TokenEndpointAuthMethod};
use auth_oidc::provider::ResponseTypePolicy;
use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use ring::digest;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::flow::*;
use crate::world::{SECRET, Setup, WEB_CALLBACK, World, web};

/// The one that is registered for another way to authenticate.
pub(super) const POSTING: By<'static> = By::Post("posting", SECRET);

/// A relying party in one pass.
pub(super) struct Pass<'a> {
    pub(super) world: &'a World,
    pub(super) response_type: ResponseType,
    pub(super) form_post: bool,
}

/// What reached the client, and where it stood is right.
pub(super) type Answer = BTreeMap<String, String>;

/// What a whole flow brought, all of it verified.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// The claims of the id token: of the one from the front channel, if there are two.
    pub(super) id: Value,
    pub(super) id_token: String,
    /// Of the token endpoint, or else of the front channel.
    pub(super) access: Option<String>,
    pub(super) refresh: String,
}

/// Runs a module in each pass of the plans basic, implicit and hybrid and of their form_post twins. On a database two
/// of them are enough: what is different between them happens before it.
pub(super) async fn each_pass(setup: Setup, module: impl AsyncFn(&Pass<'_>)) {
    let client = |client: Client| {
        let client = client.id_token_alg(SigningAlgorithm::Rs256);
        ResponseType::ALL.into_iter().fold(client, Client::response_type)
    };
    let world = World::with(setup, |builder| {
        let posting = Client::confidential("posting", SECRET)
            .auth_method(TokenEndpointAuthMethod::ClientSecretPost)
            .redirect_uri(WEB_CALLBACK)
            .scope("openid profile email address phone offline_access");
        builder
            .response_types(ResponseTypePolicy::InsecureAccessTokens)
            // The suite sends no PKCE but in one module.
            .insecure_pkce_for_public_clients_only()
            .acr_values(["1", "2"])
            .client(client(web()))
            .client(client(posting))
    })
    .await;
    // That of OAuth 2.0 alone is in no plan.
    for response_type in ResponseType::ALL.into_iter().filter(|it| *it != ResponseType::Token) {
        for form_post in [false, true] {
            let usual = response_type == ResponseType::Code && !form_post;
            let fullest = response_type == ResponseType::CodeIdTokenToken && form_post;
            if setup.in_memory() || usual || fullest {
                module(&Pass { world: &world, response_type, form_post }).await;
            }
        }
    }
}

impl Pass<'_> {
    pub(super) fn is(&self, of: &[ResponseType]) -> bool {
        of.contains(&self.response_type)
    }

    /// A good request, as the suite makes it.
    pub(super) fn request(&self) -> AuthorizationRequest {
        let request = AuthorizationRequest::bare()
            .set("client_id", "web")
            .set("redirect_uri", WEB_CALLBACK)
            .set("scope", "openid")
            .set("state", "oIZ4uKsmR2")
            .set("nonce", "yfmqGqLpMZ")
            .set("response_type", self.response_type.as_str());
        if self.form_post { request.set("response_mode", "form_post") } else { request }
    }

    /// Sends a request; a person signs in and consents wherever they are asked.
    pub(super) async fn send(&self, browser: &Browser, request: &AuthorizationRequest) -> Answer {
        let person = Person { remember_consent: true, ..ALICE };
        self.arrived(authorize(self.world, browser, &person, request).await, request)
    }

    /// Sends a request that nobody may be asked about.
    pub(super) async fn send_silently(
        &self,
        browser: &Browser,
        request: &AuthorizationRequest,
    ) -> Answer {
        self.arrived(open(self.world, browser, &request.url(self.world)).await, request)
    }

    /// What the client gets, after a look at how.
    pub(super) fn arrived(&self, end: End, request: &AuthorizationRequest) -> Answer {
        let answer = match (self.form_post, end) {
            (true, End::Page(page)) => posted(&page),
            (false, End::Callback(callback)) => {
                assert_eq!(callback.url.as_str().split(['?', '#']).next(), Some(WEB_CALLBACK));
                let fragment = callback.url.fragment().unwrap_or_default();
                match self.response_type {
                    ResponseType::Code => assert_eq!(fragment, ""),
                    _ => assert_eq!(callback.url.query(), None),
                }
                let inside = form_urlencoded::parse(fragment.as_bytes()).into_owned();
                callback.parameters.into_iter().chain(inside).collect()
            }
            (_, end) => panic!("{} by another way: {end:?}", self.response_type),
        };
        assert_eq!(answer.get("state"), parameter(request, "state").as_ref());
        assert_eq!(answer["iss"], self.world.issuer);
        answer
    }

    /// A refused request: an error where the answer would be, and nothing that a client does not know.
    pub(super) fn refused(&self, answer: &Answer) -> String {
        for (name, value) in answer {
            assert!(["error", "error_description", "state", "iss"].contains(&&**name), "{name}");
            // RFC 6749 §4.1.2.1
            assert!(value.chars().all(|c| matches!(c, ' '..='~')), "{value}");
        }
        assert!(!answer["error_description"].contains(['"', '\\']));
        answer["error"].clone()
    }

    /// An error page, or an error for the client.
    pub(super) async fn assert_refused(&self, request: &AuthorizationRequest, errors: &[&str]) {
        match open(self.world, &Browser::new(), &request.url(self.world)).await {
            End::Page(page) if page.status == 400 => assert_page(&page, 400),
            end => {
                let error = self.refused(&self.arrived(end, request));
                assert!(errors.contains(&&*error), "{error}");
            }
        }
    }

    /// Takes the answer to a request to its end: redeems the code, verifies every token.
    pub(super) async fn outcome(&self, answer: Answer, to: &AuthorizationRequest) -> Outcome {
        self.outcome_by(answer, to, WEB).await
    }

    pub(super) async fn outcome_by(
        &self,
        answer: Answer,
        to: &AuthorizationRequest,
        by: By<'_>,
    ) -> Outcome {
        assert!(!answer.contains_key("error"), "{answer:?}");
        let client = match by {
            By::Basic(id, _) | By::Post(id, _) => id,
            _ => panic!("another way to authenticate"),
        };
        let nonce = parameter(to, "nonce");
        let nonce = nonce.as_deref();
        let has = |name: &str| answer.contains_key(name);
        assert_eq!(has("code"), self.response_type.has_code());
        assert_eq!(has("id_token"), self.response_type.has_id_token());
        assert_eq!(has("access_token"), self.response_type.has_token());
        let mut id = None;
        if let Some(id_token) = answer.get("id_token") {
            let said = self.verified(id_token, client, nonce).await;
            assert_eq!(
                said["at_hash"],
                answer.get("access_token").map_or(Value::Null, |it| half_of_hash(it))
            );
            assert_eq!(
                said["c_hash"],
                answer.get("code").map_or(Value::Null, |it| half_of_hash(it))
            );
            id = Some((said, id_token.clone()));
        }
        let mut access = answer.get("access_token").cloned();
        if let Some(token) = &access {
            assert_random(token);
            assert_eq!(answer["token_type"], "Bearer");
            assert!(answer["expires_in"].parse::<u64>().unwrap() > 0);
        }
        let mut refresh = String::new();
        if let Some(code) = answer.get("code") {
            assert_random(code);
            let reply = self.redeem(by, code, parameter(to, "code_challenge").is_some()).await;
            let tokens = Tokens::of(&reply);
            assert_eq!(reply.header("cache-control"), "no-store");
            assert_random(&tokens.access);
            assert_eq!(tokens.answer["token_type"], "Bearer");
            assert!(tokens.answer["expires_in"].as_u64().unwrap() > 0);
            let late = self.verified(&tokens.id, client, nonce).await;
            assert!(late["at_hash"].is_null() || late["at_hash"] == half_of_hash(&tokens.access));
            assert!(late["c_hash"].is_null() || late["c_hash"] == half_of_hash(code));
            if let Some((early, _)) = &id {
                assert_eq!((&late["iss"], &late["sub"]), (&early["iss"], &early["sub"]));
            }
            for token in access.iter().chain([&tokens.access]) {
                assert_eq!(self.userinfo(token).await["sub"], late["sub"]);
            }
            id.get_or_insert((late, tokens.id.clone()));
            access = Some(tokens.access);
            refresh = tokens.refresh;
        }
        let (id, id_token) = id.expect("each response type here brings one");
        Outcome { id, id_token, access, refresh }
    }

    /// A whole flow in a browser.
    pub(super) async fn complete(
        &self,
        browser: &Browser,
        request: &AuthorizationRequest,
    ) -> Outcome {
        self.outcome(self.send(browser, request).await, request).await
    }

    /// Redeems a code, with the verifier if there was a challenge.
    pub(super) async fn redeem(&self, by: By<'_>, code: &str, pkce: bool) -> Reply {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", WEB_CALLBACK),
        ];
        form.extend(pkce.then_some(("code_verifier", VERIFIER)));
        token(self.world, by, &form).await
    }

    pub(super) async fn userinfo(&self, token: &str) -> Value {
        let reply = userinfo(self.world, token).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("content-type"), "application/json");
        reply.json()
    }

    /// What is said of the person, where it is said in this pass.
    pub(super) async fn said(&self, outcome: &Outcome) -> Value {
        match &outcome.access {
            Some(token) => self.userinfo(token).await,
            None => outcome.id.clone(),
        }
    }

    /// The claims of an id token, after all that the suite checks of each.
    async fn verified(&self, id_token: &str, client: &str, nonce: Option<&str>) -> Value {
        let jwks = Browser::new().get(&self.world.url("/.well-known/jwks.json")).await.unwrap();
        let jwks: JwkSet = serde_json::from_str(&jwks.text()).unwrap();
        let jws = CompactJws::parse(id_token).unwrap();
        assert_eq!(jws.header().alg, SigningAlgorithm::Rs256);
        let key = jwks.find(jws.header().kid.as_deref().unwrap()).unwrap();
        let claims = Value::Object(jws.verify(key).unwrap());
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(self.world.issuer), &json!(client)));
        let now = self.world.clock.now().as_secs();
        let time = |name: &str| claims[name].as_u64().unwrap();
        assert!(time("exp") > now && time("exp") < now + 86_400 && time("iat").abs_diff(now) < 300);
        assert!(time("auth_time") <= now);
        assert_eq!(claims.get("nonce").and_then(Value::as_str), nonce);
        assert_eq!(claims["sub"], "u-alice");
        claims
    }
}

fn parameter(request: &AuthorizationRequest, name: &str) -> Option<String> {
    let query = request.query();
    let found = form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

fn half_of_hash(value: &str) -> Value {
    let hash = digest::digest(&digest::SHA256, value.as_bytes());
    json!(URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]))
}

/// At least 128 bits, by their number and by how different they are.
fn assert_random(token: &str) {
    let mut counts = BTreeMap::<char, f64>::new();
    token.chars().for_each(|c| *counts.entry(c).or_default() += 1.0);
    let length = token.chars().count() as f64;
    let each: f64 = counts.values().map(|count| -(count / length) * (count / length).log2()).sum();
    assert!(length >= 22.0 && length * each > 96.0, "{token}");
    assert!(token.chars().all(|c| c.is_ascii_graphic()));
}

/// What a page posts to the client by itself.
fn posted(page: &Reply) -> Answer {
    assert_eq!(page.status, 200, "{}", page.text());
    let html = page.text();
    assert!(html.contains(&format!("<form method=\"post\" action=\"{WEB_CALLBACK}\">")), "{html}");
    assert!(html.contains("HTMLFormElement.prototype.submit.call"), "{html}");
    let part = |text: &str, name: &str| {
        let start = text.split(&format!("{name}=\"")).nth(1).unwrap();
        let text = start.split('"').next().unwrap();
        text.replace("&quot;", "\"").replace("&#x2f;", "/").replace("&amp;", "&")
    };
    let inputs = html.split("<input type=\"hidden\"").skip(1);
    inputs.map(|input| (part(input, "name"), part(input, "value"))).collect()
}
