//! [`BearerToken`]: the client that makes the request.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use auth_core::bearer_token;

use crate::authority::{Extraction, extract};
use crate::rejection::Rejection;

/// Extracts the principal of the bearer token (RFC 6750 §2.1); a session does not count.
///
/// `Option<BearerToken>` is `None` for a request without an `Authorization` header.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "handlers take it apart")]
pub struct BearerToken(pub auth_core::Principal);

impl FromRequest for BearerToken {
    type Error = Rejection;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, async |authority, headers| {
            authority.bearer(&bearer_token(&headers)?).await.map(Self)
        })
    }
}
