//! The quickstart's provider on PostgreSQL, and Redis if there is one. Start as many as you like, with one
//! `ISSUER`, on one database, behind any load balancer:
//!
//! ```text
//! DATABASE_URL=postgres://… [REDIS_URL=redis://…] ISSUER=http://127.0.0.1:8080 PORT=4444 cargo run -p replicas
//! ```

use std::env;
use std::sync::Arc;

use auth_core::Store;
use auth_core::store::Tiered;
use auth_oidc::Provider;
use auth_postgres::PostgresStore;
use auth_redis::RedisStore;
use auth_ui::DefaultPages;
use quickstart::{DemoApp, Failed, banner, demo_client, demo_people, port, port_taken};

#[tokio::main]
async fn main() -> Result<(), Failed> {
    quickstart::log_to_stderr();
    let port = port()?;
    // Where the load balancer is, which is the same for all of them.
    let issuer = env::var("ISSUER").unwrap_or_else(|_| format!("http://127.0.0.1:{port}"));

    let provider = Provider::builder(&issuer)
        .development()
        .shared_store(store().await?)
        .pages(DefaultPages::new())
        .directory(demo_people().await?)
        .client(demo_client(&issuer))
        .build()
        .await?;
    tokio::spawn(provider.clone().run_worker());

    let app = axum::Router::new()
        .merge(auth_axum::mount(provider.engine()))
        .merge(auth_axum::mount(DemoApp::engine(&issuer, provider.engine())));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.map_err(port_taken(port))?;
    println!("{}", banner(&issuer));
    let app = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}

/// What must last goes to PostgreSQL; counters and markers go to Redis, if there is one.
async fn store() -> Result<Arc<dyn Store>, Failed> {
    let database = env::var("DATABASE_URL").map_err(
        |_| "set DATABASE_URL to a database, such as postgres://user:password@127.0.0.1/auth",
    )?;
    let postgres = PostgresStore::connect(&database).await?;
    Ok(match env::var("REDIS_URL") {
        Ok(redis) => Arc::new(Tiered::new(postgres, RedisStore::open(&redis).await?)),
        Err(_) => Arc::new(postgres),
    })
}
