//! [`DeliverNotices`]: what of the outbox is the provider's own to deliver.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::decision::{Driver, Unavailable};
use auth_core::http::FORM;
use auth_core::keys::{KeySource, LocalKeys};
use auth_core::outbox::{Deliver, DeliveryError, Message};
use auth_core::{HttpClient, Tenant, TenantId};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use serde::de::DeserializeOwned;
use tracing::info;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::provider::{Config, Policy};
use crate::session::back_channel::{LogoutNotice, LogoutToken, SignLogout};
use crate::session::expiry::SessionExpiry;

/// Tells clients of logouts, ends sessions that are over, and hands all else on.
#[derive(Debug)]
pub(super) struct DeliverNotices {
    pub(super) driver: Driver,
    pub(super) tenant: Arc<Tenant>,
    pub(super) config: Arc<Config>,
    pub(super) keys: Arc<LocalKeys>,
    pub(super) http: Option<Arc<dyn HttpClient>>,
    /// The embedder's.
    pub(super) events: Arc<dyn Deliver>,
}

/// A client did not take what it was told.
#[derive(Debug, thiserror::Error)]
#[error("the client `{client_id}` answered {status}")]
struct NotTaken {
    client_id: String,
    status: StatusCode,
}

impl DeliverNotices {
    async fn logout(&self, jti: &str, notice: LogoutNotice) -> Result<(), DeliveryError> {
        let Some(http) = &self.http else {
            return Err(DeliveryError::new(
                "there is no HTTP client to tell a client with: add `.http_client(…)` to the provider",
            ));
        };
        let now = self.driver.ports().clock.now();
        let keys = self.keys.keys(&self.tenant, now).await.map_err(DeliveryError::new)?;
        let policy = Policy { config: self.config.clone(), keys };
        let client_id = notice.client_id.clone();
        let sign = SignLogout { policy, notice, jti: jti.to_owned() };
        let signed = run(self.driver.run(&self.tenant, &sign).await)?;
        let Some(LogoutToken { uri, token }) = signed else {
            info!(target: "oauth2", %client_id, "a client that was to be told of a logout is gone");
            return Ok(());
        };
        let body =
            Serializer::new(String::new()).append_pair("logout_token", token.expose()).finish();
        let request = Request::builder()
            .method(Method::POST)
            // As it was checked: not each form that a URL may be written in is one that is sent.
            .uri(Url::parse(&uri).map_err(DeliveryError::new)?.as_str())
            .header(header::CONTENT_TYPE, FORM)
            .body(Bytes::from(body))
            .map_err(DeliveryError::new)?;
        let status = http.send(request).await.map_err(DeliveryError::new)?.status();
        match status.is_success() {
            true => Ok(()),
            false => Err(DeliveryError::new(NotTaken { client_id: client_id.to_string(), status })),
        }
    }
}

fn run<T>(decided: Result<Result<T, ()>, Unavailable>) -> Result<T, DeliveryError> {
    let refused = |()| DeliveryError::new("it was refused");
    decided.map_err(DeliveryError::new)?.map_err(refused)
}

fn detail<T: DeserializeOwned>(message: &Message) -> Result<T, DeliveryError> {
    T::deserialize(&message.detail).map_err(DeliveryError::new)
}

#[async_trait]
impl Deliver for DeliverNotices {
    /// What is signed for a client, or ends a session, is done by a provider of that tenant.
    fn knows(&self, tenant: TenantId, message: &Message) -> bool {
        match message.name.as_str() {
            LogoutNotice::NAME | SessionExpiry::NAME => tenant == self.tenant.id,
            _ => self.events.knows(tenant, message),
        }
    }

    async fn deliver(
        &self,
        tenant: TenantId,
        idempotency_key: &str,
        message: &Message,
    ) -> Result<(), DeliveryError> {
        match message.name.as_str() {
            LogoutNotice::NAME => self.logout(idempotency_key, detail(message)?).await,
            SessionExpiry::NAME => {
                let expiry: SessionExpiry = detail(message)?;
                run(self.driver.run(&self.tenant, &expiry).await)
            }
            _ => self.events.deliver(tenant, idempotency_key, message).await,
        }
    }
}
