//! The quickstart on actix-web: `cargo run -p quickstart-actix`, then open the URL that it prints.

use actix_web::{App, HttpServer, rt};
use auth_core::{Identity, MemoryDirectory, PasswordHasher, Secret};
use auth_oidc::{Provider, client::Client};
use auth_sqlite::SqliteStore;
use auth_ui::DefaultPages;
use quickstart::{DEMO_SECRET, DemoApp, Failed, banner, port, port_taken};

#[actix_web::main]
async fn main() -> Result<(), Failed> {
    quickstart::log_to_stderr();
    let port = port()?;
    let issuer = format!("http://127.0.0.1:{port}");

    let people = MemoryDirectory::new(PasswordHasher::default());
    let alice = Identity::new("u-1", "Alice Anders")
        .claim("name", "Alice Anders")
        .claim("email", "alice@example.com")
        .claim("email_verified", true);
    people.insert("alice", &Secret::from("wonderland"), alice).await?;

    let provider = Provider::builder(&issuer)
        .development()
        .store(SqliteStore::open("quickstart.db")?)
        .pages(DefaultPages::new())
        .directory(people)
        .client(
            Client::confidential("demo", DEMO_SECRET)
                .name("Demo application")
                .redirect_uri(format!("{issuer}/callback"))
                .post_logout_redirect_uri(format!("{issuer}/"))
                .scope("openid profile email offline_access")
                .optional_scope("email"),
        )
        .build()
        .await?;
    rt::spawn(provider.clone().run_worker());

    let engine = provider.engine();
    let demo = DemoApp::engine(&issuer, provider.engine());
    let server = HttpServer::new(move || {
        App::new()
            .configure(auth_actix::mount(engine.clone()))
            .configure(auth_actix::mount(demo.clone()))
    })
    .bind(("127.0.0.1", port))
    .map_err(port_taken(port))?;
    println!("{}", banner(&issuer));
    server.run().await?;
    Ok(())
}
