//! [`InProcess`]: HTTP to an engine in the same process.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;

use auth_core::http::{Engine, Listener, Peer, dispatch};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// Calls the provider's routes directly; to a relying party it is an HTTP client like any other.
pub(crate) struct InProcess(pub(crate) Arc<dyn Engine>);

impl<'c> AsyncHttpClient<'c> for InProcess {
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let mut request = request.map(Into::into);
            request.extensions_mut().insert(Peer(Ipv4Addr::LOCALHOST.into()));
            let response = dispatch(&*self.0, Listener::Public, request).await;
            Ok(response.map(|body| body.to_vec()))
        })
    }
}
