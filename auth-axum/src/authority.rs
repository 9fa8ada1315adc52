//! [`AuthorityLayer`]: puts the authority where the extractors find it.

use std::sync::Arc;

use auth_core::Authority;
use axum::Extension;
use axum::http::Extensions;
use axum::middleware::AddExtension;
use tower_layer::Layer;

use crate::rejection::Rejection;

/// Tells the routes that it wraps who can tell whether a token or a session is good.
///
/// ```
/// # use std::sync::Arc;
/// # use auth_axum::AuthorityLayer;
/// # fn protect(api: axum::Router, authority: Arc<dyn auth_core::Authority>) -> axum::Router {
/// api.layer(AuthorityLayer::new(authority))
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AuthorityLayer(Arc<dyn Authority>);

impl AuthorityLayer {
    /// Lets `authority` decide.
    #[must_use]
    pub fn new(authority: Arc<dyn Authority>) -> Self {
        Self(authority)
    }
}

impl<S> Layer<S> for AuthorityLayer {
    type Service = AddExtension<S, Arc<dyn Authority>>;

    fn layer(&self, inner: S) -> Self::Service {
        Extension(Arc::clone(&self.0)).layer(inner)
    }
}

/// The authority of a request.
pub(crate) fn authority(extensions: &Extensions) -> Result<&dyn Authority, Rejection> {
    extensions.get::<Arc<dyn Authority>>().map(|authority| &**authority).ok_or_else(|| {
        tracing::error!(
            "a route asks for a principal and no authority is there: add \
             `.layer(auth_axum::AuthorityLayer::new(authority))` to its router"
        );
        Rejection::MissingAuthority
    })
}
