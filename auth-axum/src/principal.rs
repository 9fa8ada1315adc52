//! [`Principal`]: whoever makes the request.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;

use crate::authority::authority;
use crate::rejection::Rejection;

/// Extracts whoever makes the request: by the bearer token, or without an `Authorization` header by
/// the login session.
///
/// `Option<Principal>` is `None` for a request without credentials; bad ones are refused all the same.
///
/// ```
/// use auth_axum::Principal;
///
/// async fn me(Principal(me): Principal) -> String {
///     format!("{:?} by {:?}", me.subject, me.carrier)
/// }
///
/// async fn front_page(visitor: Option<Principal>) -> &'static str {
///     if visitor.is_some() { "Welcome back" } else { "Welcome" }
/// }
/// # axum::Router::<()>::new()
/// #     .route("/me", axum::routing::get(me)).route("/", axum::routing::get(front_page));
/// ```
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "handlers take it apart")]
pub struct Principal(pub auth_core::Principal);

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Ok(Self(authority(&parts.extensions)?.principal(&parts.headers).await?))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Rejection> {
        Rejection::optional(<Self as FromRequestParts<S>>::from_request_parts(parts, state).await)
    }
}
