//! Mounts engines of the auth SDK on [actix-web](https://docs.rs/actix-web), and tells its handlers
//! who asks.
//!
//! The crate translates and decides nothing: what is answered stands in the engine, in the
//! [`Authority`](auth_core::Authority) and at the [`ChallengeDesk`](auth_core::challenge::ChallengeDesk).
//! `auth-axum` has the same names with the same behaviour.
//!
//! ```text
//!         ┌─ /oauth2/token, … ─ mount ── Peer, body up to its limit, http 0.2 → 1 ──▶ dispatch ─▶ Engine
//!         │
//!   App ──┼─ /api ─ AuthorityLayer ─ RequireScope ─ Principal, BearerToken ──▶ handler
//!         │               └─ asks ─▶ Authority        CurrentSession
//!         │
//!         └─ /sign-in ─ DeskLayer ─ LoginChallenge ──▶ handler ── accept / reject ─▶ Settled: 303
//!                           └─ opens at ─▶ ChallengeDesk ◀──┘
//! ```
//!
//! ```
//! use std::sync::Arc;
//!
//! use actix_web::{App, HttpServer, web};
//! use auth_actix::{AuthorityLayer, Principal, RequireScope};
//! use auth_core::{Authority, http::Engine};
//!
//! async fn me(Principal(me): Principal) -> String {
//!     format!("{:?}", me.subject)
//! }
//!
//! # #[expect(dead_code)]
//! async fn serve(engine: Arc<dyn Engine>, authority: Arc<dyn Authority>) -> std::io::Result<()> {
//!     let app = move || {
//!         let orders = web::resource("/orders")
//!             .wrap(RequireScope::new("orders:read"))
//!             .to(async || "all of them");
//!         App::new()
//!             .wrap(AuthorityLayer::new(authority.clone()))
//!             .configure(auth_actix::mount(engine.clone()))
//!             .route("/me", web::get().to(me))
//!             .service(orders)
//!     };
//!     HttpServer::new(app).bind("127.0.0.1:8080")?.run().await
//! }
//! ```

mod authority;
mod bearer;
mod challenge;
mod convert;
mod gate;
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
pub use gate::Gated;
pub use mount::{mount, mount_admin};
pub use principal::Principal;
pub use rejection::{ChallengeRejection, Rejection};
pub use scope::RequireScope;
pub use session::CurrentSession;
