//! [`BackChannel`]: a request that a client makes itself, and authenticates: to the token, introspection
//! and revocation endpoints.

use std::sync::Arc;

use auth_core::decision::Decision;
use auth_core::http::{Request, Response};

use crate::client::authenticate::Presented;
use crate::endpoint::answer::unavailable;
use crate::grant::ClientRequest;
use crate::provider::Provider;
use crate::refusal::Refusal;

/// What every such endpoint begins with, and how its decision ends.
pub(super) struct BackChannel<'a> {
    provider: &'a Provider,
    request: Arc<ClientRequest>,
    source: String,
}

impl<'a> BackChannel<'a> {
    /// Reads a request. `malformed` says what credentials that cannot be read are refused with.
    pub(super) async fn open(
        provider: &'a Provider,
        request: &Request,
        malformed: fn(Refusal) -> Refusal,
    ) -> Result<Self, Response> {
        let form = provider.body(request)?;
        let presented = Presented::read(request.headers(), &form)
            .map_err(|error| provider.refuse(&malformed(error)))?;
        let source = provider.source(request);
        provider.admit(&presented, &source).await?;
        let policy = provider.policy().await.map_err(|cause| unavailable(&cause))?;
        let request = Arc::new(ClientRequest { policy, presented, form });
        Ok(Self { provider, request, source })
    }

    /// The request, for a decision to be made of it.
    pub(super) fn request(&self) -> Arc<ClientRequest> {
        self.request.clone()
    }

    /// Brings the decision to its end; a failed authentication counts against where it came from.
    pub(super) async fn decide<D: Decision<Refusal = Refusal>>(
        &self,
        decision: &D,
    ) -> Result<D::Answer, Response> {
        let provider = self.provider;
        match provider.driver().run(provider.tenant(), decision).await {
            Err(cause) => Err(unavailable(&cause)),
            Ok(Err(error)) => {
                provider.count_failure(&self.request.presented, &self.source, &error).await;
                Err(provider.refuse(&error))
            }
            Ok(Ok(answer)) => Ok(answer),
        }
    }
}
