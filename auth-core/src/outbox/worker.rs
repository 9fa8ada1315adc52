//! [`OutboxWorker`]: delivers messages, at least once each.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_store::{Key, Store, TenantId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use ring::digest;
use tracing::{debug, error, warn};

use crate::clock::{Clock, Entropy};
use crate::decision::{Unavailable, within};
use crate::outbox::deliver::{Deliver, DeliveryError};
use crate::outbox::message::{CauseOfDeath, Message};
use crate::queue::{self, Leases, Worker};
use crate::record::Found;

/// Delivers the messages of every tenant that its [`Deliver`] knows. Run one on every replica: leases keep them apart.
///
/// Each attempt is told as an event under the target `outbox`: `delivered`, `failed`, `dead`, `taken`.
#[derive(Debug, Clone)]
pub struct OutboxWorker {
    leases: Leases,
    deliver: Arc<dyn Deliver>,
    time_limit: Duration,
}

/// What one round of a worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Worked {
    /// Messages that were delivered.
    pub delivered: u32,
    /// Messages whose delivery failed: they will be tried again, or became dead letters.
    pub failed: u32,
    /// Messages that became dead letters.
    pub dead: u32,
    /// Messages that another worker has.
    pub taken: u32,
    /// Messages that are damaged, or for others: of a newer version of the program, or of a tenant whose messages
    /// are delivered elsewhere. They stay as they are.
    pub unusable: u32,
}

/// What became of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered,
    Failed {
        dead: bool,
    },
    /// Given up without another attempt.
    Buried,
    Taken,
}

impl OutboxWorker {
    /// How long a delivery may take: 30 seconds.
    pub const TIME_LIMIT: Duration = queue::TIME_LIMIT;

    /// A worker on every shard.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        deliver: Arc<dyn Deliver>,
    ) -> Self {
        let leases = Leases { store, clock, entropy };
        Self { leases, deliver, time_limit: Self::TIME_LIMIT }
    }

    /// Gives a delivery another time, at most [`OutboxWorker::TIME_LIMIT`].
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit.min(Self::TIME_LIMIT);
        self
    }

    /// Delivers what is due now.
    ///
    /// # Errors
    /// [`Unavailable`] if the store is away; what was not delivered stays due.
    pub async fn run_once(&self) -> Result<Worked, Unavailable> {
        let round = queue::once(self).await?;
        let mut worked = Worked { unusable: round.unusable, ..Worked::default() };
        for outcome in round.outcomes {
            match outcome {
                Outcome::Delivered => worked.delivered += 1,
                Outcome::Failed { dead } => {
                    worked.failed += 1;
                    worked.dead += u32::from(dead);
                }
                Outcome::Buried => worked.dead += 1,
                Outcome::Taken => worked.taken += 1,
            }
        }
        Ok(worked)
    }

    /// Delivers for ever, looking every `interval`; spawn it on your runtime.
    pub async fn run(self, interval: Duration) {
        self.run_until(interval, std::future::pending()).await;
    }

    /// Delivers until `stop`, and ends once the deliveries that were begun have ended.
    pub async fn run_until(self, interval: Duration, stop: impl Future<Output = ()>) {
        queue::until(&self, interval, stop).await;
    }

    async fn attempt(
        &self,
        tenant: TenantId,
        id: &str,
        message: &Message,
    ) -> Result<(), DeliveryError> {
        let delivery = self.deliver.deliver(tenant, id, message);
        // What is given up waits no more, so it does not go on when another worker has the message. What
        // panics must not take the worker along; its message may hold anything and is not repeated.
        let delivery = AssertUnwindSafe(within(self.time_limit, delivery)).catch_unwind().await;
        let delivery = delivery.map_err(|_| DeliveryError::new("the delivery panicked"))?;
        delivery.map_err(DeliveryError::new)?
    }
}

#[async_trait]
impl Worker for OutboxWorker {
    type Item = Message;
    type Outcome = Outcome;

    fn leases(&self) -> &Leases {
        &self.leases
    }

    fn knows(&self, tenant: TenantId, item: &Message) -> bool {
        self.deliver.knows(tenant, item)
    }

    async fn work(&self, tenant: TenantId, found: Found<Message>) -> Result<Outcome, Unavailable> {
        let id = idempotency_key(found.key().raw());
        let name = found.value.name.clone();
        if found.value.is_lost() {
            // Whoever tried it last never came back: it must not take another worker along.
            let buried = found.value.buried(self.leases.now(), CauseOfDeath::Lost);
            let lease = queue::Lease { tenant, found };
            return Ok(match self.leases.write(lease, buried, Vec::new()).await? {
                Some(_) => {
                    error!(target: "outbox", %tenant, event = name, id, cause = "lost", "dead");
                    Outcome::Buried
                }
                None => Outcome::Taken,
            });
        }
        let Some(lease) = self.leases.take(tenant, found).await? else {
            debug!(target: "outbox", %tenant, event = name, id, "taken");
            return Ok(Outcome::Taken);
        };
        let attempts = lease.value().attempts;
        let (next, outcome) = match self.attempt(tenant, &id, lease.value()).await {
            Ok(()) => (lease.value().delivered(), Outcome::Delivered),
            Err(error) => {
                let error: &(dyn std::error::Error + 'static) = &*error.source;
                warn!(target: "outbox", %tenant, event = name, id, attempts, error, "failed");
                let failed = lease.value().failed(self.leases.now());
                let dead = failed.is_dead();
                (failed, Outcome::Failed { dead })
            }
        };
        // If somebody else has the message by now, what became of it is theirs to write down.
        self.leases.write(lease, next, Vec::new()).await?;
        match outcome {
            Outcome::Delivered => {
                debug!(target: "outbox", %tenant, event = name, id, attempts, "delivered");
            }
            Outcome::Failed { dead: true } => {
                error!(target: "outbox", %tenant, event = name, id, cause = "refused", "dead");
            }
            _ => {}
        }
        Ok(outcome)
    }
}

/// Of the record's key, which has a random identifier in it and is the one thing about a message that no
/// attempt changes.
fn idempotency_key(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, key.as_bytes()).as_ref()[..16])
}
