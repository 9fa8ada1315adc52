//! [`Histories`]: many histories of clients in one process.

use std::sync::Arc;

use auth_store::Store;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::call::{Answer, History};
use super::check::Unordered;
use super::plan::{Access, CLIENTS, Plan};

/// Runs histories on a database and checks each of them.
#[derive(Debug, Clone)]
#[must_use = "histories are run by `check`"]
pub struct Histories {
    handles: Vec<Arc<dyn Store>>,
    rounds: u64,
    seed: u64,
    at_once: usize,
    interleaved: bool,
}

impl Histories {
    /// 300 histories, up to 16 at once, on a database that nobody else uses. A seed must not be used
    /// twice on one database.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { handles: vec![store], rounds: 300, seed: 0, at_once: 16, interleaved: false }
    }

    /// Another handle on the same database, such as another process would have.
    pub fn handle(mut self, store: Arc<dyn Store>) -> Self {
        self.handles.push(store);
        self
    }

    /// How many histories.
    pub fn rounds(mut self, rounds: u64) -> Self {
        self.rounds = rounds;
        self
    }

    /// The seed of what the clients do.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many histories run at the same time.
    pub fn at_once(mut self, at_once: usize) -> Self {
        self.at_once = at_once.max(1);
        self
    }

    /// Whether others go first now and then while a call is under way: for stores that answer at once,
    /// such as those in memory.
    pub fn interleaved(mut self, interleaved: bool) -> Self {
        self.interleaved = interleaved;
        self
    }

    /// Runs and checks the histories, inside a runtime of tokio.
    ///
    /// # Errors
    /// [`Violation`]: the first history that has no order.
    pub async fn check(self) -> Result<Tally, Violation> {
        let mut tally = Tally::default();
        let mut running = JoinSet::new();
        let mut numbers = 0..self.rounds;
        loop {
            while running.len() < self.at_once
                && let Some(number) = numbers.next()
            {
                let plan = Plan::new(self.seed, number);
                let run = self.clone().run(plan);
                running.spawn(async move { (number, run.await) });
            }
            let Some(ended) = running.join_next().await else { return Ok(tally) };
            let (number, history) =
                ended.map_err(|error| Violation::Ended { cause: error.to_string() })?;
            let history = history?;
            tally.add(&history);
            history.order().map_err(|cause| Violation::Unordered {
                number,
                seed: self.seed,
                histories: tally.histories,
                cause,
            })?;
        }
    }

    async fn run(self, plan: Plan) -> Result<History, Violation> {
        let start = Arc::new(Barrier::new(CLIENTS.into()));
        let mut clients = JoinSet::new();
        for client in 1..=CLIENTS {
            let access = Access {
                store: self.handles[usize::from(client) % self.handles.len()].clone(),
                clock: Access::since_start,
                interleaved: self.interleaved,
            };
            let start = start.clone();
            clients.spawn(async move {
                start.wait().await;
                plan.run(client, &access).await
            });
        }
        let mut history = History::default();
        while let Some(ended) = clients.join_next().await {
            let calls = ended.map_err(|error| Violation::Ended { cause: error.to_string() })?;
            history.calls.extend(calls);
        }
        Ok(history)
    }
}

/// What histories were made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Histories.
    pub histories: u64,
    /// Calls of all clients.
    pub calls: u64,
    /// Commits that conflicted.
    pub conflicts: u64,
    /// Commits that found a counter full.
    pub full: u64,
    /// Calls that failed. They say nothing about the store, so there should be few.
    pub failed: u64,
    /// Commits of unknown outcome.
    pub unknown: u64,
    /// Pairs of calls that raced: see [`History::races`].
    pub races: u64,
    /// Those of clients in two processes.
    pub races_between_processes: u64,
}

impl Tally {
    /// Counts a history.
    pub fn add(&mut self, history: &History) {
        let count = |wanted: fn(&Answer) -> bool| {
            history.calls.iter().filter(|call| wanted(&call.answer)).count() as u64
        };
        self.histories += 1;
        self.calls += history.calls.len() as u64;
        self.conflicts += count(|answer| matches!(answer, Answer::Conflict(_)));
        self.full += count(|answer| matches!(answer, Answer::Full(_)));
        self.failed += count(|answer| matches!(answer, Answer::Failed(_)));
        self.unknown += count(|answer| matches!(answer, Answer::Unknown(_)));
        self.races += history.races().count() as u64;
    }
}

/// A store broke the contract.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A history has no order.
    #[error("history {number} of seed {seed}: {cause}")]
    Unordered {
        /// Which history.
        number: u64,
        /// Of which seed.
        seed: u64,
        /// How many had been checked by then, with this one.
        histories: u64,
        /// Why.
        #[source]
        cause: Unordered,
    },
    /// The task of a client ended before its time: the store panicked.
    #[error("a client ended early: {cause}")]
    Ended {
        /// What tokio says.
        cause: String,
    },
}
