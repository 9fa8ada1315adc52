//! [`Principal`]: whoever makes the request.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::authority::{Extraction, extract};
use crate::rejection::Rejection;

/// Extracts whoever makes the request: by the bearer token, or without an `Authorization` header by
/// the login session.
///
/// `Option<Principal>` is `None` for a request without credentials; bad ones are refused all the same.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "handlers take it apart")]
pub struct Principal(pub auth_core::Principal);

impl FromRequest for Principal {
    type Error = Rejection;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, async |authority, headers| authority.principal(&headers).await.map(Self))
    }
}
