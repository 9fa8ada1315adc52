//! [`InProcess`]: HTTP to an engine in the same process.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use auth_core::http::{Engine, Listener, dispatch};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// Calls the provider's routes directly; to a relying party it is an HTTP client like any other.
pub(crate) struct InProcess(pub(crate) Arc<dyn Engine>);

impl<'c> AsyncHttpClient<'c> for InProcess {
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let response = dispatch(&*self.0, Listener::Public, request.map(Into::into)).await;
            Ok(response.map(|body| body.to_vec()))
        })
    }
}
