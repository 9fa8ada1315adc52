//! [`CurrentSession`]: the browser that makes the request.

use auth_core::Denied;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;

use crate::authority::authority;
use crate::rejection::Rejection;

/// Extracts the live login session of the browser; a bearer token does not count.
///
/// `Option<CurrentSession>` is `None` without one.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "handlers take it apart")]
pub struct CurrentSession(pub auth_core::CurrentSession);

impl<S: Send + Sync> FromRequestParts<S> for CurrentSession {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let session = authority(&parts.extensions)?.session(&parts.headers).await?;
        Ok(Self(session.ok_or(Denied::NoCredentials)?))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for CurrentSession {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Rejection> {
        Rejection::optional(<Self as FromRequestParts<S>>::from_request_parts(parts, state).await)
    }
}
