//! [`World`]: a provider on a real socket, with clients, people, a clock and a counting store.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use auth_core::http::Engine;
use auth_core::keys::SigningAlgorithm;
use auth_core::store::Store;
use auth_core::{Identity, MemoryDirectory, PasswordCost, PasswordHasher, Secret};
use auth_oidc::client::{Client, GrantType};
use auth_oidc::provider::{BuildError, ScopeDefinition};
use auth_oidc::{Provider, ProviderBuilder};
use auth_testkit::TestClock;
use auth_testkit::store::{AlternatingStore, CountingStore, FaultyStore};
use serde_json::json;
pub use testbed::Backend;
use testbed::{Database, Nginx};

/// One test for each combination of adapter and store, and one of three replicas behind nginx.
#[macro_export]
macro_rules! blackbox {
    ($($(#[$meta:meta])* async fn $name:ident($setup:ident: Setup) $body:block)*) => {$(
        mod $name {
            use super::*;
            use $crate::world::Setup;

            $(#[$meta])*
            async fn body($setup: Setup) $body

            $crate::blackbox_on! { body:
                axum_memory(Axum, Memory)
                axum_sqlite(Axum, Sqlite)
                axum_postgres(Axum, Postgres)
                axum_tiered(Axum, Tiered)
                actix_memory(Actix, Memory)
                actix_sqlite(Actix, Sqlite)
                actix_postgres(Actix, Postgres)
                actix_tiered(Actix, Tiered)
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn replicas_postgres() {
                if let Some(setup) = Setup::replicas(module_path!()) {
                    body(setup).await;
                }
            }
        }
    )*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! blackbox_on {
    ($body:ident: $($test:ident($adapter:ident, $backend:ident))*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            use $crate::world::{Adapter, Backend, Setup};
            if let Some(setup) = Setup::single(Adapter::$adapter, Backend::$backend) {
                $body(setup).await;
            }
        }
    )*};
}

/// What a test runs against.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Of the only node, or of the first one; the next has the other.
    adapter: Adapter,
    backend: Backend,
    /// Three nodes behind nginx instead of one.
    replicated: bool,
}

#[derive(Debug, Clone, Copy)]
pub enum Adapter {
    Axum,
    Actix,
}

impl Adapter {
    fn other(self) -> Self {
        match self {
            Self::Axum => Self::Actix,
            Self::Actix => Self::Axum,
        }
    }
}

/// The time for which a node goes by its copy of a client, of the key set or of the tenant.
const COPIES: &str = "another node goes by its copy for a while";
/// What a client's server is asked for.
const FETCHES: &str = "counts requests to a client, which each process makes by itself";
/// The round trips of a node whose copies are there already.
const COUNTS: &str = "three nodes have three copies to fetch";
/// What nginx answers without asking a node.
const NGINX: &str = "nginx refuses it by itself";
/// Tests of one node: the path of the test or of its module, and why.
pub const ONE_NODE_ONLY: &[(&str, &str)] = &[
    ("budgets", COUNTS),
    ("build::a_key_of_the_operators_outlives_every_rotation", COUNTS),
    ("everywhere::a_store_that_hangs_is_not_waited_for", COUNTS),
    ("health::probes_are_no_load", COUNTS),
    ("deletion::a_468_what_a_client_had_goes_with_it", COPIES),
    ("deletion::a_tenant_that_is_deleted_is_gone", COPIES),
    ("forgery::a_059_no_mutation_of_a_code_or_token_is_accepted", COPIES),
    ("forgery::a_063_a_value_in_the_wrong_grant", COPIES),
    ("jwks_uri::a_102_what_cannot_be_read_verifies_nothing", FETCHES),
    ("jwks_uri::a_client_changes_its_key_by_itself", FETCHES),
    ("jwks_uri::a_key_set_is_fetched_once_for_everybody_and_as_long_as_it_says", FETCHES),
    ("jwks_uri::a_set_that_says_nothing_is_good_for_a_minute", FETCHES),
    ("jwks_uri::who_asks_for_a_key_that_is_not_there_takes_none_away", FETCHES),
    ("jwks_uri::who_goes_away_makes_nobody_ask_again", FETCHES),
    ("request_uri::a_129_a_request_that_cannot_be_fetched_is_refused", FETCHES),
    ("request_uri::a_fragment_is_the_digest_of_the_request", FETCHES),
    ("keym::a_473_a_key_signs_after_it_is_published_and_leaves_after_its_tokens", COPIES),
    ("keym::a_474_a_key_in_the_wrong_hands_is_worth_nothing_within_a_second", COPIES),
    ("keym::a_474_a_key_that_was_supplied_does_not_come_back", COPIES),
    ("refr::a_072_more_scope_than_was_granted", COPIES),
    ("rotation::o_05_a_new_key_is_published_before_it_signs", COPIES),
    ("ruri_flow::a_041_a_uri_that_was_removed_meanwhile_gets_no_code", COPIES),
    ("caut::a_083_basic_that_is_loosely_encoded", NGINX),
    ("dosr::a_483_a_body_without_end", NGINX),
    ("dosr::a_488_long_lists_are_answered", NGINX),
    ("surface::other_methods_are_refused_with_those_that_are_not", NGINX),
    (
        "caut::a_091_whoever_guesses_elsewhere_locks_nobody_out",
        "behind nginx everybody comes from one place",
    ),
];

impl Setup {
    /// One node, unless the store's servers are missing.
    pub fn single(adapter: Adapter, backend: Backend) -> Option<Self> {
        backend.is_here().then_some(Self { adapter, backend, replicated: false })
    }

    /// Three nodes with mixed adapters behind nginx on one PostgreSQL, unless one of these is missing or
    /// the test of that path is one for one node.
    pub fn replicas(path: &str) -> Option<Self> {
        let test = path.split_once("::").map_or(path, |(_, test)| test);
        let is_listed = |listed: &str| {
            test.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        if ONE_NODE_ONLY.iter().any(|(listed, _)| is_listed(listed)) {
            return None;
        }
        testbed::component("tests on replicas", "AUTH_TEST_NGINX")?;
        let setup = Self::single(Adapter::Axum, Backend::Postgres)?;
        Some(Self { replicated: true, ..setup })
    }

    /// Whether nothing but memory is behind it.
    pub fn in_memory(self) -> bool {
        matches!(self.backend, Backend::Memory)
    }

    /// An empty database, which may outlive a world.
    pub async fn database(self) -> Database {
        self.backend.database().await.unwrap()
    }

    /// The adapter of each node.
    fn nodes(self) -> Vec<Adapter> {
        let (first, second) = (self.adapter, self.adapter.other());
        if self.replicated { vec![first, second, first] } else { vec![first] }
    }

    /// Of replicas each has connections of its own; here they are even used in turn by all of them, so
    /// that what one reads was written through another's.
    async fn open(self, database: &Database) -> Arc<dyn Store> {
        let first = database.open().await;
        if !self.replicated {
            return first;
        }
        let others = vec![database.open().await, database.open().await];
        Arc::new(AlternatingStore::new(first, others))
    }
}

/// The secret of every confidential client here, of the form that the provider generates.
pub const SECRET: &str = "cs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
/// The password of everybody here.
pub const PASSWORD: &str = "correct horse battery staple";
/// The redirect URI of the client `web`.
pub const WEB_CALLBACK: &str = "https://app.example/cb";
/// The redirect URI of the client `spa`.
pub const SPA_CALLBACK: &str = "https://spa.example/cb";
/// Our generator makes no RSA keys.
pub const RSA_KEY: &str = include_str!("../../fixtures/rsa-2048.pem");
/// Where `web` sends people after a logout.
pub const WEB_BYE: &str = "https://app.example/bye";

/// A running provider.
pub struct World {
    pub setup: Setup,
    /// The issuer, without a final slash: the only node, or nginx in front of three.
    pub issuer: String,
    /// The only node, or the first one.
    pub provider: Provider,
    pub people: MemoryDirectory,
    pub clock: TestClock,
    /// Counts the round trips.
    pub store: Arc<CountingStore>,
    /// Fails on demand; stands between the provider and `store`.
    pub faults: Arc<FaultyStore>,
    /// In front of replicas.
    pub nginx: Option<Nginx>,
    _servers: Vec<Server>,
    _database: Database,
}

impl World {
    /// The provider that most tests want.
    pub async fn start(setup: Setup) -> Self {
        Self::with(setup, |builder| builder).await
    }

    /// The same, changed. Clients: `web` (confidential, by Basic), `spa` (public), `svc`
    /// (client_credentials), `rs` (a resource server that may introspect every token). People: `alice`
    /// (`u-alice`) and `bob` (`u-bob`).
    pub async fn with(
        setup: Setup,
        change: impl FnOnce(ProviderBuilder) -> ProviderBuilder + Clone,
    ) -> Self {
        Self::below(setup, "", change).await
    }

    /// The same, with an issuer that has a path.
    pub async fn below(
        setup: Setup,
        path: &str,
        change: impl FnOnce(ProviderBuilder) -> ProviderBuilder + Clone,
    ) -> Self {
        let nodes: Vec<(Adapter, TcpListener)> = setup
            .nodes()
            .into_iter()
            .map(|adapter| (adapter, TcpListener::bind("127.0.0.1:0").unwrap()))
            .collect();
        let addresses: Vec<SocketAddr> =
            nodes.iter().map(|(_, listener)| listener.local_addr().unwrap()).collect();
        let nginx = setup.replicated.then(|| Nginx::start(&addresses).unwrap());
        let entrance = nginx.as_ref().map_or(addresses[0], Nginx::address);
        let issuer = format!("http://{entrance}{path}");
        let database = setup.database().await;
        let store = Arc::new(CountingStore::new(setup.open(&database).await));
        let faults = Arc::new(FaultyStore::new(store.clone()));
        let clock = TestClock::at_present();
        let passwords = PasswordHasher::new(PasswordCost::INSECURE_FOR_TESTS, 2);
        let people = MemoryDirectory::new(passwords.clone());
        people.insert("alice", &Secret::from(PASSWORD), alice()).await.unwrap();
        let bob = Identity::new("u-bob", "Bob").claim("email", "bob@example.com");
        people.insert("bob", &Secret::from(PASSWORD), bob).await.unwrap();
        let builder = || {
            Provider::builder(&issuer)
                .development()
                // As in production: development is for the issuer on loopback.
                .explain(false)
                .shared_store(faults.clone())
                .pages(auth_ui::DefaultPages::new())
                .directory(people.clone())
                .clock(clock.clone())
                .passwords(passwords.clone())
                .signing_keys(|keys| {
                    keys.algorithms = vec![SigningAlgorithm::Es256, SigningAlgorithm::Rs256];
                })
                .signing_key_pem(SigningAlgorithm::Rs256, RSA_KEY)
                .scope(
                    ScopeDefinition::new("orders:read", ["orders"]).description("See your orders"),
                )
                .client(web())
                .client(Client::public("spa").redirect_uri(SPA_CALLBACK).scope(SCOPES))
                .client(Client::service("svc", SECRET).scope("openid orders:read"))
                .client(Client::service("rs", SECRET).scope("openid").introspect_any())
        };
        let (mut providers, mut servers) = (Vec::new(), Vec::new());
        for (adapter, listener) in nodes {
            let provider = change.clone()(builder()).build().await.unwrap();
            servers.push(Server::start(adapter, provider.engine(), listener));
            providers.push(provider);
        }
        Self {
            setup,
            issuer,
            provider: providers.swap_remove(0),
            people,
            clock,
            store,
            faults,
            nginx,
            _servers: servers,
            _database: database,
        }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The same provider, to be changed and built once more on the same store.
    pub fn another_builder(&self) -> ProviderBuilder {
        Provider::builder(&self.issuer)
            .development()
            .explain(false)
            .shared_store(self.faults.clone())
            .pages(auth_ui::DefaultPages::new())
            .directory(self.people.clone())
            .clock(self.clock.clone())
            .signing_key_pem(SigningAlgorithm::Rs256, RSA_KEY)
    }

    /// The same provider, built once more on the same store.
    pub async fn built_again(&self) -> Result<Provider, BuildError> {
        self.another_builder().build().await
    }

    /// A second process of the same provider: its own caches, behind the other adapter, on the same store.
    pub async fn another_node(&self) -> Node {
        self.another_node_with(|builder| builder).await
    }

    /// The same, changed.
    pub async fn another_node_with(
        &self,
        change: impl FnOnce(ProviderBuilder) -> ProviderBuilder + Clone,
    ) -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let provider = change(self.another_builder()).build().await.unwrap();
        let engine = provider.engine();
        let adapter = match self.setup.adapter {
            Adapter::Axum => Adapter::Actix,
            Adapter::Actix => Adapter::Axum,
        };
        Node { base, provider, _server: Server::start(adapter, engine, listener) }
    }
}

/// One more process of a provider.
pub struct Node {
    /// Where it listens, without a final slash.
    pub base: String,
    pub provider: Provider,
    _server: Server,
}

const SCOPES: &str = "openid profile email address phone offline_access orders:read";

/// The client `web`: change it with `world.provider.clients().put(…)`, or give another of the same id.
pub fn web() -> Client {
    Client::confidential("web", SECRET)
        .name("Web Shop")
        .redirect_uri(WEB_CALLBACK)
        .post_logout_redirect_uri(WEB_BYE)
        .scope(SCOPES)
        .grant_type(GrantType::RefreshToken)
}

fn alice() -> Identity {
    Identity::new("u-alice", "Alice Anders")
        .claim("name", "Alice Anders")
        .claim("given_name", "Alice")
        .claim("family_name", "Anders")
        .claim("middle_name", "A.")
        .claim("nickname", "al")
        .claim("preferred_username", "alice")
        .claim("profile", "https://people.example/alice")
        .claim("picture", "https://people.example/alice.png")
        .claim("website", "https://alice.example")
        .claim("gender", "female")
        .claim("birthdate", "1990-01-31")
        .claim("zoneinfo", "Asia/Seoul")
        .claim("locale", "en-GB")
        .claim("updated_at", 1_700_000_000)
        .claim("email", "alice@example.com")
        .claim("email_verified", true)
        .claim("phone_number", "+82 2 1234 5678")
        .claim("phone_number_verified", true)
        .claim("address", json!({"locality": "Seoul", "country": "KR"}))
        .claim("orders", json!(["o-1", "o-2"]))
        .claim("roles", json!(["admin", "buyer"]))
}

/// A server on its own thread, which ends with the world.
struct Server {
    stop: Option<Box<dyn FnOnce() + Send>>,
}

impl Server {
    fn start(adapter: Adapter, engine: Arc<dyn Engine>, listener: TcpListener) -> Self {
        let stop = match adapter {
            Adapter::Axum => serve_axum(engine, listener),
            Adapter::Actix => serve_actix(engine, listener),
        };
        Self { stop: Some(stop) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}

fn serve_axum(engine: Arc<dyn Engine>, listener: TcpListener) -> Box<dyn FnOnce() + Send> {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let app = auth_axum::mount(engine);
            let app = app.into_make_service_with_connect_info::<SocketAddr>();
            tokio::select! {
                _ = async { axum::serve(listener, app).await } => {}
                _ = stopped => {}
            }
        });
    });
    Box::new(move || {
        let _ = stop.send(());
    })
}

fn serve_actix(engine: Arc<dyn Engine>, listener: TcpListener) -> Box<dyn FnOnce() + Send> {
    let (handle, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            let app = move || actix_web::App::new().configure(auth_actix::mount(engine.clone()));
            let server = actix_web::HttpServer::new(app)
                .workers(1)
                .disable_signals()
                .listen(listener)
                .unwrap()
                .run();
            let _ = handle.send(server.handle());
            let _ = server.await;
        });
    });
    let handle = received.recv().unwrap();
    Box::new(move || drop(handle.stop(false)))
}
