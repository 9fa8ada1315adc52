//! [`Commits`]: batches that wait travel together.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_store::{Batch, CommitError, TenantId, within};
use futures_util::future::join_all;
use smallvec::{SmallVec, smallvec};
use tokio::sync::oneshot;

use crate::commit::{self, Outcome, Statements};
use crate::connections::Connections;
use crate::error::{AnswerMissing, Failure, NoConnection, commit_failed};

/// How many writes share one transaction at most, unless the first batch has more: whoever waits for one of its
/// locks waits for all of it.
const GROUP: usize = 64;

/// The queue of batches, and the connections that serve it.
///
/// As many groups are under way as there are connections. A batch that comes when fewer are sets off at once; those
/// that come while all are busy wait, and share the next transaction: they then cost both sides one statement and the
/// server one flush of its log.
pub(crate) struct Commits(Arc<Shared>);

struct Shared {
    connections: Arc<Connections>,
    statements: Statements,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// How many there were so far.
    jobs: u64,
    under_way: usize,
}

/// A batch, and where its answer goes.
struct Job {
    tenant: TenantId,
    batch: Batch,
    number: u64,
    answer: oneshot::Sender<Outcome>,
}

impl Commits {
    pub(crate) fn new(connections: Arc<Connections>, schema: &str) -> Self {
        let statements = Statements::new(schema);
        Self(Arc::new(Shared { connections, statements, queue: Mutex::default() }))
    }

    /// Applies a batch, perhaps together with others. Dropped, it may still be applied.
    pub(crate) async fn commit(&self, tenant: TenantId, batch: &Batch) -> Outcome {
        let (answer, mut answered) = oneshot::channel();
        let (number, group) = self.0.push(tenant, batch.clone(), answer);
        if let Some(group) = group {
            tokio::spawn(serve(group));
        }
        let patience = self.0.connections.patience();
        let answer = match within(patience, &mut answered).await {
            Ok(answer) => answer,
            Err(_) if self.0.queue().withdraw(number) => {
                let busy = Failure::NotSent(NoConnection::Busy(patience).into());
                return Err(commit_failed(busy.into(), batch));
            }
            Err(_) => answered.await,
        };
        // It is missing if the runtime ends on which the group travelled.
        answer.unwrap_or_else(|_| Err(CommitError::Unknown(AnswerMissing.into())))
    }
}

/// Sends what waits, until nothing does.
async fn serve(mut group: Group) {
    while let Some(jobs) = group.next() {
        group.shared.run(jobs).await;
        // Whoever is ready goes first: what they commit travels with the next.
        tokio::task::yield_now().await;
    }
}

/// Batches that share a transaction: one, unless more of them come than there are connections.
type Jobs = SmallVec<[Job; 1]>;

/// One of the groups that may be under way.
struct Group {
    shared: Arc<Shared>,
    under_way: bool,
}

impl Group {
    /// What waits, or the end of this group.
    fn next(&mut self) -> Option<Jobs> {
        let mut queue = self.shared.queue();
        let jobs = queue.take();
        if jobs.is_empty() {
            queue.under_way -= 1;
            self.under_way = false;
            return None;
        }
        Some(jobs)
    }
}

impl Drop for Group {
    /// The runtime ended before it was done.
    fn drop(&mut self) {
        if self.under_way {
            let mut queue = self.shared.queue();
            queue.under_way -= 1;
            if queue.under_way == 0 {
                // Nobody would come for them.
                queue.waiting.clear();
            }
        }
    }
}

impl Queue {
    /// Takes a job back that was not sent.
    fn withdraw(&mut self, number: u64) -> bool {
        let place = self.waiting.iter().position(|job| job.number == number);
        place.and_then(|place| self.waiting.remove(place)).is_some()
    }

    fn take(&mut self) -> Jobs {
        let mut jobs = Jobs::new();
        let mut room = GROUP;
        while let Some(job) =
            self.waiting.pop_front_if(|job| jobs.is_empty() || job.batch.writes().len() <= room)
        {
            // Nobody waits for it any more, and nothing of it was sent.
            if job.answer.is_closed() {
                continue;
            }
            room = room.saturating_sub(job.batch.writes().len());
            jobs.push(job);
        }
        jobs
    }
}

impl Shared {
    /// Queues a batch under a number. If another group may set off for it, that is returned.
    fn push(
        self: &Arc<Self>,
        tenant: TenantId,
        batch: Batch,
        answer: oneshot::Sender<Outcome>,
    ) -> (u64, Option<Group>) {
        let mut queue = self.queue();
        queue.jobs += 1;
        let number = queue.jobs;
        queue.waiting.push_back(Job { tenant, batch, number, answer });
        let another = queue.under_way < self.connections.count();
        queue.under_way += usize::from(another);
        (number, another.then(|| Group { shared: self.clone(), under_way: true }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, jobs: Jobs) {
        let Self { connections, statements, .. } = self;
        let batches = jobs.iter().map(|job| (job.tenant, &job.batch));
        let answered = match &*jobs {
            [] => return,
            [job] => commit::one(connections, statements, (job.tenant, &job.batch))
                .await
                .map(|outcome| smallvec![outcome]),
            _ => commit::several(connections, statements, batches).await,
        };
        match answered {
            Ok(outcomes) => {
                jobs.into_iter().zip(outcomes).for_each(|(job, outcome)| job.tell(outcome));
            }
            // The one that the server cannot take must not take its neighbours with it.
            Err(Failure::Refused(_)) if jobs.len() > 1 => {
                let alone = jobs.into_iter().map(|job| Box::pin(self.run(smallvec![job])));
                join_all(alone).await;
            }
            Err(failure) => {
                let failure = Arc::new(failure);
                for job in jobs {
                    let outcome = Err(commit_failed(failure.clone(), &job.batch));
                    job.tell(outcome);
                }
            }
        }
    }
}

impl Job {
    /// That nobody may wait for the answer any more is no concern of the group.
    fn tell(self, outcome: Outcome) {
        let _ = self.answer.send(outcome);
    }
}
