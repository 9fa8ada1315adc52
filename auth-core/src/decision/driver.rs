//! [`Driver`]: fetches facts, runs a decision, commits its outcome.

use std::sync::Arc;
use std::time::Duration;

use auth_store::{Batch, CommitError, CommitId, Key, Side, Timestamp, Write};
use futures_util::future::{try_join, try_join_all};
use tracing::{debug, warn};

use crate::decision::facts::{Asks, Facts, Freshness, Need, Slot};
use crate::decision::record_cache::RecordCache;
use crate::decision::rng::Rng;
use crate::decision::work::{Done, Ports, Reservation, Work};
use crate::decision::{Cx, Decision, Unavailable};
use crate::tenant::Tenant;

/// Runs decisions against the ports.
#[derive(Debug, Clone)]
pub struct Driver {
    ports: Ports,
    cache: Arc<RecordCache>,
}

impl Driver {
    /// How often a decision is run again after a conflict before the request is given up.
    const MAX_CONFLICTS: u32 = 4;
    /// How often a decision may ask for more; a straight-line function needs a handful.
    const MAX_ROUNDS: u32 = 24;
    /// How often a commit of unknown outcome is sent again.
    const MAX_REPLAYS: u32 = 3;

    /// A driver with its own cache.
    #[must_use]
    pub fn new(ports: Ports, cache: RecordCache) -> Self {
        Self { ports, cache: Arc::new(cache) }
    }

    /// The ports it works with.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Its cache of configuration.
    #[must_use]
    pub fn cache(&self) -> &RecordCache {
        &self.cache
    }

    /// Brings a decision to its end: the inner result is its answer or refusal.
    ///
    /// # Errors
    /// [`Unavailable`] if a component did not do its part. Nothing was committed then, or it cannot be
    /// told; in either case the request failed closed.
    pub async fn run<D: Decision>(
        &self,
        tenant: &Tenant,
        decision: &D,
    ) -> Result<Result<D::Answer, D::Refusal>, Unavailable> {
        let mut seed = [0; 32];
        self.ports.entropy.fill(&mut seed)?;
        let mut now = self.ports.clock.now();
        let mut facts = Facts::default();
        let mut conflicts = 0;
        let mut rounds = 0;
        let mut use_cache = true;
        self.fetch(tenant, decision.prefetch(), &mut facts, now, use_cache).await?;
        loop {
            let commit_id = self.commit_id()?;
            let mut cx = Cx { tenant, now, rng: Rng::from_seed(&seed), commit_id };
            let decided = match decision.decide(&facts, &mut cx) {
                Ok(outcome) => Ok(outcome),
                Err(Need::Failed(error)) => Err(error),
                Err(Need::Facts(asks)) => {
                    rounds += 1;
                    if rounds > Self::MAX_ROUNDS {
                        return Err(Unavailable::Defect("a decision asks without end".into()));
                    }
                    self.fetch(tenant, asks, &mut facts, now, use_cache).await?;
                    continue;
                }
            };
            let refused = decided.as_ref().map_or(true, |outcome| outcome.answer.is_err());
            if refused && facts.from_cache {
                use_cache = false;
                rounds = 0;
                facts.forget_reads();
                self.fetch(tenant, decision.prefetch(), &mut facts, now, use_cache).await?;
                continue;
            }
            let outcome = decided?;
            let Some(batch) = outcome.batch else { return Ok(outcome.answer) };
            match self.commit(tenant, &batch).await? {
                Applied::Yes => return Ok(outcome.answer),
                Applied::Conflict => {
                    conflicts += 1;
                    if conflicts > Self::MAX_CONFLICTS {
                        return Err(Unavailable::Contention { attempts: conflicts });
                    }
                    debug!(conflicts, "others changed the records: deciding again");
                    self.wait(conflicts).await?;
                    now = self.ports.clock.now();
                    rounds = 0;
                    // What was cached may be what conflicted, and would do so again.
                    use_cache = false;
                    facts.forget_reads();
                    self.fetch(tenant, decision.prefetch(), &mut facts, now, use_cache).await?;
                }
            }
        }
    }

    fn commit_id(&self) -> Result<CommitId, Unavailable> {
        let mut id = [0; 16];
        self.ports.entropy.fill(&mut id)?;
        Ok(CommitId::from_bytes(id))
    }

    /// Waits for a random time that grows with the number of conflicts.
    async fn wait(&self, conflicts: u32) -> Result<(), Unavailable> {
        let mut byte = [0];
        self.ports.entropy.fill(&mut byte)?;
        let limit = 2_u64.pow(conflicts);
        let millis = u64::from(byte[0]) * limit / 256;
        futures_timer::Delay::new(Duration::from_millis(millis)).await;
        Ok(())
    }

    async fn fetch(
        &self,
        tenant: &Tenant,
        asks: Asks,
        facts: &mut Facts,
        now: Timestamp,
        use_cache: bool,
    ) -> Result<(), Unavailable> {
        let asks = facts.missing(asks);
        let mut keys: Vec<Key> = Vec::with_capacity(asks.reads.len());
        let mut cacheable: Vec<Key> = Vec::new();
        for (key, freshness) in asks.unique_reads() {
            if freshness == Freshness::Cached {
                if use_cache && let Some(slot) = self.cache.get(tenant.id, &key, now) {
                    facts.from_cache = true;
                    facts.add_record(key, slot, Freshness::Cached);
                    continue;
                }
                cacheable.push(key.clone());
            }
            keys.push(key);
        }
        let reads = async {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            Ok::<_, Unavailable>(self.ports.store.get(tenant.id, &keys).await?)
        };
        let work = try_join_all(asks.work.into_iter().map(|work| self.perform(tenant, work)));
        let (records, done) = try_join(reads, work).await?;
        for (key, record) in keys.into_iter().zip(records) {
            let slot = Slot::new(record);
            if cacheable.contains(&key) {
                self.cache.put(tenant.id, &key, now, &slot);
            }
            facts.add_record(key, slot, Freshness::Stored);
        }
        for (work, done) in done {
            facts.add_done(work, done);
        }
        Ok(())
    }

    async fn perform(&self, tenant: &Tenant, work: Work) -> Result<(Work, Done), Unavailable> {
        let ports = &self.ports;
        let done = match &work {
            Work::Sign(sign) => Done::Signature(
                ports.signer.sign(tenant.id, &sign.kid, sign.input.as_bytes()).await?,
            ),
            Work::VerifyPassword { hash, password } => {
                Done::Verified(ports.passwords.verify(hash, password).await?)
            }
            Work::Reserve { key, below, keep_until } => {
                Done::Reserved(self.reserve(tenant, key, *below, *keep_until).await?)
            }
            Work::Authenticate { identifier, password } => Done::Authentication(
                ports.directory.authenticate(tenant.id, identifier, password).await?,
            ),
            Work::Identity(subject) => {
                Done::Identity(ports.directory.find(tenant.id, subject).await?.map(Arc::new))
            }
            Work::Hook(call) => Done::Hook(Arc::new(ports.hook.call(tenant.id, call).await?)),
        };
        Ok((work, done))
    }

    async fn reserve(
        &self,
        tenant: &Tenant,
        key: &Key,
        below: u64,
        keep_until: Timestamp,
    ) -> Result<Reservation, Unavailable> {
        let add = Write::Add { key: key.clone(), n: 1, below: Some(below), keep_until };
        let (id, now) = (self.commit_id()?, self.ports.clock.now());
        let batch = match key.class() {
            auth_store::Class::Main => {
                Batch::builder::<auth_store::Main>(id, now).write(add).build()?
            }
            auth_store::Class::Side => Batch::builder::<Side>(id, now).write(add).build()?,
        };
        match self.ports.store.commit(tenant.id, &batch).await {
            Ok(committed) => {
                Ok(Reservation::Granted(committed.counters.first().copied().unwrap_or(1)))
            }
            Err(CommitError::Full(_)) => Ok(Reservation::Full),
            // A place taken twice at worst refuses once too often.
            Err(CommitError::Unavailable(source) | CommitError::Unknown(source)) => {
                Err(Unavailable::Store(source))
            }
            Err(other) => Err(Unavailable::Defect(other.into())),
        }
    }

    /// Commits, and finds out what became of it if the answer is lost.
    async fn commit(&self, tenant: &Tenant, batch: &Batch) -> Result<Applied, Unavailable> {
        if batch.is_empty() {
            return Ok(Applied::Yes);
        }
        let mut replays = 0;
        loop {
            let source = match self.ports.store.commit(tenant.id, batch).await {
                Ok(_) => {
                    self.forget_written(tenant, batch);
                    return Ok(Applied::Yes);
                }
                Err(CommitError::Conflict(_)) => return Ok(Applied::Conflict),
                Err(CommitError::Full(_)) => return Err(Unavailable::Full),
                Err(CommitError::Unavailable(source)) => return Err(Unavailable::Store(source)),
                Err(CommitError::Unknown(source)) => source,
                Err(other) => return Err(Unavailable::Defect(other.into())),
            };
            warn!(commit = %batch.id(), "the outcome of a commit is unknown: reading its keys");
            let keys: Vec<Key> = batch.writes().iter().map(|write| write.key().clone()).collect();
            if let Ok(records) = self.ports.store.get(tenant.id, &keys).await
                && records.iter().flatten().any(|record| record.version == batch.id())
            {
                self.forget_written(tenant, batch);
                return Ok(Applied::Yes);
            }
            replays += 1;
            if replays > Self::MAX_REPLAYS {
                return Err(Unavailable::Store(source));
            }
            // The same id again: without effect if the first one arrives after all.
        }
    }

    fn forget_written(&self, tenant: &Tenant, batch: &Batch) {
        batch.writes().iter().for_each(|write| self.cache.forget(tenant.id, write.key()));
    }
}

enum Applied {
    Yes,
    Conflict,
}
