//! [`CurrentSession`]: the browser that makes the request.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use auth_core::Denied;

use crate::authority::{Extraction, extract};
use crate::rejection::Rejection;

/// Extracts the live login session of the browser; a bearer token does not count.
///
/// `Option<CurrentSession>` is `None` without one.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "handlers take it apart")]
pub struct CurrentSession(pub auth_core::CurrentSession);

impl FromRequest for CurrentSession {
    type Error = Rejection;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        extract(request, async |authority, headers| {
            authority.session(&headers).await?.ok_or(Denied::NoCredentials).map(Self)
        })
    }
}
