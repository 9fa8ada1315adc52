//! [`ProviderBuilder`]: every decision that a provider needs, checked all at once.

mod checks;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auth_core::challenge::{ChallengeHandler, HeadlessUrls};
use auth_core::decision::{Driver, Ports, RecordCache};
use auth_core::http::{CookieScope, CorsPolicy, TrustedProxies};
use auth_core::job::{JobWorker, TenantDeletion};
use auth_core::keys::{KeyManagement, KeyPolicy, LocalKeys, SigningAlgorithm};
use auth_core::outbox::{Deliver, DeliverToLog, OutboxWorker};
use auth_core::seal::LoadDataKeys;
use auth_core::{
    Clock, Entropy, Hook, HttpClient, IdentityDirectory, NoHook, PageRenderer, PasswordHasher,
    RateLimiter, Secret, Store, StoreRateLimiter, SystemClock, SystemEntropy, Tenant, TenantId,
};
use tracing::warn;

use crate::client::{Client, PairwiseSubjects};
use crate::deletion::{DeleteClient, DeleteSubject};
use crate::endpoint::{self, path};
use crate::provider::notices::DeliverNotices;
use crate::provider::{
    BuildError, Config, Inner, PkcePolicy, Problem, Provider, RefreshPolicy, ResponseTypePolicy,
    ScopeDefinition, SessionPolicy, TokenPolicy,
};

/// Collects what a provider needs. Nothing is done before [`ProviderBuilder::build`].
#[must_use]
pub struct ProviderBuilder {
    issuer: String,
    tenant: TenantId,
    development: bool,
    explain: Option<bool>,
    secrets: Vec<Secret>,
    store: Option<Arc<dyn Store>>,
    pages: Option<Arc<dyn PageRenderer>>,
    directory: Option<Arc<dyn IdentityDirectory>>,
    handler: Option<Arc<dyn ChallengeHandler>>,
    hook: Option<Arc<dyn Hook>>,
    limiter: Option<Arc<dyn RateLimiter>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    passwords: Option<PasswordHasher>,
    deliver: Arc<dyn Deliver>,
    http: Option<Arc<dyn HttpClient>>,
    keys: KeyPolicy,
    pems: Vec<(SigningAlgorithm, Secret)>,
    clients: Vec<Client>,
    config: Config,
    health_routes: bool,
}

impl ProviderBuilder {
    pub(super) fn new(issuer: String) -> Self {
        Self {
            issuer,
            tenant: TenantId::DEFAULT,
            development: false,
            explain: None,
            secrets: Vec::new(),
            store: None,
            pages: None,
            directory: None,
            handler: None,
            hook: None,
            limiter: None,
            clock: Arc::new(SystemClock::default()),
            entropy: Arc::new(SystemEntropy::default()),
            passwords: None,
            deliver: Arc::new(DeliverToLog::default()),
            http: None,
            keys: KeyPolicy::default(),
            pems: Vec::new(),
            clients: Vec::new(),
            config: Config::default(),
            health_routes: true,
        }
    }

    /// Development mode: permits an http issuer on loopback and a well-known secret, and warns. It
    /// refuses every other issuer, so that it cannot be left on by mistake.
    pub fn development(mut self) -> Self {
        self.development = true;
        self
    }

    /// Where everything is kept.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Where everything is kept, if it is shared already.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// The operator's secrets, such as 32 random bytes in base64 each: the first seals, all open. See
    /// [`DeploymentSecrets`](auth_core::seal::DeploymentSecrets) for their rotation.
    pub fn secrets<S: Into<Secret>>(mut self, secrets: impl IntoIterator<Item = S>) -> Self {
        self.secrets.extend(secrets.into_iter().map(Into::into));
        self
    }

    /// Who makes HTML of pages: `auth_ui::DefaultPages`, or your own.
    pub fn pages(mut self, pages: impl PageRenderer) -> Self {
        self.pages = Some(Arc::new(pages));
        self
    }

    /// Where accounts and their claims come from.
    pub fn directory(mut self, directory: impl IdentityDirectory) -> Self {
        self.directory = Some(Arc::new(directory));
        self
    }

    /// Who puts questions to people; the built-in pages unless set. For pages of your own, take
    /// [`HeadlessUrls`] and the challenge extractors of your adapter.
    pub fn challenges(mut self, handler: impl ChallengeHandler) -> Self {
        self.handler = Some(Arc::new(handler));
        self
    }

    /// Code of yours that adds claims: it is asked `claims` with `client_id`, `subject`, `scope` and
    /// `target`, and answers with an object of claims or `null`.
    pub fn claims_hook(mut self, hook: impl Hook) -> Self {
        self.hook = Some(Arc::new(hook));
        self.config.claims_hook = true;
        self
    }

    /// A client to register, or to bring up to date, when the provider is built.
    pub fn client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// A scope besides the standard ones.
    pub fn scope(mut self, scope: ScopeDefinition) -> Self {
        self.config.scopes.push(scope);
        self
    }

    /// The tenant under which everything is kept; `default` unless several issuers share a store.
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = tenant;
        self
    }

    /// Lifetimes and forms of tokens.
    pub fn tokens(mut self, change: impl FnOnce(&mut TokenPolicy)) -> Self {
        change(&mut self.config.tokens);
        self
    }

    /// Refresh tokens.
    pub fn refresh(mut self, change: impl FnOnce(&mut RefreshPolicy)) -> Self {
        change(&mut self.config.refresh);
        self
    }

    /// Login sessions.
    pub fn sessions(mut self, change: impl FnOnce(&mut SessionPolicy)) -> Self {
        change(&mut self.config.sessions);
        self
    }

    /// Signing keys and their rotation.
    pub fn signing_keys(mut self, change: impl FnOnce(&mut KeyPolicy)) -> Self {
        change(&mut self.keys);
        self
    }

    /// A signing key of yours, in PKCS#8 PEM, for one algorithm.
    pub fn signing_key_pem(mut self, algorithm: SigningAlgorithm, pem: impl Into<Secret>) -> Self {
        self.pems.push((algorithm, pem.into()));
        self
    }

    /// Does not require PKCE of clients that authenticate. RFC 9700 §2.1.1 recommends it for all.
    pub fn insecure_pkce_for_public_clients_only(mut self) -> Self {
        self.config.pkce = PkcePolicy::InsecurePublicClientsOnly;
        self
    }

    /// Permits more answers of the authorization endpoint than codes; each client registers its own by
    /// [`Client::response_type`].
    pub fn response_types(mut self, policy: ResponseTypePolicy) -> Self {
        self.config.response_types = policy;
        self
    }

    /// Refuses authorization requests that were not pushed (RFC 9126 §5).
    pub fn require_pushed_authorization_requests(mut self) -> Self {
        self.config.require_pushed_authorization_requests = true;
        self
    }

    /// Refuses authorization requests that the client did not sign (RFC 9101 §10.5).
    pub fn require_signed_request_object(mut self) -> Self {
        self.config.require_signed_request_object = true;
        self
    }

    /// Lets a client's page ask a frame of the provider whether the person is still signed in (OpenID Connect
    /// Session Management 1.0), by a cookie that names the session to scripts and is none of its secrets. Browsers
    /// that keep the cookies of frames apart tell such a page that something changed: the back channel
    /// ([`Client::backchannel_logout_uri`]) works with all of them.
    pub fn session_management(mut self) -> Self {
        self.config.session_management = true;
        self
    }

    /// What the embedder's own API is called as a resource (RFC 8707). Its extractors refuse a token that
    /// is for others only, so that another API cannot replay what it was given (RFC 9068 §4).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.config.audience.push(audience.into());
        self
    }

    /// Levels of authentication that are told apart, weakest first.
    pub fn acr_values<L: Into<String>>(mut self, levels: impl IntoIterator<Item = L>) -> Self {
        self.config.acr_values = levels.into_iter().map(Into::into).collect();
        self
    }

    /// Whose scripts may call the token, userinfo and revocation endpoints: origins such as
    /// `https://app.example`.
    pub fn cors_origins<O: Into<String>>(mut self, origins: impl IntoIterator<Item = O>) -> Self {
        self.config.cors = CorsPolicy::Origins(origins.into_iter().map(Into::into).collect());
        self
    }

    /// Whose `X-Forwarded-For` is believed.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.config.trusted_proxies = proxies;
        self
    }

    /// Permits clients that get encrypted tokens ([`Client::encrypted_id_token`]), and publishes keys that request
    /// objects may be encrypted to. Needs the feature `jwe`.
    pub fn encryption(mut self) -> Self {
        self.config.encryption = true;
        self
    }

    /// Whether whoever is refused is told by which rule, and what of the request offends it, on the page or as
    /// `explanation` in the JSON. The log says so in any case. Development mode switches it on.
    pub fn explain(mut self, explain: bool) -> Self {
        self.explain = Some(explain);
        self
    }

    /// Permits clients with identifiers of people of their own ([`Client::pairwise`]).
    pub fn pairwise_subjects(mut self, subjects: PairwiseSubjects) -> Self {
        self.config.pairwise_subjects = Some(subjects);
        self
    }

    /// How long a request may wait for store, directory and hook before it is answered by 503; 10 seconds
    /// unless set.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.config.deadline = deadline;
        self
    }

    /// Leaves out `GET /health/alive` and `GET /health/ready`, for an application that has these paths
    /// already: it asks [`Provider::readiness`].
    pub fn without_health_routes(mut self) -> Self {
        self.health_routes = false;
        self
    }

    /// Says that every record was written by a version of the program that indexes it: this one, or a later
    /// one. Deletions then find what they look for by the index alone, which is cheaper in a store of millions
    /// of grants, and leave behind what an earlier version wrote.
    pub fn all_records_are_indexed(mut self) -> Self {
        self.config.unindexed_records = false;
        self
    }

    /// Who limits failed attempts; a [`StoreRateLimiter`] unless set, which counts for all processes that share
    /// the store. [`MemoryRateLimiter`](auth_core::MemoryRateLimiter) counts for this one alone.
    pub fn rate_limiter(mut self, limiter: impl RateLimiter) -> Self {
        self.limiter = Some(Arc::new(limiter));
        self
    }

    /// The clock; the system's unless set.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The source of randomness; the system's unless set.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// The pool that hashes passwords.
    pub fn passwords(mut self, passwords: PasswordHasher) -> Self {
        self.passwords = Some(passwords);
        self
    }

    /// Where durable events go; to the log unless set.
    pub fn events(mut self, deliver: impl Deliver) -> Self {
        self.deliver = Arc::new(deliver);
        self
    }

    /// Who sends requests to clients, such as logout tokens: `auth_fetch::SafeHttpClient`. Without one, clients
    /// that want them are not registered.
    pub fn http_client(mut self, http: impl HttpClient) -> Self {
        self.http = Some(Arc::new(http));
        self
    }

    /// Builds the provider: checks everything, loads or makes its keys, registers its clients.
    ///
    /// # Errors
    /// [`BuildError`] lists every problem with what mends it. Nothing is written if there is one in what
    /// was given.
    pub async fn build(self) -> Result<Provider, BuildError> {
        let mut problems = Vec::new();
        let issuer = self.check_issuer(&mut problems);
        let secrets = self.check_secrets(&mut problems);
        let signing_keys = self.check_keys(&mut problems);
        self.check_clients(&mut problems);
        self.check_lifetimes(&mut problems);
        if self.store.is_none() {
            problems.push(Problem::Missing("store", ".store(SqliteStore::open(\"auth.db\")?)"));
        }
        if self.pages.is_none() {
            problems.push(Problem::Missing("pages", ".pages(auth_ui::DefaultPages::new())"));
        }
        if self.directory.is_none() {
            problems.push(Problem::Missing("directory", ".directory(your_accounts)"));
        }
        let (Some(issuer), Some(secrets), Some(store), Some(pages), Some(directory)) =
            (issuer, secrets, self.store, self.pages, self.directory)
        else {
            return Err(BuildError { problems });
        };
        if !problems.is_empty() {
            return Err(BuildError { problems });
        }
        if self.development {
            warn!(target: "oauth2", %issuer, "DEVELOPMENT MODE: do not expose this provider");
        }
        let now = self.clock.now();
        let loader = LoadDataKeys::new(&*store, &secrets, &*self.entropy);
        let data_keys = loader.load(self.tenant, now).await?;
        let tenant = Arc::new(Tenant::new(self.tenant, issuer.clone(), Arc::new(data_keys)));
        let algorithms = self.keys.algorithms.clone();
        let keys = LocalKeys::new(store.clone(), self.entropy.clone(), self.keys, signing_keys);
        let keys = match self.config.encryption {
            true => keys.encrypted_by(KeyManagement::ALL.to_vec()),
            false => keys,
        };
        keys.load(&tenant, now).await?;
        let keys = Arc::new(keys);
        let ports = Ports::new(
            store.clone(),
            self.clock.clone(),
            self.entropy.clone(),
            keys.clone(),
            directory,
            self.passwords.unwrap_or_default(),
            self.hook.unwrap_or_else(|| Arc::new(NoHook::default())),
        )
        .decrypting_by(keys.clone());
        let ports = match &self.http {
            Some(http) => ports.fetching_by(http.clone()),
            None => ports,
        };
        let mut config = self.config;
        config.cookies = match issuer.is_secure() {
            true => CookieScope::Secure,
            false => CookieScope::Development,
        };
        let limiter = self.limiter.unwrap_or_else(|| {
            let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
            Arc::new(StoreRateLimiter::new(store.clone(), clock, entropy))
        });
        let built_in_pages = self.handler.is_none();
        let built_in = || {
            let [login, consent, logout] =
                [path::LOGIN, path::CONSENT, path::LOGOUT].map(|path| issuer.url(path));
            Arc::new(HeadlessUrls::new(login, consent, logout)) as Arc<dyn ChallengeHandler>
        };
        let handler = self.handler.unwrap_or_else(built_in);
        let driver = Driver::new(ports, RecordCache::default());
        config.registration = handler.registers();
        config.explain = self.explain.unwrap_or(self.development);
        let session_management = config.session_management;
        let config = Arc::new(config);
        let deliver = Arc::new(DeliverNotices {
            driver: driver.clone(),
            tenant: tenant.clone(),
            config: config.clone(),
            keys: keys.clone(),
            http: self.http.clone(),
            events: self.deliver,
        });
        let provider = Provider {
            inner: Arc::new(Inner {
                driver,
                routes: endpoint::routes(
                    &issuer,
                    built_in_pages,
                    self.health_routes,
                    session_management,
                ),
                worker: OutboxWorker::new(
                    store.clone(),
                    self.clock.clone(),
                    self.entropy.clone(),
                    deliver,
                ),
                jobs: JobWorker::new(store, self.clock, self.entropy)
                    .register::<TenantDeletion>()
                    .register::<DeleteClient>()
                    .register::<DeleteSubject>(),
                tenant,
                config,
                http: self.http,
                keys,
                algorithms,
                metadata: OnceLock::new(),
                pages,
                limiter,
                handler,
                secrets,
                health: Default::default(),
            }),
        };
        for client in self.clients {
            provider.clients().put(client).await?;
        }
        Ok(provider)
    }
}

impl fmt::Debug for ProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderBuilder({})", self.issuer)
    }
}
