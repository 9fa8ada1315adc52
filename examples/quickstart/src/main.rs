//! An OpenID Provider in one file: `cargo run -p quickstart`, then open the URL that it prints.

use auth_core::{Identity, MemoryDirectory, PasswordHasher, Secret};
use auth_oidc::{Provider, client::Client};
use auth_sqlite::SqliteStore;
use auth_ui::DefaultPages;
use quickstart::{DEMO_SECRET, DemoApp, Failed, banner, port, port_taken};

#[tokio::main]
async fn main() -> Result<(), Failed> {
    quickstart::log_to_stderr();
    let port = port()?;
    let issuer = format!("http://127.0.0.1:{port}");

    // Who can sign in: your own user table, behind `IdentityDirectory`.
    let people = MemoryDirectory::new(PasswordHasher::default());
    let alice = Identity::new("u-1", "Alice Anders")
        .claim("name", "Alice Anders")
        .claim("email", "alice@example.com")
        .claim("email_verified", true);
    people.insert("alice", &Secret::from("wonderland"), alice).await?;

    // Who can ask for it: the demo application below.
    let demo = Client::confidential("demo", DEMO_SECRET)
        .name("Demo application")
        .redirect_uri(format!("{issuer}/callback"))
        .post_logout_redirect_uri(format!("{issuer}/"))
        .scope("openid profile email offline_access")
        .optional_scope("email");

    let provider = Provider::builder(&issuer)
        .development()
        .store(SqliteStore::open("quickstart.db")?)
        .pages(DefaultPages::new())
        .directory(people)
        .client(demo)
        .build()
        .await?;
    tokio::spawn(provider.clone().run_worker());

    let app = axum::Router::new()
        .merge(auth_axum::mount(provider.engine()))
        .merge(auth_axum::mount(DemoApp::engine(&issuer, provider.engine())));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.map_err(port_taken(port))?;
    println!("{}", banner(&issuer));
    // With the peer's address, by which attempts are limited.
    let app = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}
