//! [`World`]: a provider on a real socket, with clients, people, a clock and a counting store.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use auth_core::http::Engine;
use auth_core::keys::SigningAlgorithm;
use auth_core::store::{MemoryStore, Store};
use auth_core::{Identity, MemoryDirectory, PasswordCost, PasswordHasher, Secret};
use auth_oidc::client::{Client, GrantType};
use auth_oidc::provider::ScopeDefinition;
use auth_oidc::{Provider, ProviderBuilder};
use auth_testkit::TestClock;
use auth_testkit::store::{CountingStore, FaultyStore};
use serde_json::json;

/// One test for each combination of adapter and store.
#[macro_export]
macro_rules! blackbox {
    ($($(#[$meta:meta])* async fn $name:ident($setup:ident: Setup) $body:block)*) => {$(
        mod $name {
            use super::*;
            use $crate::world::{Adapter, Setup, StoreKind};

            $(#[$meta])*
            async fn body($setup: Setup) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn axum_memory() {
                body(Setup { adapter: Adapter::Axum, store: StoreKind::Memory }).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn axum_sqlite() {
                body(Setup { adapter: Adapter::Axum, store: StoreKind::Sqlite }).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn actix_memory() {
                body(Setup { adapter: Adapter::Actix, store: StoreKind::Memory }).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn actix_sqlite() {
                body(Setup { adapter: Adapter::Actix, store: StoreKind::Sqlite }).await;
            }
        }
    )*};
}

/// What a test runs against.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub adapter: Adapter,
    pub store: StoreKind,
}

#[derive(Debug, Clone, Copy)]
pub enum Adapter {
    Axum,
    Actix,
}

#[derive(Debug, Clone, Copy)]
pub enum StoreKind {
    Memory,
    Sqlite,
}

impl Setup {
    /// An empty database.
    pub fn database(self) -> Database {
        match self.store {
            StoreKind::Memory => Database::Memory(Arc::new(MemoryStore::new())),
            StoreKind::Sqlite => Database::Sqlite(Folder::new()),
        }
    }
}

/// A database that may outlive a world: the file of an SQLite store, or a memory store.
pub enum Database {
    Memory(Arc<MemoryStore>),
    Sqlite(Folder),
}

impl Database {
    /// Opens it, once more if it is open.
    pub fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Memory(store) => store.clone(),
            Self::Sqlite(folder) => {
                Arc::new(auth_sqlite::SqliteStore::open(folder.0.join("auth.db")).unwrap())
            }
        }
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
const RSA_KEY: &str = include_str!("../../fixtures/rsa-2048.pem");
/// Where `web` sends people after a logout.
pub const WEB_BYE: &str = "https://app.example/bye";

/// A running provider.
pub struct World {
    pub setup: Setup,
    /// The issuer, without a final slash.
    pub issuer: String,
    pub provider: Provider,
    pub people: MemoryDirectory,
    pub clock: TestClock,
    /// Counts the round trips.
    pub store: Arc<CountingStore>,
    /// Fails on demand; stands between the provider and `store`.
    pub faults: Arc<FaultyStore>,
    _server: Server,
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
        change: impl FnOnce(ProviderBuilder) -> ProviderBuilder,
    ) -> Self {
        Self::below(setup, "", change).await
    }

    /// The same, with an issuer that has a path.
    pub async fn below(
        setup: Setup,
        path: &str,
        change: impl FnOnce(ProviderBuilder) -> ProviderBuilder,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}{path}", listener.local_addr().unwrap());
        let database = setup.database();
        let store = Arc::new(CountingStore::new(database.open()));
        let faults = Arc::new(FaultyStore::new(store.clone()));
        let clock = TestClock::at_present();
        let passwords = PasswordHasher::new(PasswordCost::INSECURE_FOR_TESTS, 2);
        let people = MemoryDirectory::new(passwords.clone());
        people.insert("alice", &Secret::from(PASSWORD), alice()).await.unwrap();
        let bob = Identity::new("u-bob", "Bob").claim("email", "bob@example.com");
        people.insert("bob", &Secret::from(PASSWORD), bob).await.unwrap();
        let builder = Provider::builder(&issuer)
            .development()
            .shared_store(faults.clone())
            .pages(auth_ui::DefaultPages::new())
            .directory(people.clone())
            .clock(clock.clone())
            .passwords(passwords)
            .signing_keys(|keys| {
                keys.algorithms = vec![SigningAlgorithm::Es256, SigningAlgorithm::Rs256];
            })
            .signing_key_pem(SigningAlgorithm::Rs256, RSA_KEY)
            .scope(ScopeDefinition::new("orders:read", ["orders"]).description("See your orders"))
            .client(web())
            .client(Client::public("spa").redirect_uri(SPA_CALLBACK).scope(SCOPES))
            .client(Client::service("svc", SECRET).scope("openid orders:read"))
            .client(Client::service("rs", SECRET).scope("openid").introspect_any());
        let provider = change(builder).build().await.unwrap();
        let server = Server::start(setup.adapter, provider.engine(), listener);
        Self {
            setup,
            issuer,
            provider,
            people,
            clock,
            store,
            faults,
            _server: server,
            _database: database,
        }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// A second process of the same provider: its own caches, behind the other adapter, on the same store.
    pub async fn another_node(&self) -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let builder = Provider::builder(&self.issuer)
            .development()
            .shared_store(self.faults.clone())
            .pages(auth_ui::DefaultPages::new())
            .directory(self.people.clone())
            .clock(self.clock.clone())
            .signing_key_pem(SigningAlgorithm::Rs256, RSA_KEY);
        let engine = builder.build().await.unwrap().engine();
        let adapter = match self.setup.adapter {
            Adapter::Axum => Adapter::Actix,
            Adapter::Actix => Adapter::Axum,
        };
        Node { base, _server: Server::start(adapter, engine, listener) }
    }
}

/// One more process of a provider.
pub struct Node {
    /// Where it listens, without a final slash.
    pub base: String,
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

/// A temporary folder.
pub struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("auth-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
