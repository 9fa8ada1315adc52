//! Decisions: pure functions over facts, and the driver that feeds them.
//!
//! A decision never waits, reads no clock and takes no randomness from the air. It looks facts up in a
//! cache; a missing one ends the run with [`Need`], the driver fetches it and runs the decision again.
//! What it returns is a value: a batch to commit and an answer to give.
//!
//! ```text
//!   decide(facts, cx) ──▶ Err(Need) ──▶ driver: one get + work, concurrently ──▶ run again
//!        │
//!        └─▶ Ok(Outcome { batch, answer }) ──▶ sign ──▶ commit ──▶ answer
//!                                                │ Conflict: forget reads, keep work, run again
//!                                                └ Unknown: read the batch's keys to find out
//! ```

pub(crate) mod commit;
mod deferred;
mod driver;
mod facts;
mod record_cache;
mod rng;
mod work;

use std::sync::Arc;
use std::time::Duration;

use auth_store::{Batch, BatchBuilder, ClassMarker, InvalidBatch, Main, Side, TenantId, Timestamp};
use futures_util::TryFutureExt;

pub use deferred::DeferredSignature;
pub use driver::Driver;
pub use facts::{Asks, Facts, Need};
pub use record_cache::RecordCache;
pub use rng::Rng;
pub use work::{Done, Ports, Reservation, Sign, Signature, Work};

use self::rng::Seed;
use crate::record::{DamagedRecord, NewerSchema};
use crate::tenant::Tenant;

/// A protocol decision.
///
/// `decide` must be deterministic: the driver runs it again with the same seed whenever a fact was
/// missing, and expects the same asks as long as the facts are the same. After a conflict it decides anew, with
/// another seed.
pub trait Decision: Send + Sync {
    /// What a permitted request is answered with.
    type Answer: Send;
    /// What a refused request is answered with. A refusal may commit, too: the reuse of a token kills
    /// its family.
    type Refusal: Send;

    /// The facts that the normal path needs, so that they come in one round trip.
    fn prefetch(&self) -> Asks;

    /// Decides.
    ///
    /// # Errors
    /// [`Need`] if a fact is missing or a record is damaged.
    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Self::Answer, Self::Refusal>, Need>;
}

/// The circumstances of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Cx<'a> {
    /// Whose engine this is.
    pub tenant: &'a Tenant,
    /// The time of the decision, the same in each of its runs until a conflict.
    pub now: Timestamp,
    /// Randomness from the same seed in each run, until a conflict.
    pub rng: Rng,
    seed: &'a Seed,
    /// What is signed when the request is permitted.
    deferred: Vec<DeferredSignature>,
}

impl<'a> Cx<'a> {
    fn new(tenant: &'a Tenant, now: Timestamp, seed: &'a Arc<Seed>) -> Self {
        Self { tenant, now, rng: Rng::drawn(seed), seed, deferred: Vec::new() }
    }

    /// Signs a text if the request is permitted, once that is decided and before it is committed.
    #[must_use]
    pub fn sign_later(&mut self, sign: Sign) -> DeferredSignature {
        let deferred = DeferredSignature::new(sign);
        self.deferred.push(deferred.clone());
        deferred
    }

    /// Starts the batch of this decision.
    #[must_use]
    pub fn batch(&self) -> BatchBuilder<Main> {
        Batch::builder(self.seed.commit_id(), self.now)
    }

    /// Starts a batch of what may be lost, in place of the other.
    #[must_use]
    pub fn side_batch(&self) -> BatchBuilder<Side> {
        Batch::builder(self.seed.commit_id(), self.now)
    }
}

/// What a decision comes to.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct Outcome<A, R> {
    /// What to commit, whether the request is permitted or refused. `None` commits nothing.
    pub batch: Option<Batch>,
    /// What to answer once it is committed.
    pub answer: Result<A, R>,
}

impl<A, R> Outcome<A, R> {
    /// Permits, and changes nothing.
    pub fn answer(answer: A) -> Self {
        Self { batch: None, answer: Ok(answer) }
    }

    /// Refuses, and changes nothing.
    pub fn refuse(refusal: impl Into<R>) -> Self {
        Self { batch: None, answer: Err(refusal.into()) }
    }

    /// Commits a batch, then answers.
    ///
    /// # Errors
    /// [`Need::Failed`] if the batch breaks a rule of the contract, which is a mistake of the program.
    pub fn commit<C: ClassMarker>(
        batch: BatchBuilder<C>,
        answer: Result<A, R>,
    ) -> Result<Self, Need> {
        Ok(Self { batch: Some(batch.build()?), answer })
    }
}

/// Gives `work` up after `limit`, as [`auth_store::within`] does.
///
/// # Errors
/// [`Unavailable::Timeout`].
pub fn within<W: Future>(
    limit: Duration,
    work: W,
) -> impl Future<Output = Result<W::Output, Unavailable>> {
    auth_store::within(limit, work).err_into()
}

/// A component did not do its part; the request itself may be good. Detail is for logs only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// The store did not answer.
    #[error("the store is unavailable")]
    Store(#[source] auth_store::Source),
    /// Others kept changing the same records.
    #[error("the records were changed by others in each of {attempts} attempts")]
    Contention {
        /// How often the decision was run.
        attempts: u32,
    },
    /// A stored record cannot be read.
    #[error(transparent)]
    Damaged(#[from] DamagedRecord),
    /// A stored record belongs to a newer version of the program.
    #[error(transparent)]
    Newer(#[from] NewerSchema),
    /// Too much password work is waiting.
    #[error("the queue for password work is full")]
    PasswordQueueFull,
    /// A signing key is not there.
    #[error("no signing key `{0}`")]
    NoKey(crate::KeyId),
    /// A port of the embedder failed.
    #[error("{port} failed")]
    Port {
        /// Which port.
        port: &'static str,
        /// Why.
        #[source]
        source: auth_store::Source,
    },
    /// Something took longer than a request may wait. It may still take effect.
    #[error(transparent)]
    Timeout(#[from] auth_store::Elapsed),
    /// The source of randomness failed.
    #[error(transparent)]
    Entropy(#[from] crate::NoEntropy),
    /// The tenant was deleted: nothing of it is answered any more, and it does not come back.
    #[error("the tenant `{0}` was deleted: serve another one, under another name")]
    TenantDeleted(TenantId),
    /// A counter inside a batch was full.
    #[error("a counter is full")]
    Full,
    /// The program broke a rule of its own: a defect to be reported.
    #[error("a defect of the program: {0}")]
    Defect(#[source] auth_store::Source),
}

impl Unavailable {
    /// A failure of the port `port`.
    pub fn port(
        port: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Port { port, source: source.into() }
    }
}

impl From<InvalidBatch> for Unavailable {
    fn from(error: InvalidBatch) -> Self {
        Self::Defect(error.into())
    }
}

impl From<auth_store::StoreError> for Unavailable {
    fn from(error: auth_store::StoreError) -> Self {
        match error {
            auth_store::StoreError::Unavailable(source) => Self::Store(source),
            other => Self::Defect(other.into()),
        }
    }
}
