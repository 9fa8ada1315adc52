//! Mounts engines of the auth SDK on [axum](https://docs.rs/axum), and tells its handlers who asks.
//!
//! The crate translates and decides nothing: what is answered stands in the engine, in the
//! [`Authority`](auth_core::Authority) and at the [`ChallengeDesk`](auth_core::challenge::ChallengeDesk).
//! `auth-actix` has the same names with the same behaviour.
//!
//! ```text
//!            ┌─ /oauth2/token, … ─ mount ── Peer, body up to its limit ──▶ dispatch ─▶ Engine
//!            │
//!   Router ──┼─ /api ─ AuthorityLayer ─ RequireScope ─ Principal, BearerToken ──▶ handler
//!            │               └─ asks ─▶ Authority        CurrentSession
//!            │
//!            └─ /sign-in ─ DeskLayer ─ LoginChallenge ──▶ handler ── accept / reject ─▶ Settled: 303
//!                              └─ opens at ─▶ ChallengeDesk ◀──┘
//! ```
//!
//! ```
//! use std::net::SocketAddr;
//! use std::sync::Arc;
//!
//! use auth_axum::{AuthorityLayer, Principal, RequireScope};
//! use auth_core::{Authority, http::Engine};
//! use axum::{Router, routing::get};
//!
//! async fn me(Principal(me): Principal) -> String {
//!     format!("{:?}", me.subject)
//! }
//!
//! # #[expect(dead_code)]
//! async fn serve(engine: Arc<dyn Engine>, authority: Arc<dyn Authority>) -> std::io::Result<()> {
//!     let orders = Router::new()
//!         .route("/orders", get(async || "all of them"))
//!         .layer(RequireScope::new("orders:read"));
//!     let api = Router::new()
//!         .route("/me", get(me))
//!         .merge(orders)
//!         .layer(AuthorityLayer::new(authority));
//!     let app = Router::new().merge(auth_axum::mount(engine)).merge(api);
//!
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!     axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
//! }
//! ```

mod authority;
mod bearer;
mod challenge;
mod mount;
mod principal;
mod rejection;
mod scope;
mod session;

pub use authority::AuthorityLayer;
pub use bearer::BearerToken;
pub use challenge::{
    Challenge, ConsentChallenge, DeskLayer, LoginChallenge, LogoutChallenge, Settled,
};
pub use mount::{mount, mount_admin};
pub use principal::Principal;
pub use rejection::{ChallengeRejection, Rejection};
pub use scope::{RequireScope, ScopeRequired};
pub use session::CurrentSession;
