//! [`Rejection`] and [`ChallengeRejection`]: why an extractor refuses. They render themselves.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use auth_core::Denied;
use auth_core::http::text;
use auth_core::settle::Unsettled;

use crate::convert;

/// A request is not let through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The route is not inside an [`AuthorityLayer`](crate::AuthorityLayer): 500.
    #[error("no authority is there")]
    MissingAuthority,
    /// The authority says no, or cannot tell: 401, 403, 503.
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// A challenge cannot be settled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeRejection {
    /// The route is not inside a [`DeskLayer`](crate::DeskLayer): 500.
    #[error("no desk is there")]
    MissingDesk,
    /// The query brings no challenge, or the desk refuses: 400, 404, 410, 503.
    #[error(transparent)]
    Unsettled(#[from] Unsettled),
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::MissingAuthority => misconfigured(),
            Self::Denied(denied) => convert::response(denied.response()),
        }
    }
}

impl ResponseError for ChallengeRejection {
    fn status_code(&self) -> StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::MissingDesk => misconfigured(),
            Self::Unsettled(unsettled) => convert::response(unsettled.response()),
        }
    }
}

fn misconfigured() -> HttpResponse {
    let status = http::StatusCode::INTERNAL_SERVER_ERROR;
    convert::response(text(status, "this application is not set up\n"))
}
