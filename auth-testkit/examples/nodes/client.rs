//! [`App`]: a relying party and the browser of a person who is signed in, over HTTP.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use auth_testkit::{Browser, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use ring::digest;
use url::Url;

use super::Failure;
use super::tally::{Lost, Tally};

/// The redirect URI of the client.
pub(crate) const CALLBACK: &str = "https://app.example/cb";
/// The secret of every client here.
pub(crate) const CLIENT_SECRET: &str = "cs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// It was acknowledged.
    Yes(T),
    /// It was refused.
    No,
    /// There was no answer, or one that says to come again: it happened or not.
    Open,
}

/// Tokens of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// A client at a server.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// Where the server is, without a final slash.
    base: String,
    /// Whether nginx stands before it, which answers 502 when a server goes away.
    proxied: bool,
    browser: Browser,
    pub(crate) tally: Arc<Tally>,
}

impl App {
    /// Signs a person in. The session outlives the browser's.
    pub(crate) async fn sign_in(
        base: &str,
        proxied: bool,
        tally: Arc<Tally>,
        person: &str,
    ) -> Result<Self, Failure> {
        let app = Self { base: base.to_owned(), proxied, browser: Browser::new(), tally };
        let mut page = app.browser.get(&app.authorization()).await?;
        while let Some(location) = page.location() {
            page = app.browser.get(location.as_str()).await?;
        }
        let challenge = page.hidden("login_challenge").ok_or("there is no login page")?;
        let form = [
            ("login_challenge", challenge.as_str()),
            ("identifier", person),
            ("password", "any"),
            ("remember", "true"),
        ];
        let mut reply = app.browser.post(&format!("{base}/oauth2/login"), &form).await?;
        loop {
            let location = reply.location().ok_or("the sign-in led to no redirect")?;
            if location.as_str().starts_with(CALLBACK) {
                return Ok(app);
            }
            reply = app.browser.get(location.as_str()).await?;
        }
    }

    /// The same client at another server.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), proxied: false, ..self.clone() }
    }

    /// A new code. It must come without another sign-in.
    pub(crate) async fn code(&self) -> Result<Answer<String>, Failure> {
        let request = self.browser.http().get(self.authorization());
        let Some(reply) = self.send(request).await? else { return Ok(Answer::Open) };
        let location = reply.location().map(|url| url.to_string()).unwrap_or_default();
        let code = Url::parse(&location).ok().filter(|_| location.starts_with(CALLBACK));
        let code = code.and_then(|url| {
            url.query_pairs().find_map(|(name, value)| (name == "code").then(|| value.into_owned()))
        });
        match code {
            Some(code) => {
                self.tally.codes.add(1);
                Ok(Answer::Yes(code))
            }
            None => Err(strange("a login session was lost: an authorization request", &reply)),
        }
    }

    /// Redeems a code.
    pub(crate) async fn redeem(&self, code: &str) -> Result<Answer<Tokens>, Failure> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let answer = self.tokens(&form).await?;
        self.tally.redemptions.add(matches!(answer, Answer::Yes(_)).into());
        Ok(answer)
    }

    /// Uses a refresh token.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Answer<Tokens>, Failure> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let answer = self.tokens(&form).await?;
        self.tally.refreshes.add(matches!(answer, Answer::Yes(_)).into());
        Ok(answer)
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Answer<Tokens>, Failure> {
        let Some(reply) = self.post("/oauth2/token", "app", form).await? else {
            return Ok(Answer::Open);
        };
        let body = reply.json();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        match (reply.status, text("access_token"), text("refresh_token")) {
            (StatusCode::OK, Some(access), Some(refresh)) => {
                Ok(Answer::Yes(Tokens { access, refresh }))
            }
            (StatusCode::BAD_REQUEST, ..) if body["error"] == "invalid_grant" => Ok(Answer::No),
            _ => Err(strange("the token endpoint", &reply)),
        }
    }

    /// Revokes an access token, or with a refresh token all of its grant.
    pub(crate) async fn revoke(&self, token: &str) -> Result<Answer<()>, Failure> {
        let Some(reply) = self.post("/oauth2/revoke", "app", &[("token", token)]).await? else {
            return Ok(Answer::Open);
        };
        if reply.status != StatusCode::OK {
            return Err(strange("the revocation endpoint", &reply));
        }
        self.tally.revocations.add(1);
        Ok(Answer::Yes(()))
    }

    /// Whether a token is active.
    pub(crate) async fn is_active(&self, token: &str) -> Result<Answer<bool>, Failure> {
        let form = [("token", token)];
        let Some(reply) = self.post("/oauth2/introspect", "svc", &form).await? else {
            return Ok(Answer::Open);
        };
        match reply.json()["active"].as_bool() {
            Some(active) if reply.status == StatusCode::OK => Ok(Answer::Yes(active)),
            _ => Err(strange("the introspection endpoint", &reply)),
        }
    }

    async fn post(
        &self,
        path: &str,
        client: &str,
        form: &[(&str, &str)],
    ) -> Result<Option<Reply>, Failure> {
        let request = self.browser.http().post(format!("{}{path}", self.base));
        self.send(request.basic_auth(client, Some(CLIENT_SECRET)).form(form)).await
    }

    /// The answer; none if there was none, or one that says to come again.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Option<Reply>, Failure> {
        let away = || self.tally.database_is_away.load(Ordering::SeqCst);
        let (sent, was_away) = (Instant::now(), away());
        let answered = self.browser.send(request).await;
        let ended = Instant::now();
        self.tally.requests.add(1);
        let lost = async |saw: String, in_flight| {
            self.tally.lose(Lost { sent, ended, saw, in_flight });
            // What the killed process had sent to the database may still take effect for a moment.
            let kills = self.tally.kills.get();
            while self.tally.buried.get() < kills {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(None)
        };
        let reply = match answered {
            Ok(reply) => reply,
            Err(error) => return lost(told(&error), !error.is_connect()).await,
        };
        match reply.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                if reply.header("retry-after").parse::<u32>().is_err() {
                    return Err(strange("a 503 without Retry-After", &reply));
                }
                self.tally.unavailable.add(1);
                if self.proxied { lost("503".to_owned(), true).await } else { Ok(None) }
            }
            _ if was_away && away() => {
                Err(strange("an answer other than 503 without a database", &reply))
            }
            StatusCode::BAD_GATEWAY if self.proxied => lost("502".to_owned(), true).await,
            _ => Ok(Some(reply)),
        }
    }

    fn authorization(&self) -> String {
        let challenge =
            URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("client_id", "app"),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid offline_access"),
            ("state", "state-1234567890"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        format!("{}/oauth2/auth?{}", self.base, query.finish())
    }
}

fn strange(what: &str, reply: &Reply) -> Failure {
    let body: String = reply.text().chars().take(200).collect();
    format!("{what} was answered {} {body}", reply.status).into()
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
