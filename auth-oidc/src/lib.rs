//! An embeddable OAuth 2.0 and OpenID Connect provider.
//!
//! ```text
//!   browser ─▶ /oauth2/auth ─▶ login? ─▶ consent? ─▶ code ─▶ client
//!                                                             │
//!   client  ─▶ /oauth2/token ◀────────────────────────────────┘
//!              └─▶ access token, id token, refresh token ─▶ /userinfo, /oauth2/introspect, …
//! ```
//!
//! A [`Provider`] is an engine: a table of routes and a way to answer them. Mount it on a web framework
//! with `auth-axum` or `auth-actix`. It needs a store, a directory of accounts and somebody who renders
//! pages; everything else has a safe default.
//!
//! ```
//! use auth_core::{Identity, MemoryDirectory, PasswordHasher, Secret};
//! use auth_core::store::MemoryStore;
//! use auth_oidc::{Provider, client::Client};
//! # #[derive(Debug)] struct Pages;
//! # impl auth_core::PageRenderer for Pages {
//! #     fn render(&self, _: &auth_core::PageView<'_>)
//! #     -> Result<String, auth_core::page::RenderError> { Ok(String::new()) }
//! # }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let people = MemoryDirectory::new(PasswordHasher::default());
//! let alice = Identity::new("u-1", "Alice").claim("email", "alice@example.com");
//! people.insert("alice", &Secret::from("correct horse"), alice).await?;
//!
//! let provider = Provider::builder("http://127.0.0.1:4444")
//!     .development()
//!     .store(MemoryStore::new())
//!     .pages(Pages) // auth_ui::DefaultPages::new()
//!     .directory(people)
//!     .client(Client::public("app").redirect_uri("http://127.0.0.1/callback").scope("openid"))
//!     .build()
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! # What it does
//! Authorization code with PKCE, refresh token families with reuse detection, client credentials; opaque
//! and JWT access tokens (RFC 9068); id tokens; userinfo, introspection (RFC 7662), revocation
//! (RFC 7009), discovery and RFC 8414 metadata, RP-initiated logout; client authentication by secret or
//! signed assertion. Id tokens and access tokens from the authorization endpoint (implicit and hybrid flows) where
//! [`ResponseTypePolicy`](provider::ResponseTypePolicy) permits them; userinfo and introspection as signed JWTs; the `claims` parameter; pushed
//! authorization requests (RFC 9126) and signed ones (RFC 9101). Encryption and dynamic registration are
//! not there yet.

mod authorize;
mod challenge;
pub mod client;
mod deletion;
mod endpoint;
mod explain;
mod grant;
mod numeric_date;
pub mod provider;
mod refusal;
mod session;
mod stop;
mod token;

pub use provider::{Provider, ProviderBuilder};
pub use refusal::{ErrorCode, Refusal};
