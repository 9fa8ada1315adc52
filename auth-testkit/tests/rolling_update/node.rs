//! [`Nodes`]: two versions of one provider on one database.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use auth_core::store::{Store, Tiered};
use auth_fetch::SafeHttpClient;
use auth_oidc::Provider;
use auth_postgres::PostgresStore;
use auth_redis::RedisStore;
use auth_sqlite::SqliteStore;
use auth_testkit::Browser;
use quickstart::{demo_client, demo_people};
use testbed::{Folder, Postgres, Previous, Redis};

const LOG: &str = "earlier.log";

/// Which version starts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As in an update.
    EarlierFirst,
    /// As in a return to the version before. This version makes the database, if the earlier one knows the form of
    /// its data keys.
    ThisFirst,
}

/// An earlier version and this one, as replicas of one issuer.
pub struct Nodes {
    /// Where the earlier version listens: its program derives the issuer from its port.
    pub issuer: String,
    /// Where requests go instead: the earlier version's address and this one's.
    pub bases: [String; 2],
    /// This version. Its workers do not run: those of the earlier one do.
    pub provider: Provider,
    pub previous: Previous,
    _earlier: Earlier,
    _this: tokio::task::JoinHandle<()>,
    database: Shared,
}

/// The database of both.
struct Shared {
    /// Where the earlier version runs; without servers, both open `quickstart.db` in it.
    folder: Folder,
    servers: Option<Servers>,
}

/// Which `DATABASE_URL` names, and `REDIS_URL` if there is one.
struct Servers {
    postgres: Postgres,
    redis: Option<Redis>,
}

impl Shared {
    /// Says by variables where it is.
    fn tell(&self, program: &mut Command) {
        program.env_remove("DATABASE_URL").env_remove("REDIS_URL");
        if let Some(Servers { postgres, redis }) = &self.servers {
            program.env("DATABASE_URL", postgres.url());
            program.envs(redis.iter().map(|redis| ("REDIS_URL", redis.url())));
        }
    }

    async fn open(&self) -> Arc<dyn Store> {
        let Some(Servers { postgres, redis }) = &self.servers else {
            return Arc::new(SqliteStore::open(self.folder.file("quickstart.db")).unwrap());
        };
        let main = PostgresStore::connect(postgres.url()).await.unwrap();
        match redis {
            Some(redis) => {
                let side = RedisStore::open(redis.url()).await.unwrap();
                Arc::new(Tiered::new(main, side))
            }
            None => Arc::new(main),
        }
    }
}

/// A process that ends with the value.
struct Earlier(Child);

impl Drop for Earlier {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Nodes {
    /// The two on a file of SQLite.
    pub async fn on_sqlite(program: &Path, previous: &Previous, order: Order) -> Self {
        Self::on(None, program, previous, order).await
    }

    /// The two on a PostgreSQL of their own, and a Redis of their own if there is to be one.
    pub async fn on_servers(
        program: &Path,
        previous: &Previous,
        order: Order,
        with_redis: bool,
    ) -> Self {
        let servers = Servers {
            postgres: Postgres::start().unwrap(),
            redis: with_redis.then(|| Redis::start().unwrap()),
        };
        Self::on(Some(servers), program, previous, order).await
    }

    async fn on(
        servers: Option<Servers>,
        program: &Path,
        previous: &Previous,
        order: Order,
    ) -> Self {
        let shared = Shared { folder: Folder::new().unwrap(), servers };
        let address = testbed::free_address().unwrap();
        let issuer = format!("http://{address}");
        let (earlier, (base, provider, this)) = match order {
            Order::EarlierFirst => {
                let earlier = run(program, &shared, address).await;
                (earlier, serve(&issuer, shared.open().await).await)
            }
            Order::ThisFirst => {
                if previous.data_keys < Previous::DATA_KEYS {
                    drop(run(program, &shared, address).await);
                }
                let this = serve(&issuer, shared.open().await).await;
                (run(program, &shared, address).await, this)
            }
        };
        let bases = [issuer.clone(), base];
        let previous = *previous;
        Self { issuer, bases, provider, previous, _earlier: earlier, _this: this, database: shared }
    }

    /// What the earlier version says of a file of SQLite that this one made.
    pub async fn refusal(program: &Path) -> String {
        let shared = Shared { folder: Folder::new().unwrap(), servers: None };
        let address = testbed::free_address().unwrap();
        drop(serve(&format!("http://{address}"), shared.open().await).await);
        let mut earlier = start(program, &shared, address);
        for _ in 0..400 {
            if let Some(status) = earlier.0.try_wait().unwrap() {
                assert!(!status.success(), "{}", log(&shared));
                return log(&shared);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the earlier version goes on, on a database that it does not understand");
    }

    /// What the earlier version has logged.
    pub fn log_of_the_earlier(&self) -> String {
        log(&self.database)
    }
}

fn log(shared: &Shared) -> String {
    std::fs::read_to_string(shared.folder.path().join(LOG)).unwrap()
}

/// Starts an earlier version's program and waits until it answers.
async fn run(program: &Path, shared: &Shared, address: SocketAddr) -> Earlier {
    let mut earlier = start(program, shared, address);
    let discovery = format!("http://{address}/.well-known/openid-configuration");
    for _ in 0..400 {
        let answers = Browser::new().get(&discovery).await.is_ok_and(|reply| reply.status == 200);
        // Somebody else may answer at its address.
        let status = earlier.0.try_wait().unwrap();
        assert!(status.is_none(), "the earlier version has ended:\n{}", log(shared));
        if answers {
            return earlier;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the earlier version does not answer:\n{}", log(shared));
}

fn start(program: &Path, shared: &Shared, address: SocketAddr) -> Earlier {
    let folder = shared.folder.path();
    let log = std::fs::File::create(folder.join(LOG)).unwrap();
    let mut command = Command::new(program);
    command.current_dir(folder).env("PORT", address.port().to_string()).env_remove("ISSUER");
    shared.tell(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Earlier(command.spawn().unwrap())
}

/// This version, with the clients and people of the quickstart.
async fn serve(
    issuer: &str,
    store: Arc<dyn Store>,
) -> (String, Provider, tokio::task::JoinHandle<()>) {
    let loopback = SafeHttpClient::builder().insecure_private_networks().insecure_plaintext();
    let loopback = loopback.build().unwrap();
    let provider = Provider::builder(issuer)
        .development()
        .shared_store(store)
        .pages(auth_ui::DefaultPages::new())
        .directory(demo_people().await.unwrap())
        .client(demo_client(issuer))
        .http_client(loopback)
        .build()
        .await
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = auth_axum::mount(provider.engine());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let server = tokio::spawn(async move {
        let _ = axum::serve(listener, app).await;
    });
    (base, provider, server)
}
