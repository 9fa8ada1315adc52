//! The quickstart's provider on PostgreSQL, and Redis if there is one. Start as many as you like, each on a
//! port of its own, on one database, behind a load balancer on this machine, which is the `ISSUER` of all:
//!
//! ```text
//! DATABASE_URL=postgres://… [REDIS_URL=redis://…] ISSUER=http://127.0.0.1:8080 PORT=4444 cargo run -p replicas
//! ```
//!
//! The quickstart's application is not among them, since it remembers in its process who is signed in. Its
//! client, `demo`, is there.

use std::env;
use std::sync::Arc;

use auth_core::Store;
use auth_core::http::TrustedProxies;
use auth_core::store::Tiered;
use auth_oidc::Provider;
use auth_postgres::PostgresStore;
use auth_redis::RedisStore;
use auth_ui::DefaultPages;
use mimalloc::MiMalloc;
use quickstart::{Failed, demo_client, demo_people, port, port_taken};

/// A request makes many small objects, which cost less from this allocator than from the system.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

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
        // The load balancer says whose request it is; without that, all of them would come from one place.
        .trusted_proxies(TrustedProxies::parse(["127.0.0.1", "::1"])?)
        .build()
        .await?;
    tokio::spawn(provider.clone().run_worker());

    let app: axum::Router = auth_axum::mount(provider.engine());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.map_err(port_taken(port))?;
    println!("a replica of {issuer} on port {port}, in development mode: loopback only");
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
