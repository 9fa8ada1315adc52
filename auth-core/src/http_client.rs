//! [`HttpClient`]: requests to addresses that a client of the provider, and not the operator, has chosen.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use url::Url;

/// Sends requests to addresses that stand in somebody's metadata, such as a client's
/// `backchannel_logout_uri`.
///
/// Whoever registers a client so decides where the server connects to. An implementation therefore refuses
/// what is not on the public internet, by the address that it connects to and not by the name; follows no
/// redirect; and bounds time, size and the number of requests at once. `auth_fetch::SafeHttpClient` does.
#[async_trait]
pub trait HttpClient: Send + Sync + fmt::Debug + 'static {
    /// Whether requests to `url` may be sent at all, as far as its text tells: asked when it is registered.
    ///
    /// # Errors
    /// [`Forbidden`].
    fn check(&self, url: &Url) -> Result<(), Forbidden>;

    /// Sends a request and reads the whole answer, whatever its status is.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, FetchError>;

    /// Brings work to its end that sends requests, on the runtime of this client, also when nobody waits for it
    /// any more.
    fn complete(&self, work: BoxFuture<'static, ()>);
}

/// A request may not be sent there. The text names a rule and never an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Forbidden(pub &'static str);

/// A request had no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It was not sent.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The answer did not come in time.
    #[error("there was no answer in time")]
    Late,
    /// The answer is longer than permitted.
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// No connection, or it broke.
    #[error("the request failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}
