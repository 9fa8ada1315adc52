//! [`Nodes`]: two versions of one provider on one database.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use auth_core::store::Store;
use auth_core::{Identity, MemoryDirectory, PasswordHasher, Secret};
use auth_oidc::Provider;
use auth_oidc::client::Client;
use auth_sqlite::SqliteStore;
use auth_testkit::Browser;
use testbed::Folder;

/// The secret of the demo client, which is the same in every version.
pub const SECRET: &str = "cs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// Which version starts, and makes or upgrades the tables, first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As in an update.
    EarlierFirst,
    /// As in a return to the version before.
    ThisFirst,
}

/// An earlier version and this one, as replicas of one issuer.
pub struct Nodes {
    /// Where the earlier version listens: its program derives the issuer from its port.
    pub issuer: String,
    /// Where requests go instead: the earlier version's address and this one's.
    pub bases: [String; 2],
    _earlier: Earlier,
    _this: tokio::task::JoinHandle<()>,
    _folder: Folder,
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
    /// The two on `quickstart.db`, which the earlier version opens in its working directory.
    pub async fn on_sqlite(program: &Path, order: Order) -> Self {
        let folder = Folder::new().unwrap();
        let address = testbed::free_address().unwrap();
        let issuer = format!("http://{address}");
        let open = || Arc::new(SqliteStore::open(folder.file("quickstart.db")).unwrap());
        let (earlier, (base, this)) = match order {
            Order::EarlierFirst => {
                let earlier = run(program, folder.path(), address).await;
                (earlier, serve(&issuer, open()).await)
            }
            Order::ThisFirst => {
                let this = serve(&issuer, open()).await;
                (run(program, folder.path(), address).await, this)
            }
        };
        let bases = [issuer.clone(), base];
        Self { issuer, bases, _earlier: earlier, _this: this, _folder: folder }
    }
}

/// Starts an earlier version's quickstart and waits until it answers.
async fn run(program: &Path, folder: &Path, address: SocketAddr) -> Earlier {
    let log = std::fs::File::create(folder.join("earlier.log")).unwrap();
    let mut command = Command::new(program);
    command.current_dir(folder).env("PORT", address.port().to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let earlier = Earlier(command.spawn().unwrap());
    let discovery = format!("http://{address}/.well-known/openid-configuration");
    for _ in 0..400 {
        if Browser::new().get(&discovery).await.is_ok_and(|reply| reply.status == 200) {
            return earlier;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = std::fs::read_to_string(folder.join("earlier.log")).unwrap_or_default();
    panic!("the earlier version does not answer:\n{log}");
}

/// This version, with the clients and people of the quickstart.
async fn serve(issuer: &str, store: Arc<dyn Store>) -> (String, tokio::task::JoinHandle<()>) {
    let people = MemoryDirectory::new(PasswordHasher::default());
    let alice = Identity::new("u-1", "Alice Anders")
        .claim("name", "Alice Anders")
        .claim("email", "alice@example.com")
        .claim("email_verified", true);
    people.insert("alice", &Secret::from("wonderland"), alice).await.unwrap();
    let demo = Client::confidential("demo", SECRET)
        .name("Demo application")
        .redirect_uri(format!("{issuer}/callback"))
        .post_logout_redirect_uri(format!("{issuer}/"))
        .scope("openid profile email offline_access")
        .optional_scope("email");
    let provider = Provider::builder(issuer)
        .development()
        .shared_store(store)
        .pages(auth_ui::DefaultPages::new())
        .directory(people)
        .client(demo)
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
    (base, server)
}
