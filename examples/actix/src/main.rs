//! The quickstart on actix-web: `cargo run -p quickstart-actix`, then open the URL that it prints.

use actix_web::{App, HttpServer, rt};
use auth_oidc::Provider;
use auth_sqlite::SqliteStore;
use auth_ui::DefaultPages;
use quickstart::{DemoApp, Failed, banner, demo_client, demo_people, port, port_taken};

#[actix_web::main]
async fn main() -> Result<(), Failed> {
    quickstart::log_to_stderr();
    let port = port()?;
    let issuer = format!("http://127.0.0.1:{port}");

    let provider = Provider::builder(&issuer)
        .development()
        .store(SqliteStore::open("quickstart.db")?)
        .pages(DefaultPages::new())
        .directory(demo_people().await?)
        .client(demo_client(&issuer))
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
