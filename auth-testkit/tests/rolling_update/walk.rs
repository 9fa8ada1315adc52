//! [`Walk`]: a person with a browser and a client, whose requests go to a chosen version.

use std::sync::atomic::{AtomicUsize, Ordering};

use auth_testkit::{Browser, Reply};
use quickstart::DEMO_SECRET;
use serde_json::Value;
use url::Url;

use crate::node::Nodes;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7636 appendix B: the challenge of that verifier.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// One browser and one client.
pub struct Walk<'a> {
    nodes: &'a Nodes,
    browser: Browser,
    /// Which version gets the next request, and whether they take turns.
    next: AtomicUsize,
    alternating: bool,
}

/// What a token response holds.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl<'a> Walk<'a> {
    /// Each request goes to the version that did not get the one before; the first to `first`.
    pub fn new(nodes: &'a Nodes, first: usize) -> Self {
        Self { nodes, browser: Browser::new(), next: AtomicUsize::new(first), alternating: true }
    }

    /// Every request goes to the same version: 0 is the earlier one, 1 is this one.
    pub fn only(nodes: &'a Nodes, node: usize) -> Self {
        Self { alternating: false, ..Self::new(nodes, node) }
    }

    /// The same browser at another version.
    pub fn going_on_at(&self, node: usize) -> Self {
        Self { browser: self.browser.clone(), ..Self::only(self.nodes, node) }
    }

    /// An absolute URL of the issuer, or a path of it, at the version whose turn it is.
    fn there(&self, url: &str) -> String {
        let step = usize::from(self.alternating);
        let base = &self.nodes.bases[self.next.fetch_add(step, Ordering::Relaxed) % 2];
        format!("{base}{}", url.strip_prefix(&self.nodes.issuer).unwrap_or(url))
    }

    pub async fn get(&self, url: &str) -> Reply {
        self.browser.get(&self.there(url)).await.unwrap()
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        self.browser.post(&self.there(path), form).await.unwrap()
    }

    async fn as_client(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        let request = Browser::new().http().post(self.there(path));
        let request = request.basic_auth("demo", Some(DEMO_SECRET)).form(form);
        Browser::new().send(request).await.unwrap()
    }

    fn authorization(&self, scope: &str, prompt: Option<&str>) -> String {
        let issuer = &self.nodes.issuer;
        let mut url = Url::parse(&format!("{issuer}/oauth2/auth")).unwrap();
        url.query_pairs_mut()
            .append_pair("client_id", "demo")
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", &format!("{issuer}/callback"))
            .append_pair("scope", scope)
            .append_pair("state", "state-1234567890")
            .append_pair("nonce", "nonce-1234567890")
            .append_pair("code_challenge", CHALLENGE)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(prompt.map(|prompt| ("prompt", prompt)));
        url.into()
    }

    /// The answer to the client, or the page that a person has to answer first.
    async fn follow(&self, mut reply: Reply) -> Result<Url, Reply> {
        let callback = format!("{}/callback", self.nodes.issuer);
        for _ in 0..12 {
            let Some(location) = reply.location() else { return Err(reply) };
            if location.as_str().starts_with(&callback) {
                return Ok(location);
            }
            // The issuer's URLs are relative to the version that was asked when they came without a host.
            let path = &location[url::Position::BeforePath..];
            reply = self.get(path).await;
        }
        panic!("redirects without end");
    }

    /// Signs alice in, consents, and returns the code.
    pub async fn sign_in(&self, scope: &str) -> String {
        let reply = self.get(&self.authorization(scope, None)).await;
        let mut end = self.follow(reply).await;
        for _ in 0..4 {
            let page = match end {
                Ok(callback) => return code(&callback).expect("a code"),
                Err(page) => page,
            };
            let reply = if let Some(challenge) = page.hidden("login_challenge") {
                let form = [
                    ("login_challenge", challenge.as_str()),
                    ("identifier", "alice"),
                    ("password", "wonderland"),
                    ("remember", "true"),
                    ("action", "login"),
                ];
                self.post("/oauth2/login", &form).await
            } else {
                let challenge = page.hidden("consent_challenge");
                let challenge = challenge.unwrap_or_else(|| panic!("{}", page.text()));
                let scopes = page.values("grant_scope");
                let mut form =
                    vec![("consent_challenge", challenge.as_str()), ("action", "accept")];
                form.push(("remember", "true"));
                form.extend(scopes.iter().map(|scope| ("grant_scope", scope.as_str())));
                self.post("/oauth2/consent", &form).await
            };
            end = self.follow(reply).await;
        }
        panic!("one page after another");
    }

    /// A code by the session and the remembered consent alone, or the answer that has none.
    pub async fn code_without_a_page(&self) -> Result<String, Url> {
        let reply = self.get(&self.authorization("openid", Some("none"))).await;
        match self.follow(reply).await {
            Ok(callback) => code(&callback).ok_or(callback),
            Err(page) => panic!("a page: {}", page.text()),
        }
    }

    async fn exchange(&self, code: &str) -> Reply {
        let callback = format!("{}/callback", self.nodes.issuer);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback.as_str()),
            ("code_verifier", VERIFIER),
        ];
        self.as_client("/oauth2/token", &form).await
    }

    pub async fn redeem(&self, code: &str) -> Tokens {
        Tokens::of(&self.exchange(code).await)
    }

    /// That a code is not good any more.
    pub async fn code_is_refused(&self, code: &str) {
        assert_eq!(self.exchange(code).await.status, 400);
    }

    pub async fn refresh(&self, token: &str) -> Tokens {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        Tokens::of(&self.as_client("/oauth2/token", &form).await)
    }

    pub async fn introspect(&self, token: &str) -> Value {
        let reply = self.as_client("/oauth2/introspect", &[("token", token)]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    pub async fn revoke(&self, token: &str) {
        let reply = self.as_client("/oauth2/revoke", &[("token", token)]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    pub async fn userinfo(&self, tokens: &Tokens) -> Reply {
        let request = self.browser.http().get(self.there("/userinfo"));
        Browser::new().send(request.bearer_auth(&tokens.access)).await.unwrap()
    }

    /// Ends the session at the provider's page.
    pub async fn sign_out(&self) {
        let page = self.get("/oauth2/sessions/logout").await;
        let page = match self.follow(page).await {
            Err(page) => page,
            Ok(callback) => panic!("the client was reached: {callback}"),
        };
        let challenge = page.hidden("logout_challenge");
        let challenge = challenge.unwrap_or_else(|| panic!("{}", page.text()));
        let form = [("logout_challenge", challenge.as_str()), ("action", "accept")];
        let reply = self.post("/oauth2/logout", &form).await;
        let _ = self.follow(reply).await;
    }
}

impl Tokens {
    fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let member = |name: &str| reply.json()[name].as_str().unwrap_or_default().to_owned();
        Self { access: member("access_token"), refresh: member("refresh_token") }
    }
}

fn code(callback: &Url) -> Option<String> {
    callback.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
}
