//! [`Worker`]: one of several clients that do everything a client does, at random and without a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::Failure;
use super::client::{Answer, App};
use super::grant::Grant;
use super::tally::Tally;

/// How many clients there are.
const WORKERS: u64 = 8;
/// Of how many grants a worker takes care.
const AT_ONCE: usize = 5;

/// A client with its grants.
#[derive(Debug)]
struct Worker {
    app: App,
    random: fastrand::Rng,
    grants: Vec<Grant>,
    /// Replicas behind the server, which are asked directly whether they refuse what was revoked. With
    /// them, grants that are done with are checked for the last time at once instead of after a crash.
    replicas: Vec<App>,
}

impl Worker {
    /// Works until it is told to stop.
    async fn run(mut self, stop: Arc<AtomicBool>) -> Result<Self, Failure> {
        while !stop.load(Ordering::SeqCst) {
            self.step().await?;
        }
        Ok(self)
    }

    async fn step(&mut self) -> Result<(), Failure> {
        let unavailable = self.app.tally.unavailable.get();
        if let Some(grant) = self.grants.iter_mut().find(|grant| grant.is_refreshing()) {
            // As a client would that lost the answer.
            grant.refresh(&self.app, 1).await?;
        } else if self.grants.len() < AT_ONCE || self.random.u8(..8) == 0 {
            self.begin().await?;
        } else {
            self.work().await?;
        }
        if !self.replicas.is_empty() && self.grants.len() > 2 * AT_ONCE {
            self.retire().await?;
        }
        if self.app.tally.unavailable.get() != unavailable {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), Failure> {
        if let Answer::Yes(code) = self.app.code().await? {
            let mut grant = Grant::new(code);
            // Some crashes find a code that nobody has offered yet.
            let offered = match self.random.u8(..8) {
                0 => Ok(()),
                1 | 2 => grant.offer(&self.app, 2).await,
                _ => grant.offer(&self.app, 1).await,
            };
            self.grants.push(grant);
            offered?;
        }
        Ok(())
    }

    async fn work(&mut self) -> Result<(), Failure> {
        let at = self.random.usize(..self.grants.len());
        let (app, grant) = (&self.app, &mut self.grants[at]);
        let newest = grant.accesses().saturating_sub(1);
        match self.random.u8(..16) {
            0..=4 => grant.refresh(app, 1).await,
            5 => grant.refresh(app, 2).await,
            6..=9 => grant.look_at_access(app, newest).await,
            10 => grant.look_at_refresh(app).await,
            11 | 12 => {
                grant.revoke_access(app, self.random.usize(..=newest)).await?;
                grant.look_everywhere(&self.replicas).await
            }
            13 => grant.offer(app, 1).await,
            14 => grant.offer(app, 2).await,
            _ => {
                grant.revoke(app).await?;
                grant.look_everywhere(&self.replicas).await
            }
        }
    }

    /// Checks the oldest grant for the last time. What has no answer is checked at the end.
    async fn retire(&mut self) -> Result<(), Failure> {
        let mut grant = self.grants.remove(0);
        let before = self.app.tally.unanswered();
        grant.audit(&self.app, true).await?;
        // Another's request may have been lost: then this grant is checked once more for nothing.
        if self.app.tally.unanswered() != before {
            self.grants.push(grant);
        }
        Ok(())
    }

    /// Checks every grant, and keeps a few of those that live on for the next time.
    async fn audit(mut self, last: bool) -> Result<Self, Failure> {
        for (at, grant) in self.grants.iter_mut().enumerate() {
            let done = last || at % 2 == 0;
            grant.audit(&self.app, done).await?;
        }
        let mut at = 0;
        self.grants.retain(|grant| {
            at += 1;
            at % 2 == 0 && grant.is_alive()
        });
        let many = self.grants.len().saturating_sub(AT_ONCE / 2);
        self.grants.drain(..many);
        Ok(self)
    }
}

/// All clients, at rest.
#[derive(Debug)]
pub(crate) struct Team(Vec<Worker>);

impl Team {
    /// Signs one person in for each client; with replicas, the server stands before them.
    pub(crate) async fn sign_in(
        base: &str,
        replicas: &[String],
        tally: &Arc<Tally>,
        seed: u64,
    ) -> Result<Self, Failure> {
        let mut workers = Vec::new();
        for number in 0..WORKERS {
            let person = format!("person-{number}");
            let app = App::sign_in(base, !replicas.is_empty(), tally.clone(), &person).await?;
            let replicas = replicas.iter().map(|base| app.at(base)).collect();
            let random = fastrand::Rng::with_seed(seed.wrapping_mul(1_000) + number);
            workers.push(Worker { app, random, grants: Vec::new(), replicas });
        }
        Ok(Self(workers))
    }

    /// Lets all of them work.
    pub(crate) fn start(self) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let failed = Arc::new(AtomicBool::new(false));
        let work = |worker: Worker| {
            let (stop, failed) = (stop.clone(), failed.clone());
            async move {
                let ended = worker.run(stop).await;
                failed.fetch_or(ended.is_err(), Ordering::SeqCst);
                ended
            }
        };
        let running = self.0.into_iter().map(work).collect();
        Load { stop, failed, running }
    }

    /// See [`Worker::audit`].
    pub(crate) async fn audit(self, last: bool) -> Result<Self, Failure> {
        gather(self.0.into_iter().map(|worker| worker.audit(last)).collect()).await
    }
}

/// All clients, at work.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
    running: JoinSet<Result<Worker, Failure>>,
}

impl Load {
    /// Whether a client has found something that must not be.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Lets all of them finish what they are doing.
    pub(crate) async fn stop(self) -> Result<Team, Failure> {
        self.stop.store(true, Ordering::SeqCst);
        gather(self.running).await
    }
}

async fn gather(mut running: JoinSet<Result<Worker, Failure>>) -> Result<Team, Failure> {
    let mut workers = Vec::new();
    while let Some(ended) = running.join_next().await {
        workers.push(ended??);
    }
    Ok(Team(workers))
}
