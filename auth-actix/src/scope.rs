//! [`RequireScope`]: lets only tokens with a scope through.

use std::sync::Arc;

use actix_web::HttpRequest;

use crate::authority::authority;
use crate::convert::headers;
use crate::gate::Gate;
use crate::rejection::Rejection;

/// Lets a request through if it has a bearer token with this scope, and refuses it before it reaches
/// the handler otherwise: 401 without credentials, 403 `insufficient_scope` with others.
///
/// A scope limits what a client may do for a person; a session is the person and has none, so it is
/// refused, too. For several scopes wrap several times. The [`AuthorityLayer`](crate::AuthorityLayer)
/// goes around it.
#[derive(Debug, Clone)]
pub struct RequireScope(Arc<str>);

impl RequireScope {
    /// Demands `scope`.
    #[must_use]
    pub fn new(scope: impl Into<Arc<str>>) -> Self {
        Self(scope.into())
    }
}

impl Gate for RequireScope {
    async fn admit(&self, request: &HttpRequest) -> Result<(), Rejection> {
        let principal = authority(request)?.principal(&headers(request.headers())).await?;
        Ok(principal.require_scope(&self.0)?)
    }
}
