//! [`BodyLimit`]: how much of a body is taken, and how long it may take to come.

use std::future::Future;
use std::time::Duration;

use futures_util::TryFutureExt;
use http::{HeaderValue, StatusCode, header};

use crate::decision::within;
use crate::http::{Response, text};

/// What an adapter takes of a request's body before it gives the request up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyLimit {
    /// The longest body, in bytes.
    pub bytes: usize,
    /// The longest time that it may take to arrive.
    pub time: Duration,
}

impl BodyLimit {
    /// 64 KiB, in 10 seconds.
    pub const DEFAULT: Self = Self { bytes: 64 * 1024, time: Duration::from_secs(10) };

    /// The same with `bytes`.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// The same with `time`.
    #[must_use]
    pub const fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// What admits whatever one of both admits.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { bytes: self.bytes.max(other.bytes), time: self.time.max(other.time) }
    }

    /// Receives a body, unless it takes too long.
    ///
    /// # Errors
    /// The answer: 408 (RFC 9110 §15.5.9).
    pub fn receive<B: Future>(self, body: B) -> impl Future<Output = Result<B::Output, Response>> {
        within(self.time, body).map_err(|_| {
            last(text(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive\n"))
        })
    }

    /// The answer to a body that is longer: 413 (RFC 9110 §15.5.14).
    #[must_use]
    pub fn too_long() -> Response {
        last(text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n"))
    }
}

/// The last answer on its connection: what is left of the body is not worth being read.
fn last(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
