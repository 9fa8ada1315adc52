//! [`Driver`]: fetches facts, runs a decision, commits its outcome.

use std::sync::Arc;

use auth_store::{Batch, Class, CommitError, Key, Main, Side, Timestamp, Write};
use futures_util::future::{try_join, try_join_all};
use tracing::debug;

use crate::decision::commit::{Applied, commit, commit_id, pause};
use crate::decision::facts::{Asks, Facts, Freshness, Need};
use crate::decision::record_cache::RecordCache;
use crate::decision::rng::Seed;
use crate::decision::work::{Done, Ports, Reservation, Sign, Work};
use crate::decision::{Cx, Decision, DeferredSignature, Unavailable};
use crate::keys::CompactJwe;
use crate::tenant::Tenant;
use crate::tombstone::Tombstone;

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

    /// Its cache of records.
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
        let mut seed = Arc::new(Seed::new(self.ports.entropy.clone()));
        let mut now = self.ports.clock.now();
        let mut facts = Facts::default();
        let mut conflicts = 0;
        let mut rounds = 0;
        let mut use_cache = true;
        let mut asks = decision.prefetch();
        let known = self.cache.is_alive(tenant.id, now);
        if !known {
            asks = asks.read(&Tombstone::here());
        }
        self.fetch(tenant, asks, &mut facts, now, use_cache).await?;
        if !known {
            self.require_alive(tenant, &facts, now)?;
        }
        loop {
            let mut cx = Cx::new(tenant, now, &seed);
            let decided = decision.decide(&facts, &mut cx);
            seed.check()?;
            let decided = match decided {
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
            if outcome.answer.is_ok() {
                self.sign(tenant, &cx.deferred).await?;
            }
            let Some(batch) = outcome.batch else { return Ok(outcome.answer) };
            match self.commit(tenant, &batch).await? {
                Applied::Yes => return Ok(outcome.answer),
                Applied::Conflict => {
                    conflicts += 1;
                    if conflicts > Self::MAX_CONFLICTS {
                        return Err(Unavailable::Contention { attempts: conflicts });
                    }
                    debug!(conflicts, "others changed the records: deciding again");
                    pause(&*self.ports.entropy, 2_u64.pow(conflicts)).await?;
                    now = self.ports.clock.now();
                    // At another time it seals something else, for which a nonce of before must not do.
                    seed = Arc::new(Seed::new(self.ports.entropy.clone()));
                    rounds = 0;
                    // What was cached may be what conflicted, and would do so again.
                    use_cache = false;
                    facts.forget_reads();
                    self.fetch(tenant, decision.prefetch(), &mut facts, now, use_cache).await?;
                }
            }
        }
    }

    /// Refuses to go on for a tenant that was deleted.
    fn require_alive(
        &self,
        tenant: &Tenant,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        match facts.read(&Tombstone::here()) {
            Ok(None) => {
                self.cache.put_alive(tenant.id, now);
                Ok(())
            }
            Err(Need::Failed(error)) => Err(error),
            _ => Err(Unavailable::TenantDeleted(tenant.id)),
        }
    }

    async fn fetch(
        &self,
        tenant: &Tenant,
        asks: Asks,
        facts: &mut Facts,
        now: Timestamp,
        use_cache: bool,
    ) -> Result<(), Unavailable> {
        let Asks { reads, work } = facts.missing(asks);
        let mut keys: Vec<Key> = Vec::with_capacity(reads.len());
        let mut cacheable: Vec<Key> = Vec::new();
        for (key, freshness) in Asks::unique_reads(reads) {
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
        let (records, done) = match work.is_empty() {
            // Most ask for records alone.
            true => (reads.await?, Vec::new()),
            false => {
                let work = work.into_iter().map(|work| self.perform(tenant, work));
                try_join(reads, try_join_all(work)).await?
            }
        };
        for (key, record) in keys.into_iter().zip(records) {
            let slot = self.cache.known(tenant.id, &key, record);
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

    async fn sign(
        &self,
        tenant: &Tenant,
        deferred: &[DeferredSignature],
    ) -> Result<(), Unavailable> {
        for deferred in deferred {
            let Sign { kid, input } = deferred.sign();
            let signed = self.ports.signer.sign(tenant.id, kid, input.as_bytes());
            deferred.complete(signed.await?);
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
            Work::Fetch(wanted) => Done::Document(ports.documents.get(wanted).await),
            Work::Encrypt { to, plaintext } => {
                let encrypted = to.encrypt(plaintext);
                Done::Encrypted(encrypted.map_err(|error| Unavailable::port("encryption", error))?)
            }
            Work::Decrypt(jwe) => match (&ports.decrypter, CompactJwe::parse(jwe.expose())) {
                (Some(decrypter), Ok(jwe)) => {
                    Done::Decrypted(decrypter.decrypt(tenant.id, &jwe).await?)
                }
                _ => Done::Decrypted(None),
            },
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
        let mut conflicts = 0;
        loop {
            let add = Write::Add { key: key.clone(), n: 1, below: Some(below), keep_until };
            let (id, now) = (commit_id(&*self.ports.entropy)?, self.ports.clock.now());
            let batch = match key.class() {
                Class::Main => Batch::builder::<Main>(id, now).write(add).build()?,
                Class::Side => Batch::builder::<Side>(id, now).write(add).build()?,
            };
            return match self.ports.store.commit(tenant.id, &batch).await {
                Ok(committed) => {
                    Ok(Reservation::Granted(committed.counters.first().copied().unwrap_or(1)))
                }
                Err(CommitError::Full(_)) => Ok(Reservation::Full),
                // Not about the counter, which has no precondition: a database that locks met a deadlock.
                Err(CommitError::Conflict(_)) => {
                    conflicts += 1;
                    if conflicts > Self::MAX_CONFLICTS {
                        return Err(Unavailable::Contention { attempts: conflicts });
                    }
                    pause(&*self.ports.entropy, 2_u64.pow(conflicts)).await?;
                    continue;
                }
                // A place taken twice at worst refuses once too often.
                Err(CommitError::Unavailable(source) | CommitError::Unknown(source)) => {
                    Err(Unavailable::Store(source))
                }
                Err(other) => Err(Unavailable::Defect(other.into())),
            };
        }
    }

    async fn commit(&self, tenant: &Tenant, batch: &Batch) -> Result<Applied, Unavailable> {
        if batch.is_empty() {
            return Ok(Applied::Yes);
        }
        let (store, entropy) = (&*self.ports.store, &*self.ports.entropy);
        let applied = commit(store, entropy, tenant.id, batch).await?;
        if applied == Applied::Yes {
            batch.writes().iter().for_each(|write| self.cache.forget(tenant.id, write));
        }
        Ok(applied)
    }
}
