//! [`OutboxWorker`]: delivers messages, at least once each.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use auth_store::limits::DUE_SHARDS;
use auth_store::{Batch, CommitError, CommitId, Key, Main, Queue, Record, Store, TenantId, Write};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use tracing::{info, warn};

use crate::clock::{Clock, Entropy};
use crate::decision::Unavailable;
use crate::outbox::message::Message;
use crate::record::Found;

/// Where messages go.
#[async_trait]
pub trait Deliver: Send + Sync + fmt::Debug + 'static {
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

/// Delivers the messages of every tenant. Run one on every replica: leases keep them apart.
#[derive(Debug, Clone)]
pub struct OutboxWorker {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    deliver: Arc<dyn Deliver>,
    shards: Range<u16>,
}

/// What one round of a worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Worked {
    /// Messages that were delivered.
    pub delivered: u32,
    /// Messages that will be tried again, or became dead letters.
    pub failed: u32,
    /// Messages that another worker has.
    pub taken: u32,
    /// Messages that are damaged, or that a newer version of the program wrote: they stay as they are.
    pub unusable: u32,
}

impl OutboxWorker {
    /// How many messages a round takes at most.
    const ROUND: u32 = 64;

    /// A worker on every shard.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        deliver: Arc<dyn Deliver>,
    ) -> Self {
        Self { store, clock, entropy, deliver, shards: 0..DUE_SHARDS }
    }

    /// Delivers what is due now.
    ///
    /// # Errors
    /// [`Unavailable`] if the store is away; what was not delivered stays due.
    pub async fn run_once(&self) -> Result<Worked, Unavailable> {
        let now = self.clock.now();
        let due = self.store.due(Queue::Outbox, now, self.shards.clone(), Self::ROUND).await?;
        let mut worked = Worked::default();
        for (tenant, record) in due {
            let leased = match self.lease(tenant, &record).await {
                Ok(Some(leased)) => leased,
                Ok(None) => {
                    worked.taken += 1;
                    continue;
                }
                // It must not keep the messages behind it waiting.
                Err(error @ (Unavailable::Damaged(_) | Unavailable::Newer(_))) => {
                    warn!(key = ?record.key, %error, "a message cannot be delivered by this process");
                    worked.unusable += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let id = idempotency_key(&record.key);
            match self.deliver.deliver(tenant, &id, &leased.value).await {
                Ok(()) => {
                    self.finish(tenant, &leased).await?;
                    worked.delivered += 1;
                }
                Err(error) => {
                    warn!(event = leased.value.name, %error, "a message could not be delivered");
                    let failed = leased.value.failed(self.clock.now());
                    self.commit(tenant, leased.replace(&failed)?).await?;
                    worked.failed += 1;
                }
            }
        }
        Ok(worked)
    }

    /// Delivers for ever, looking every `interval`; spawn it on your runtime.
    pub async fn run(self, interval: std::time::Duration) {
        loop {
            match self.run_once().await {
                Ok(Worked { delivered, .. }) if delivered == Self::ROUND => continue,
                Ok(_) => {}
                Err(error) => warn!(%error, "the outbox could not be read"),
            }
            futures_timer::Delay::new(interval).await;
        }
    }

    async fn lease(
        &self,
        tenant: TenantId,
        record: &Record,
    ) -> Result<Option<Found<Message>>, Unavailable> {
        let found = Found::<Message>::read(record)?;
        let leased = found.value.leased(self.clock.now());
        let write = found.replace(&leased)?;
        let Write::Put { record: new, .. } = &write else { return Ok(None) };
        let (key, value) = (new.key.clone(), new.value.clone());
        let Some(version) = self.commit(tenant, write).await? else { return Ok(None) };
        let record = Record { key, version, value, keep_until: None, due: None };
        Ok(Some(Found::read(&record)?))
    }

    /// Marks a message as delivered; the sweep removes it.
    async fn finish(&self, tenant: TenantId, leased: &Found<Message>) -> Result<(), Unavailable> {
        let done = leased.value.delivered();
        self.commit(tenant, leased.replace(&done)?).await.map(drop)
    }

    /// Commits one write; `None` if somebody else changed the record.
    async fn commit(
        &self,
        tenant: TenantId,
        write: Write,
    ) -> Result<Option<CommitId>, Unavailable> {
        let mut id = [0; 16];
        self.entropy.fill(&mut id)?;
        let id = CommitId::from_bytes(id);
        let batch = Batch::builder::<Main>(id, self.clock.now()).write(write).build()?;
        match self.store.commit(tenant, &batch).await {
            Ok(_) => Ok(Some(id)),
            Err(CommitError::Conflict(_)) => Ok(None),
            Err(error) => Err(Unavailable::Store(error.into())),
        }
    }
}

/// Of the record's key, which has a random identifier in it and is the one thing about a message that no
/// attempt changes.
fn idempotency_key(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, key.as_bytes()).as_ref()[..16])
}
