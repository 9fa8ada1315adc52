//! What the proofs of races share: a provider in this process, a person who is signed in, many requests
//! at the same moment, and a table of what came of them.

mod contested;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use auth_core::http::{Engine, Listener, Request, Response, dispatch};
use auth_core::store::{MemoryStore, Store};
use auth_core::{Identity, MemoryDirectory, PasswordCost, PasswordHasher, Secret};
use auth_oidc::Provider;
use auth_oidc::client::Client;
use auth_sqlite::SqliteStore;
use auth_testkit::{SeededEntropy, TestClock};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cookie::Cookie;
use http::{Method, StatusCode, header};
use ring::digest;
use serde_json::Value;
use tokio::sync::Barrier;
use url::Url;
use url::form_urlencoded::Serializer;

use contested::Contested;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// How many requests race in a round.
pub(crate) const RACERS: usize = 32;

const ISSUER: &str = "http://127.0.0.1:4444";
const CALLBACK: &str = "https://app.example/cb";
const SECRET: &str = "cs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const PASSWORD: &str = "correct horse battery staple";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What a proof is told: how many rounds, and the seed of the provider's randomness.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arguments {
    rounds: u32,
    seed: Option<u64>,
}

impl Arguments {
    pub(crate) fn read() -> Result<Self, Failure> {
        let mut read = Self { rounds: 50, seed: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} has no value"))?;
            match name.as_str() {
                "--rounds" => read.rounds = value.parse()?,
                "--seed" => read.seed = Some(value.parse()?),
                _ => return Err(format!("{name} is neither --rounds nor --seed").into()),
            }
        }
        Ok(read)
    }
}

/// What became of the requests of all rounds.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) succeeded: u64,
    pub(crate) invalid_grant: u64,
    pub(crate) other: u64,
}

impl Tally {
    /// Counts the answers of a race, and gives those that succeeded.
    pub(crate) fn count(&mut self, answers: &[Answer]) -> Vec<Tokens> {
        let mut succeeded = Vec::new();
        for answer in answers {
            match answer.tokens() {
                Some(tokens) => {
                    self.succeeded += 1;
                    succeeded.push(tokens);
                }
                None if answer.is_invalid_grant() => self.invalid_grant += 1,
                None => self.other += 1,
            }
        }
        succeeded
    }
}

/// An answer of a back-channel endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Value,
}

/// Tokens of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Answer {
    pub(crate) fn tokens(&self) -> Option<Tokens> {
        let text = |name: &str| self.body[name].as_str().map(str::to_owned);
        let tokens =
            || Some(Tokens { access: text("access_token")?, refresh: text("refresh_token")? });
        if self.status == StatusCode::OK { tokens() } else { None }
    }

    pub(crate) fn is_invalid_grant(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST && self.body["error"] == "invalid_grant"
    }
}

/// A provider, and a browser in which somebody is signed in: a code costs one request.
#[derive(Debug)]
pub(crate) struct Scene {
    engine: Arc<dyn Engine>,
    pub(crate) clock: TestClock,
    cookies: BTreeMap<String, String>,
}

impl Scene {
    async fn set(store: Arc<dyn Store>, seed: Option<u64>) -> Result<Self, Failure> {
        let passwords = PasswordHasher::new(PasswordCost::INSECURE_FOR_TESTS, 1);
        let people = MemoryDirectory::new(passwords.clone());
        people.insert("alice", &Secret::from(PASSWORD), Identity::new("u-alice", "Alice")).await?;
        let client = Client::confidential("app", SECRET).redirect_uri(CALLBACK).skip_consent();
        let clock = TestClock::at_present();
        let mut builder = Provider::builder(ISSUER)
            .development()
            .shared_store(store)
            .pages(auth_ui::DefaultPages::new())
            .directory(people)
            .clock(clock.clone())
            .passwords(passwords)
            .signing_keys(|keys| keys.algorithms = vec![auth_core::keys::SigningAlgorithm::Es256])
            .client(client.scope("openid offline_access"));
        if let Some(seed) = seed {
            builder = builder.entropy(SeededEntropy::new(seed));
        }
        let engine = builder.build().await?.engine();
        let mut scene = Self { engine, clock, cookies: BTreeMap::new() };
        scene.sign_in().await?;
        Ok(scene)
    }

    /// Goes through the login page once. The session is remembered, since the clock is moved a lot.
    async fn sign_in(&mut self) -> Result<(), Failure> {
        let mut response = self.browse(Method::GET, &authorization_url(), String::new()).await?;
        while let Some(location) = location(&response) {
            response = self.browse(Method::GET, &location, String::new()).await?;
        }
        let page = String::from_utf8_lossy(response.body()).into_owned();
        let challenge = hidden(&page, "login_challenge").ok_or("there is no login page")?;
        let form = [
            ("login_challenge", challenge.as_str()),
            ("identifier", "alice"),
            ("password", PASSWORD),
            ("remember", "true"),
        ];
        let mut response = self.browse(Method::POST, "/oauth2/login", encoded(&form)).await?;
        loop {
            let location = location(&response).ok_or("the sign-in led to no redirect")?;
            if location.starts_with(CALLBACK) {
                return Ok(());
            }
            response = self.browse(Method::GET, &location, String::new()).await?;
        }
    }

    /// Sends a request as the browser, and keeps the cookies of the answer.
    async fn browse(
        &mut self,
        method: Method,
        url: &str,
        form: String,
    ) -> Result<Response, Failure> {
        let response = self.send(self.request(method, url, form)?).await;
        for set in response.headers().get_all(header::SET_COOKIE) {
            let cookie = Cookie::parse(set.to_str()?)?;
            self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
        }
        Ok(response)
    }

    fn request(&self, method: Method, url: &str, form: String) -> Result<Request, Failure> {
        let path = url.strip_prefix(ISSUER).unwrap_or(url);
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(http::Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookies.join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.into())?)
    }

    async fn send(&self, request: Request) -> Response {
        dispatch(&*self.engine, Listener::Public, request).await
    }

    /// A new code.
    pub(crate) async fn code(&self) -> Result<String, Failure> {
        let request = self.request(Method::GET, &authorization_url(), String::new())?;
        let response = self.send(request).await;
        let location = location(&response).ok_or("an authorization request led to no redirect")?;
        let code = Url::parse(&location)?
            .query_pairs()
            .find_map(|(name, value)| (name == "code").then(|| value.into_owned()));
        Ok(code.ok_or(format!("no code in {location}"))?)
    }

    /// Posts a form as the client.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer, Failure> {
        answer(&*self.engine, post(path, form)?).await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Result<Answer, Failure> {
        self.post("/oauth2/token", &refresh(refresh_token)).await
    }

    pub(crate) async fn redeem(&self, code: &str) -> Result<Answer, Failure> {
        self.post("/oauth2/token", &redemption(code)).await
    }

    pub(crate) async fn is_active(&self, token: &str) -> Result<bool, Failure> {
        let answer = self.post("/oauth2/introspect", &[("token", token)]).await?;
        answer.body["active"]
            .as_bool()
            .ok_or_else(|| format!("no introspection: {answer:?}").into())
    }

    /// Sends the same request to the token endpoint from many tasks at the same moment.
    pub(crate) async fn race(&self, form: &[(&str, &str)]) -> Result<Vec<Answer>, Failure> {
        let start = Arc::new(Barrier::new(RACERS));
        let mut racers = Vec::with_capacity(RACERS);
        for _ in 0..RACERS {
            let (engine, start) = (self.engine.clone(), start.clone());
            let request = post("/oauth2/token", form)?;
            racers.push(tokio::spawn(async move {
                start.wait().await;
                answer(&*engine, request).await
            }));
        }
        let mut answers = Vec::with_capacity(RACERS);
        for racer in racers {
            answers.push(racer.await??);
        }
        Ok(answers)
    }
}

/// Runs the rounds on each store, and prints a row of a table for each: how many requests raced, what
/// became of them, and how many of their commits met a rival's.
///
/// # Errors
/// The first round whose end is not as it must be, or that there was no race.
pub(crate) async fn on_each_store(
    arguments: Arguments,
    round: impl AsyncFn(&Scene, &mut Tally) -> Result<(), Failure>,
) -> Result<(), Failure> {
    println!(
        "| store | rounds | racing requests | succeeded | invalid_grant | other | conflicts | seconds |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    let folder = Folder::new()?;
    let sqlite = SqliteStore::open(folder.0.join("auth.db"))?;
    let stores: [(&str, Arc<dyn Store>); 2] =
        [("memory", Arc::new(MemoryStore::new())), ("SQLite", Arc::new(sqlite))];
    for (name, store) in stores {
        let store = Arc::new(Contested::new(store));
        let scene = Scene::set(store.clone(), arguments.seed).await?;
        let (started, mut tally) = (Instant::now(), Tally::default());
        for number in 1..=arguments.rounds {
            let failed = |cause| format!("{name}, round {number}: {cause}");
            round(&scene, &mut tally).await.map_err(failed)?;
        }
        let Tally { succeeded, invalid_grant, other } = tally;
        let (rounds, seconds) = (arguments.rounds, started.elapsed().as_secs_f64());
        let racing = u64::from(rounds) * RACERS as u64;
        let conflicts = store.conflicts();
        println!(
            "| {name} | {rounds} | {racing} | {succeeded} | {invalid_grant} | {other} | {conflicts} \
             | {seconds:.1} |"
        );
        must(conflicts >= u64::from(rounds), "the requests raced")?;
    }
    Ok(())
}

pub(crate) fn redemption(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

pub(crate) fn refresh(refresh_token: &str) -> [(&str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", refresh_token)]
}

/// Ends the proof unless something holds.
pub(crate) fn must(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}").into()) }
}

fn post(path: &str, form: &[(&str, &str)]) -> Result<Request, Failure> {
    let credentials = STANDARD.encode(format!("app:{SECRET}"));
    Ok(http::Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Basic {credentials}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(encoded(form).into())?)
}

async fn answer(engine: &dyn Engine, request: Request) -> Result<Answer, Failure> {
    let response = dispatch(engine, Listener::Public, request).await;
    Ok(Answer { status: response.status(), body: serde_json::from_slice(response.body())? })
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

/// A temporary folder, which goes with the value.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("auth-race-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
