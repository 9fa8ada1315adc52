//! [`Rejection`] and [`ChallengeRejection`]: why an extractor refuses. They render themselves.

use auth_core::Denied;
use auth_core::http::text;
use auth_core::settle::Unsettled;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

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

impl Rejection {
    /// `None` for a request without credentials; every other rejection stays one.
    pub(crate) fn optional<T>(extracted: Result<T, Self>) -> Result<Option<T>, Self> {
        match extracted {
            Err(Self::Denied(Denied::NoCredentials)) => Ok(None),
            extracted => extracted.map(Some),
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let response = match self {
            Self::MissingAuthority => misconfigured(),
            Self::Denied(denied) => denied.response(),
        };
        response.map(Body::from)
    }
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

impl IntoResponse for ChallengeRejection {
    fn into_response(self) -> Response {
        let response = match self {
            Self::MissingDesk => misconfigured(),
            Self::Unsettled(unsettled) => unsettled.response(),
        };
        response.map(Body::from)
    }
}

fn misconfigured() -> auth_core::http::Response {
    text(StatusCode::INTERNAL_SERVER_ERROR, "this application is not set up\n")
}
