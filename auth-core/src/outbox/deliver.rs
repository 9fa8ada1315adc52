//! [`Deliver`]: where messages go.

use std::fmt;

use async_trait::async_trait;
use auth_store::TenantId;
use tracing::info;

use crate::outbox::message::Message;

/// Where messages go.
///
/// Several are delivered at the same time, and in no order. A delivery that takes longer than
/// [`OutboxWorker::TIME_LIMIT`](crate::outbox::OutboxWorker::TIME_LIMIT) is dropped where it waits and
/// counts as failed, so that it does not go on when another worker has the message.
#[async_trait]
pub trait Deliver: Send + Sync + fmt::Debug + 'static {
    /// Whether this process can deliver a message of a tenant; another one gets it if not.
    fn knows(&self, tenant: TenantId, message: &Message) -> bool {
        let _ = (tenant, message);
        true
    }

    /// Delivers a message. It may come again under the same `idempotency_key`, if the answer to an
    /// earlier attempt was lost.
    ///
    /// # Errors
    /// [`DeliveryError`]; it is tried again later.
    async fn deliver(
        &self,
        tenant: TenantId,
        idempotency_key: &str,
        message: &Message,
    ) -> Result<(), DeliveryError>;
}

/// A delivery failed.
#[derive(Debug, thiserror::Error)]
#[error("the message could not be delivered")]
#[non_exhaustive]
pub struct DeliveryError {
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl DeliveryError {
    /// Wraps the cause.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: source.into() }
    }
}

/// Writes messages to the log, under the target `audit`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct DeliverToLog;

#[async_trait]
impl Deliver for DeliverToLog {
    async fn deliver(
        &self,
        tenant: TenantId,
        idempotency_key: &str,
        message: &Message,
    ) -> Result<(), DeliveryError> {
        let Message { name, detail, happened_at, .. } = message;
        info!(target: "audit", %tenant, event = name, %detail, %happened_at, id = idempotency_key);
        Ok(())
    }
}
