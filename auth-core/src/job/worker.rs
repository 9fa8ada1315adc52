//! [`JobWorker`]: takes jobs a few steps on.

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_store::{MainWrite, Store, TenantId, Timestamp};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tracing::{debug, error, info, warn};

use crate::clock::{Clock, Entropy};
use crate::decision::{Rng, Unavailable, within};
use crate::job::record::JobRecord;
use crate::job::{Job, Site, Step};
use crate::queue::{self, Lease, Leases, Worker};
use crate::record::Found;

/// A step of a job whose type is not known: takes its state, gives the next one.
type Run = for<'a> fn(Value, Site<'a>) -> BoxFuture<'a, Result<(Value, Step), Unavailable>>;

/// Works on the jobs of every tenant. Run one on every replica: leases keep them apart. Jobs that were not
/// registered are left to a process that knows them.
///
/// What it does is told under the target `job`: `step`, `done`, `failed`, `taken`.
#[derive(Clone)]
pub struct JobWorker {
    leases: Leases,
    known: HashMap<&'static str, Run>,
}

/// What one round of a worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobsWorked {
    /// Jobs that are done.
    pub done: u32,
    /// Jobs that were taken on, and have more to do.
    pub advanced: u32,
    /// Jobs of which a step failed: it is tried again later.
    pub failed: u32,
    /// Jobs that another worker has.
    pub taken: u32,
    /// Jobs that are damaged, or not known to this process.
    pub unusable: u32,
}

/// What became of one job in one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Advanced,
    Failed,
    Taken,
}

impl JobWorker {
    /// How many steps a job is taken on before others have their turn.
    const TURN: u32 = 16;
    /// After how many attempts at one step somebody should look.
    const TOO_MANY: u32 = 12;

    /// A worker that knows no jobs yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { leases: Leases { store, clock, entropy }, known: HashMap::new() }
    }

    /// Makes a kind of job known.
    #[must_use]
    pub fn register<J: Job>(mut self) -> Self {
        let run: Run = |state, site| Box::pin(run::<J>(state, site));
        self.known.insert(J::NAME, run);
        self
    }

    /// Takes every job that is due now a turn on.
    ///
    /// # Errors
    /// [`Unavailable`] if the store is away; what was not done stays due.
    pub async fn run_once(&self) -> Result<JobsWorked, Unavailable> {
        let round = queue::once(self).await?;
        let mut worked = JobsWorked { unusable: round.unusable, ..JobsWorked::default() };
        for outcome in round.outcomes {
            *match outcome {
                Outcome::Done => &mut worked.done,
                Outcome::Advanced => &mut worked.advanced,
                Outcome::Failed => &mut worked.failed,
                Outcome::Taken => &mut worked.taken,
            } += 1;
        }
        Ok(worked)
    }

    /// Works for ever, looking every `interval`; spawn it on your runtime.
    pub async fn run(self, interval: Duration) {
        self.run_until(interval, std::future::pending()).await;
    }

    /// Works until `stop`, and ends once the turns that were begun have ended.
    pub async fn run_until(self, interval: Duration, stop: impl Future<Output = ()>) {
        queue::until(&self, interval, stop).await;
    }

    /// One step of a leased job. `Err` is the lease of a job whose step failed.
    async fn step(
        &self,
        lease: &Lease<JobRecord>,
        run: Run,
        now: Timestamp,
    ) -> Result<(Value, Step), Unavailable> {
        let (tenant, key) = (lease.tenant, lease.found.key().raw());
        let site = Site { tenant, store: &*self.leases.store, now, key };
        let step = run(lease.value().job.clone(), site);
        // What panics must not take the worker along, and one worker after the other.
        let step = AssertUnwindSafe(within(queue::TIME_LIMIT, step)).catch_unwind().await;
        step.map_err(|_| Unavailable::Defect("a step of the job panicked".into()))??
    }

    /// The next state of a job, with all that is written together with it.
    fn next(
        &self,
        record: &JobRecord,
        job: Value,
        step: Step,
        now: Timestamp,
    ) -> Result<(JobRecord, Vec<MainWrite>, Next), Unavailable> {
        Ok(match step {
            Step::More(writes) => (record.advanced(job, self.leases.end()), writes, Next::GoOn),
            Step::Later(wait) => {
                (record.advanced(job, now.saturating_add(wait)), Vec::new(), Next::Rest)
            }
            Step::Done { mut writes, events } => {
                let mut seed = [0; 32];
                self.leases.entropy.fill(&mut seed)?;
                let mut rng = Rng::from_seed(&seed);
                writes.extend(events.iter().map(|event| event.write(&mut rng, now)));
                (record.done(job), writes, Next::End)
            }
        })
    }
}

/// How a turn goes on after a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Rest,
    End,
}

async fn run<J: Job>(state: Value, site: Site<'_>) -> Result<(Value, Step), Unavailable> {
    let broken = |error: serde_json::Error| Unavailable::Defect(error.into());
    let mut job: J = serde_json::from_value(state).map_err(broken)?;
    let step = job.step(&site).await?;
    Ok((serde_json::to_value(&job).map_err(broken)?, step))
}

#[async_trait]
impl Worker for JobWorker {
    type Item = JobRecord;
    type Outcome = Outcome;

    fn leases(&self) -> &Leases {
        &self.leases
    }

    fn knows(&self, _: TenantId, item: &JobRecord) -> bool {
        self.known.contains_key(item.name.as_str())
    }

    async fn work(
        &self,
        tenant: TenantId,
        found: Found<JobRecord>,
    ) -> Result<Outcome, Unavailable> {
        let job = found.value.name.clone();
        let Some(run) = self.known.get(job.as_str()).copied() else { return Ok(Outcome::Taken) };
        let Some(mut lease) = self.leases.take(tenant, found).await? else {
            debug!(target: "job", %tenant, job, "taken");
            return Ok(Outcome::Taken);
        };
        for nth in 1..=Self::TURN {
            let now = self.leases.now();
            let (state, step) = match self.step(&lease, run, now).await {
                Ok(step) => step,
                Err(cause) => {
                    let attempts = lease.value().attempts;
                    match attempts > Self::TOO_MANY {
                        true => error!(target: "job", %tenant, job, attempts, %cause, "failed"),
                        false => warn!(target: "job", %tenant, job, attempts, %cause, "failed"),
                    }
                    let failed = lease.value().failed(self.leases.now());
                    self.leases.write(lease, failed, Vec::new()).await?;
                    return Ok(Outcome::Failed);
                }
            };
            let (mut record, writes, next) = self.next(lease.value(), state, step, now)?;
            if next == Next::GoOn && nth == Self::TURN {
                record.due = Some(now);
            }
            // Somebody else has it: the lease ended, or one of the writes came too late and is decided
            // again when it does.
            let Some(renewed) = self.leases.write(lease, record, writes).await? else {
                debug!(target: "job", %tenant, job, "taken");
                return Ok(Outcome::Taken);
            };
            lease = renewed;
            match next {
                Next::GoOn => debug!(target: "job", %tenant, job, "step"),
                Next::Rest => return Ok(Outcome::Advanced),
                Next::End => {
                    info!(target: "job", %tenant, job, "done");
                    return Ok(Outcome::Done);
                }
            }
        }
        Ok(Outcome::Advanced)
    }
}

impl fmt::Debug for JobWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobWorker").field(&self.known.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use auth_store::{Batch, Main, MemoryStore, Store, TenantId};
    use futures_util::FutureExt;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::clock::{SystemClock, SystemEntropy};
    use crate::decision::commit::commit_id;
    use crate::job::enqueue;

    #[derive(Debug, Serialize, Deserialize)]
    struct Panics;

    #[async_trait]
    impl Job for Panics {
        const NAME: &'static str = "panics";

        async fn step(&mut self, _: &Site<'_>) -> Result<Step, Unavailable> {
            panic!("as a job of somebody else may");
        }
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Ends;

    #[async_trait]
    impl Job for Ends {
        const NAME: &'static str = "ends";

        async fn step(&mut self, _: &Site<'_>) -> Result<Step, Unavailable> {
            Ok(Step::Done { writes: Vec::new(), events: Vec::new() })
        }
    }

    #[test]
    fn a_job_that_panics_takes_no_worker_along() {
        let store = Arc::new(MemoryStore::new());
        let (clock, entropy) = (SystemClock::default(), SystemEntropy::default());
        let now = clock.now();
        let mut rng = Rng::from_seed(&[1; 32]);
        let batch = Batch::builder::<Main>(commit_id(&entropy).unwrap(), now)
            .write(enqueue(&Panics, &mut rng, now))
            .write(enqueue(&Ends, &mut rng, now))
            .build()
            .unwrap();
        store.commit(TenantId::DEFAULT, &batch).now_or_never().unwrap().unwrap();
        let worker = JobWorker::new(store, Arc::new(clock), Arc::new(entropy));
        let worker = worker.register::<Panics>().register::<Ends>();
        let worked = worker.run_once().now_or_never().unwrap().unwrap();
        assert_eq!((worked.done, worked.failed), (1, 1), "{worked:?}");
        // It is tried again, later.
        let worked = worker.run_once().now_or_never().unwrap().unwrap();
        assert_eq!((worked.done, worked.failed), (0, 0), "{worked:?}");
    }
}
