//! [`RelyingParty`]: a client for tests of your own provider.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use url::Url;

use crate::browser::{Browser, Reply};

/// A relying party that knows its provider by the issuer alone: discovery, code with PKCE, refresh,
/// userinfo. It verifies what a test should not have to: `state` and `iss`; id tokens it leaves to a
/// library of your choice.
///
/// ```no_run
/// # async fn example() -> Result<(), auth_testkit::WalkFailed> {
/// use auth_testkit::{Browser, RelyingParty};
///
/// let app = RelyingParty::discover("http://127.0.0.1:4444", "app", "http://127.0.0.1/cb").await?;
/// let browser = Browser::new();
/// let tokens = app.sign_in(&browser, "alice", "wonderland", "openid profile").await?;
/// assert_eq!(app.userinfo(&tokens).await?["sub"], "u-1");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct RelyingParty {
    metadata: Value,
    client_id: String,
    secret: Option<String>,
    redirect_uri: String,
}

/// A step of a walk did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkFailed {
    /// There was no answer.
    #[error("there was no answer")]
    Http(#[from] reqwest::Error),
    /// There was another answer than the step needs.
    #[error("{step}: {found}")]
    Step {
        /// Which step.
        step: &'static str,
        /// What came instead.
        found: String,
    },
}

fn failed(step: &'static str, reply: &Reply) -> WalkFailed {
    WalkFailed::Step { step, found: format!("{} {}", reply.status, reply.text()) }
}

impl RelyingParty {
    /// A public client of the provider at `issuer`.
    ///
    /// # Errors
    /// [`WalkFailed`] if there is no discovery document of that issuer.
    pub async fn discover(
        issuer: &str,
        client_id: &str,
        redirect_uri: &str,
    ) -> Result<Self, WalkFailed> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let reply = Browser::new().get(&url).await?;
        let metadata = reply.json();
        if metadata["issuer"] != issuer {
            return Err(failed("discovery", &reply));
        }
        let (client_id, redirect_uri) = (client_id.to_owned(), redirect_uri.to_owned());
        Ok(Self { metadata, client_id, secret: None, redirect_uri })
    }

    /// The same as a confidential client, by HTTP Basic.
    #[must_use]
    pub fn with_secret(self, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..self }
    }

    /// Walks through the provider's own pages as a person who signs in and allows everything; gives the
    /// answer of the token endpoint.
    ///
    /// # Errors
    /// [`WalkFailed`] names the step that did not succeed.
    pub async fn sign_in(
        &self,
        browser: &Browser,
        identifier: &str,
        password: &str,
        scope: &str,
    ) -> Result<Value, WalkFailed> {
        let [state, nonce, verifier] = [random(), random(), random()];
        let challenge = digest::digest(&digest::SHA256, verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        let url = Url::parse_with_params(
            self.endpoint("authorization_endpoint"),
            [
                ("client_id", self.client_id.as_str()),
                ("redirect_uri", &self.redirect_uri),
                ("response_type", "code"),
                ("scope", scope),
                ("state", &state),
                ("nonce", &nonce),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        );
        let url = url.map_err(|error| WalkFailed::Step {
            step: "the authorization endpoint",
            found: error.to_string(),
        })?;
        let callback = self.walk(browser, url.into(), identifier, password).await?;
        let get = |name: &str| {
            let found = callback.query_pairs().find(|(known, _)| known == name);
            found.map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        if get("state") != state || get("iss") != self.endpoint("issuer") {
            let found = callback.to_string();
            return Err(WalkFailed::Step { step: "state and iss", found });
        }
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", &get("code")),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &verifier),
        ])
        .await
    }

    /// Uses the refresh token of an earlier answer.
    ///
    /// # Errors
    /// [`WalkFailed`] if it is refused.
    pub async fn refresh(&self, tokens: &Value) -> Result<Value, WalkFailed> {
        let token = tokens["refresh_token"].as_str().unwrap_or_default();
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// What the provider says of the person.
    ///
    /// # Errors
    /// [`WalkFailed`] if the access token is refused.
    pub async fn userinfo(&self, tokens: &Value) -> Result<Value, WalkFailed> {
        let browser = Browser::new();
        let token = tokens["access_token"].as_str().unwrap_or_default();
        let request = browser.http().get(self.endpoint("userinfo_endpoint")).bearer_auth(token);
        let reply = browser.send(request).await?;
        if reply.status.is_success() { Ok(reply.json()) } else { Err(failed("userinfo", &reply)) }
    }

    fn endpoint(&self, name: &str) -> &str {
        self.metadata[name].as_str().unwrap_or_default()
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<Value, WalkFailed> {
        let browser = Browser::new();
        let mut form = form.to_vec();
        let mut request = browser.http().post(self.endpoint("token_endpoint"));
        match &self.secret {
            Some(secret) => request = request.basic_auth(&self.client_id, Some(secret)),
            None => form.push(("client_id", &self.client_id)),
        }
        let reply = browser.send(request.form(&form)).await?;
        if reply.status.is_success() { Ok(reply.json()) } else { Err(failed("token", &reply)) }
    }

    /// Follows redirects and fills in the provider's forms until the redirect URI is reached.
    async fn walk(
        &self,
        browser: &Browser,
        url: String,
        identifier: &str,
        password: &str,
    ) -> Result<Url, WalkFailed> {
        let mut reply = browser.get(&url).await?;
        for _ in 0..16 {
            if let Some(location) = reply.location() {
                if location.as_str().starts_with(&self.redirect_uri) {
                    return Ok(location);
                }
                reply = browser.get(location.as_str()).await?;
                continue;
            }
            let page = reply.url.clone();
            reply = if let Some(challenge) = reply.hidden("login_challenge") {
                let form = [
                    ("login_challenge", challenge.as_str()),
                    ("identifier", identifier),
                    ("password", password),
                    ("action", "login"),
                ];
                let answer = browser.post(&without_query(page), &form).await?;
                if answer.location().is_none() {
                    return Err(failed("sign in", &answer));
                }
                answer
            } else if let Some(challenge) = reply.hidden("consent_challenge") {
                let offered = reply.values("grant_scope");
                let mut form =
                    vec![("consent_challenge", challenge.as_str()), ("action", "accept")];
                form.extend(offered.iter().map(|scope| ("grant_scope", scope.as_str())));
                browser.post(&without_query(page), &form).await?
            } else {
                return Err(failed("a page without a form", &reply));
            };
        }
        Err(failed("redirects without end", &reply))
    }
}

fn without_query(mut url: Url) -> String {
    url.set_query(None);
    url.into()
}

fn random() -> String {
    let mut bytes = [0; 32];
    // Without randomness the values repeat, which fails a test and nothing else.
    let _ = SystemRandom::new().fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
