//! The adapter behind a real server: what `auth-axum/tests/support/cases.rs` asks of every adapter.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

#[path = "../../auth-axum/tests/support/cases.rs"]
mod cases;
#[path = "../../auth-axum/tests/support/fakes.rs"]
mod fakes;
#[path = "../../auth-axum/tests/support/handlers.rs"]
mod handlers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use actix_web::web::{ServiceConfig, get, post, resource, scope};
use actix_web::{App, HttpServer, rt};
use auth_actix::{self as adapter, AuthorityLayer, DeskLayer, RequireScope, mount, mount_admin};
use tokio::sync::oneshot;

use fakes::{FakeAuthority, FakeDesk, FakeEngine};
use handlers::{
    consent, continue_login, login, login_as_mallory, login_page, logout, maybe_me, maybe_session,
    maybe_token, me, reject_consent, reject_login, reject_logout, session, token,
};

fn app(config: &mut ServiceConfig) {
    let orders =
        |path| resource(path).wrap(RequireScope::new("orders:read")).to(async || "all of them");
    config.configure(mount(Arc::new(FakeEngine::new())));
    config.route("/bare/me", get().to(me));
    config.service(orders("/bare/orders"));
    config.route("/bare/login", get().to(login_page));
    let pages = |path| scope(path).wrap(DeskLayer::new(Arc::new(FakeDesk)));
    config.service(
        pages("/login")
            .service(resource("").get(login_page).post(login))
            .route("/mallory", post().to(login_as_mallory))
            .route("/continue", post().to(continue_login))
            .route("/reject", post().to(reject_login)),
    );
    let consents = pages("/consent").route("", post().to(consent));
    config.service(consents.route("/reject", post().to(reject_consent)));
    let logouts = pages("/logout").route("", post().to(logout));
    config.service(logouts.route("/reject", post().to(reject_logout)));
    config.service(
        scope("")
            .wrap(AuthorityLayer::new(Arc::new(FakeAuthority)))
            .route("/me", get().to(me))
            .route("/me/maybe", get().to(maybe_me))
            .route("/token", get().to(token))
            .route("/token/maybe", get().to(maybe_token))
            .route("/session", get().to(session))
            .route("/session/maybe", get().to(maybe_session))
            .service(orders("/orders")),
    );
}

/// Starts a server on a thread of its own, as actix-web wants a runtime of its own.
async fn start(configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> SocketAddr {
    let (tell, address) = oneshot::channel();
    thread::spawn(move || {
        rt::System::new().block_on(async move {
            let server = HttpServer::new(move || App::new().configure(&configure))
                .workers(1)
                .disable_signals()
                .bind("127.0.0.1:0")
                .unwrap();
            tell.send(server.addrs()[0]).unwrap();
            server.run().await.unwrap();
        });
    });
    address.await.unwrap()
}

async fn serve() -> SocketAddr {
    start(app).await
}

async fn serve_admin() -> SocketAddr {
    start(|config| {
        config.configure(mount_admin(Arc::new(FakeEngine::new())));
    })
    .await
}
