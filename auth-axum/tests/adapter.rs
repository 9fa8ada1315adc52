//! The adapter behind a real server: what `support/cases.rs` asks of every adapter.

#![allow(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

#[path = "support/cases.rs"]
mod cases;
#[path = "support/fakes.rs"]
mod fakes;
#[path = "support/handlers.rs"]
mod handlers;

use std::net::SocketAddr;
use std::sync::Arc;

use auth_axum::{self as adapter, AuthorityLayer, DeskLayer, RequireScope, mount, mount_admin};
use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use fakes::{FakeAuthority, FakeDesk, FakeEngine};
use handlers::{
    consent, continue_login, login, login_as_mallory, login_page, logout, maybe_me, maybe_session,
    maybe_token, me, reject_consent, reject_login, reject_logout, session, token,
};

fn app() -> Router {
    let orders = get(async || "all of them").layer(RequireScope::new("orders:read"));
    let api = Router::new()
        .route("/me", get(me))
        .route("/me/maybe", get(maybe_me))
        .route("/token", get(token))
        .route("/token/maybe", get(maybe_token))
        .route("/session", get(session))
        .route("/session/maybe", get(maybe_session))
        .route("/orders", orders.clone())
        .layer(AuthorityLayer::new(Arc::new(FakeAuthority)));
    let pages = Router::new()
        .route("/login", get(login_page).post(login))
        .route("/login/mallory", post(login_as_mallory))
        .route("/login/continue", post(continue_login))
        .route("/login/reject", post(reject_login))
        .route("/consent", post(consent))
        .route("/consent/reject", post(reject_consent))
        .route("/logout", post(logout))
        .route("/logout/reject", post(reject_logout))
        .layer(DeskLayer::new(Arc::new(FakeDesk)));
    let bare = Router::new()
        .route("/bare/me", get(me))
        .route("/bare/orders", orders)
        .route("/bare/login", get(login_page));
    mount(Arc::new(FakeEngine::new())).merge(api).merge(pages).merge(bare)
}

async fn start(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

async fn serve() -> SocketAddr {
    start(app()).await
}

async fn serve_admin() -> SocketAddr {
    start(mount_admin(Arc::new(FakeEngine::new()))).await
}
