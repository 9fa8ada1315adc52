//! [`RequireScope`]: lets only tokens with a scope through.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::{Extensions, HeaderMap};
use axum::response::{IntoResponse, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::authority::authority;
use crate::rejection::Rejection;

/// Lets a request through if it has a bearer token with this scope, and refuses it before it reaches
/// the handler otherwise: 401 without credentials, 403 `insufficient_scope` with others.
///
/// A scope limits what a client may do for a person; a session is the person and has none, so it is
/// refused, too. For several scopes add several layers. The [`AuthorityLayer`](crate::AuthorityLayer)
/// goes around it, that is, after it:
///
/// ```
/// # use std::sync::Arc;
/// use auth_axum::{AuthorityLayer, RequireScope};
/// use axum::{Router, routing::get};
///
/// # fn api(authority: Arc<dyn auth_core::Authority>) -> Router {
/// Router::new()
///     .route("/orders", get(async || "all of them"))
///     .layer(RequireScope::new("orders:read"))
///     .layer(AuthorityLayer::new(authority))
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RequireScope(Arc<str>);

impl RequireScope {
    /// Demands `scope`.
    #[must_use]
    pub fn new(scope: impl Into<Arc<str>>) -> Self {
        Self(scope.into())
    }
}

impl<S> Layer<S> for RequireScope {
    type Service = ScopeRequired<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ScopeRequired { inner, scope: Arc::clone(&self.0) }
    }
}

/// A service behind [`RequireScope`].
#[derive(Debug, Clone)]
pub struct ScopeRequired<S> {
    inner: S,
    scope: Arc<str>,
}

impl<S> Service<Request> for ScopeRequired<S>
where
    S: Service<Request, Error = Infallible> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The clone may not be ready; the one that is goes with the request.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let scope = Arc::clone(&self.scope);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            if let Err(rejection) = check(&scope, &parts.extensions, &parts.headers).await {
                return Ok(rejection.into_response());
            }
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(response.into_response())
        })
    }
}

async fn check(scope: &str, extensions: &Extensions, headers: &HeaderMap) -> Result<(), Rejection> {
    let principal = authority(extensions)?.principal(headers).await?;
    Ok(principal.require_scope(scope)?)
}
