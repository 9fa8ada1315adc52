//! [`Provider`]: an OpenID Provider as a value.

mod authority;
mod builder;
mod config;
mod health;
mod notices;
mod problem;
mod secrets;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use auth_core::challenge::ChallengeHandler;
use auth_core::decision::{Driver, Unavailable};
use auth_core::http::{Engine, Request, Response, Route};
use auth_core::job::JobWorker;
use auth_core::keys::{
    KeyManagement, KeySource, KeysUnusable, LocalKeys, PublishedKeys, SigningAlgorithm,
};
use auth_core::outbox::{DeadLetters, OutboxWorker};
use auth_core::seal::DeploymentSecrets;
use auth_core::{
    HttpClient, KeyId, PageRenderer, RateLimiter, RequestId, Subject, Sweeper, Tenant,
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderValue};
use http::{HeaderName, StatusCode};
use tracing::{Instrument, debug, field, info, info_span};

pub use builder::ProviderBuilder;
pub use config::{
    Config, PkcePolicy, RefreshPolicy, ResponseTypePolicy, ScopeDefinition, SessionPolicy,
    TokenPolicy,
};
pub use health::Readiness;
pub use problem::{BuildError, Problem};

use crate::client::Clients;
use crate::endpoint;

/// An OpenID Provider: an engine with the routes of one issuer.
///
/// It is a handle: cloning it is cheap and gives the same provider. Mount it with `auth-axum` or
/// `auth-actix`, or call it yourself through [`Engine`].
#[derive(Clone)]
pub struct Provider {
    inner: Arc<Inner>,
}

struct Inner {
    driver: Driver,
    tenant: Arc<Tenant>,
    config: Arc<Config>,
    keys: Arc<LocalKeys>,
    http: Option<Arc<dyn HttpClient>>,
    algorithms: Vec<SigningAlgorithm>,
    metadata: OnceLock<Bytes>,
    pages: Arc<dyn PageRenderer>,
    limiter: Arc<dyn RateLimiter>,
    handler: Arc<dyn ChallengeHandler>,
    worker: OutboxWorker,
    jobs: JobWorker,
    routes: Vec<Route>,
    secrets: DeploymentSecrets,
    health: health::Health,
}

/// What decisions decide by: the configuration, and the keys at this moment.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) config: Arc<Config>,
    pub(crate) keys: Arc<PublishedKeys>,
}

impl Provider {
    /// Begins a provider for an issuer identifier, such as `https://id.example`.
    pub fn builder(issuer: impl Into<String>) -> ProviderBuilder {
        ProviderBuilder::new(issuer.into())
    }

    /// The issuer and its keys.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.inner.tenant
    }

    /// What the provider decides by.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The registered clients.
    #[must_use]
    pub fn clients(&self) -> Clients {
        let (driver, tenant) = (self.inner.driver.clone(), self.inner.tenant.clone());
        let (http, config) = (self.inner.http.clone(), self.inner.config.clone());
        Clients { driver, tenant, http, config, keys: self.inner.keys.clone() }
    }

    /// The provider as something to mount.
    #[must_use]
    pub fn engine(&self) -> Arc<dyn Engine> {
        Arc::new(self.clone())
    }

    /// The provider as something that knows tokens and sessions.
    #[must_use]
    pub fn authority(&self) -> Arc<dyn auth_core::Authority> {
        Arc::new(self.clone())
    }

    /// The provider as the desk at which challenges are settled.
    #[must_use]
    pub fn desk(&self) -> Arc<dyn auth_core::challenge::ChallengeDesk> {
        Arc::new(self.clone())
    }

    /// Publishes a new signing key, which begins to sign once every verifier that follows cache headers
    /// knows it.
    ///
    /// # Errors
    /// [`KeysUnusable`].
    pub async fn rotate_key(&self, algorithm: SigningAlgorithm) -> Result<(), KeysUnusable> {
        let now = self.driver().ports().clock.now();
        self.inner.keys.rotate(self.tenant(), algorithm, now).await
    }

    /// Makes a new key for clients to encrypt to, which is published once every process knows it; the one before it
    /// goes on opening what is under way. Does nothing without [encryption](ProviderBuilder::encryption).
    ///
    /// # Errors
    /// [`KeysUnusable`].
    pub async fn rotate_encryption_key(&self, alg: KeyManagement) -> Result<(), KeysUnusable> {
        let now = self.driver().ports().clock.now();
        self.inner.keys.rotate_decryption(self.tenant(), alg, now).await
    }

    /// Withdraws a key that may be in the wrong hands. It leaves the JWK set, what it signed is
    /// good no more, nor what is encrypted to it, and another key takes its place: here at once, in every other process within
    /// [`KeyPolicy::reload_every`](auth_core::keys::KeyPolicy::reload_every), a second by default.
    /// Opaque tokens, refresh tokens and login sessions are not signed and stay good.
    ///
    /// Verifiers that keep the old JWK set go by it for as long as its cache headers permit, five
    /// minutes.
    ///
    /// # Errors
    /// [`KeysUnusable::Unknown`] if there is no such key. After [`KeysUnusable::Revoked`] it *is*
    /// revoked, but no successor could be made: supply one by
    /// [`signing_key_pem`](ProviderBuilder::signing_key_pem).
    pub async fn revoke_key(&self, kid: &KeyId) -> Result<(), KeysUnusable> {
        let now = self.driver().ports().clock.now();
        self.inner.keys.revoke(self.tenant(), kid, now).await
    }

    /// Delivers what waits in the outbox, does the jobs, and removes what is past its retention, for ever:
    /// spawn it on your runtime, once in each process for each provider: what clients are told is signed by the
    /// provider that they belong to.
    pub async fn run_worker(self) {
        self.run_worker_until(std::future::pending()).await;
    }

    /// The same until `stop`. It ends once the deliveries and steps that were begun have ended, within
    /// [`OutboxWorker::TIME_LIMIT`] for each, and leaves nothing that another process would have to wait for.
    pub async fn run_worker_until(self, stop: impl Future<Output = ()>) {
        let second = Duration::from_secs(1);
        let stop = stop.shared();
        let deliver = self.inner.worker.clone().run_until(second, stop.clone());
        let jobs = self.inner.jobs.clone().run_until(second, stop.clone());
        let sweep = self.sweeper().run_until(Duration::from_secs(60), stop);
        futures_util::future::join3(deliver, jobs, sweep).await;
    }

    /// The worker of the jobs, to run it by hand.
    #[must_use]
    pub fn jobs(&self) -> &JobWorker {
        &self.inner.jobs
    }

    /// What could not be delivered: to be listed, replayed or discarded by an operator.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.inner.driver.clone(), self.inner.tenant.clone())
    }

    /// The sweeper of the store, to run it by hand.
    #[must_use]
    pub fn sweeper(&self) -> Sweeper {
        let ports = self.driver().ports();
        Sweeper::new(ports.store.clone(), ports.clock.clone())
    }

    /// The worker of the outbox, to run it by hand.
    #[must_use]
    pub fn worker(&self) -> &OutboxWorker {
        &self.inner.worker
    }

    /// Forgets the keys of a tenant that was deleted, by finding them gone.
    pub(crate) async fn forget_keys(&self) {
        let now = self.driver().ports().clock.now();
        if let Err(error) = self.inner.keys.load(self.tenant(), now).await {
            info!(target: "oauth2", %error, "the keys are gone");
        }
    }

    pub(crate) fn driver(&self) -> &Driver {
        &self.inner.driver
    }

    pub(crate) fn pages(&self) -> &dyn PageRenderer {
        &*self.inner.pages
    }

    pub(crate) fn limiter(&self) -> &dyn RateLimiter {
        &*self.inner.limiter
    }

    pub(crate) fn handler(&self) -> &dyn ChallengeHandler {
        &*self.inner.handler
    }

    pub(crate) fn algorithms(&self) -> &[SigningAlgorithm] {
        &self.inner.algorithms
    }

    /// Whether clients can be told anything by requests to them.
    pub(crate) fn can_send(&self) -> bool {
        self.inner.http.is_some()
    }

    /// The discovery document, written once.
    pub(crate) fn metadata(&self, write: impl FnOnce() -> Bytes) -> Bytes {
        self.inner.metadata.get_or_init(write).clone()
    }

    pub(crate) async fn policy(&self) -> Result<Policy, Unavailable> {
        let now = self.driver().ports().clock.now();
        let keys = self.inner.keys.keys(self.tenant(), now).await?;
        Ok(Policy { config: self.inner.config.clone(), keys })
    }

    /// A name by which a person knows themselves.
    pub(crate) async fn display_name(&self, subject: &Subject) -> Result<String, Unavailable> {
        let directory = &self.driver().ports().directory;
        let identity = directory.find(self.tenant().id, subject).await?;
        Ok(identity.map_or_else(|| subject.to_string(), |identity| identity.display_name))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.tenant().issuer)
    }
}

#[async_trait]
impl Engine for Provider {
    fn routes(&self) -> &[Route] {
        &self.inner.routes
    }

    /// Answers a request and writes one log line for it, under the target `oauth2`, with an id that an
    /// error page shows, too.
    async fn call(&self, operation: &'static str, mut request: Request) -> Response {
        let ports = self.driver().ports();
        let is_page = endpoint::is_page(operation);
        let span = info_span!(target: "oauth2", "request", id = field::Empty, operation);
        // Who else would read it?
        if is_page || !span.is_disabled() {
            let mut id = [0; 16];
            if let Err(cause) = ports.entropy.fill(&mut id) {
                return auth_core::Denied::Unavailable(cause.into()).response();
            }
            let id = RequestId::from_bytes(id).to_string();
            span.record("id", &id);
            if is_page && let Ok(value) = HeaderValue::from_str(&id) {
                request.headers_mut().insert(HeaderName::from_static(endpoint::REQUEST_ID), value);
            }
        }
        let started = ports.clock.now();
        async {
            let response = endpoint::answer(self, operation, request).await;
            let millis = ports.clock.now().since(started).as_millis();
            let status = response.status().as_u16();
            match operation {
                // Probes come every few seconds, and say nothing new.
                "alive" | "ready" => debug!(target: "oauth2", status, millis, "answered"),
                _ => info!(target: "oauth2", status, millis, "answered"),
            }
            response
        }
        .instrument(span)
        .await
    }

    fn preflight(&self, path: &str, request: &Request) -> Option<Response> {
        let here = |route: &&Route| route.path == path;
        let asked = request.headers().get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let routes: Vec<&Route> = self.inner.routes.iter().filter(here).collect();
        let route =
            routes.iter().find(|route| route.method.as_str().as_bytes() == asked.as_bytes())?;
        let policy = endpoint::cors(self, route.operation)?;
        let methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
        let mut response = auth_core::http::empty(StatusCode::NO_CONTENT);
        policy.preflight(request.headers(), response.headers_mut(), &methods.join(", "));
        Some(response)
    }
}
