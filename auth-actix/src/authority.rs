//! [`AuthorityLayer`]: puts the authority where the extractors find it.

use std::pin::Pin;
use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest};
use auth_core::{Authority, Denied};

use crate::convert::headers;
use crate::gate::{Gate, refuse};
use crate::rejection::Rejection;

/// Tells the routes that it wraps who can tell whether a token or a session is good.
///
/// In actix-web every error of an extractor makes an `Option` of it `None`: a request with a revoked
/// token, or one that comes while the store is away, would be served as if it had no credentials.
/// Such refusals are therefore no errors of the extractors but answered by the innermost layer of this
/// crate, and the handler does not run. Only the want of credentials is an error of the extractor, and
/// the want of this layer: an `Option` is `None` then, and the log names what to add.
#[derive(Debug, Clone)]
pub struct AuthorityLayer(Arc<dyn Authority>);

impl AuthorityLayer {
    /// Lets `authority` decide.
    #[must_use]
    pub fn new(authority: Arc<dyn Authority>) -> Self {
        Self(authority)
    }
}

impl Gate for AuthorityLayer {
    async fn admit(&self, request: &HttpRequest) -> Result<(), Rejection> {
        request.extensions_mut().insert(Arc::clone(&self.0));
        Ok(())
    }
}

/// The authority of a request.
pub(crate) fn authority(request: &HttpRequest) -> Result<Arc<dyn Authority>, Rejection> {
    request.extensions().get::<Arc<dyn Authority>>().cloned().ok_or_else(|| {
        tracing::error!(
            "a route asks for a principal and no authority is there: add \
             `.wrap(auth_actix::AuthorityLayer::new(authority))` to its application or scope"
        );
        Rejection::MissingAuthority
    })
}

/// What an extractor of this crate returns.
pub(crate) type Extraction<T> = Pin<Box<dyn Future<Output = Result<T, Rejection>>>>;

/// Extracts what the authority says about the headers of a request.
pub(crate) fn extract<T: 'static>(
    request: &HttpRequest,
    ask: impl AsyncFnOnce(&dyn Authority, http::HeaderMap) -> Result<T, Denied> + 'static,
) -> Extraction<T> {
    let request = request.clone();
    Box::pin(async move {
        let authority = authority(&request)?;
        match ask(&*authority, headers(request.headers())).await {
            Err(denied @ Denied::NoCredentials) => Err(denied.into()),
            Err(denied) => refuse(&request, denied.into()).await,
            Ok(extracted) => Ok(extracted),
        }
    })
}
