//! [`BearerToken`]: the client that makes the request.

use auth_core::bearer_token;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;

use crate::authority::authority;
use crate::rejection::Rejection;

/// Extracts the principal of the bearer token (RFC 6750 §2.1); a session does not count.
///
/// `Option<BearerToken>` is `None` for a request without an `Authorization` header.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "handlers take it apart")]
pub struct BearerToken(pub auth_core::Principal);

impl<S: Send + Sync> FromRequestParts<S> for BearerToken {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let authority = authority(&parts.extensions)?;
        Ok(Self(authority.bearer(&bearer_token(&parts.headers)?).await?))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for BearerToken {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Rejection> {
        Rejection::optional(<Self as FromRequestParts<S>>::from_request_parts(parts, state).await)
    }
}
