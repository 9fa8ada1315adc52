//! A process that runs some of the clients of each history.

use std::io::{BufRead, Write};
use std::sync::Arc;

use auth_store::Store;
use auth_testkit::store::history::{Access, Call, Plan};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Failure;

/// Begins the arguments of a worker.
pub(crate) const WORKER: &str = "--worker";

/// What a worker is told: the database, the seed, and its clients.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) spec: String,
    pub(crate) seed: u64,
    pub(crate) clients: Vec<u8>,
}

/// What a worker tells, in a line: the calls of its clients in a history.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) number: u64,
    pub(crate) calls: Vec<Call>,
}

/// The system's monotonic clock, which is one for all processes of the machine.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let nanos = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

impl Task {
    /// The task of this process, if it is a worker.
    pub(crate) fn read() -> Result<Option<Self>, Failure> {
        let mut arguments = std::env::args().skip(1);
        if arguments.next().as_deref() != Some(WORKER) {
            return Ok(None);
        }
        let task = arguments.next().ok_or("a worker has no task")?;
        Ok(Some(serde_json::from_str(&task)?))
    }

    /// Runs its clients of every history whose number comes in a line, until no more come.
    pub(crate) async fn work(self) -> Result<(), Failure> {
        let store = testbed::open(&self.spec).await?;
        let (sender, mut numbers) = mpsc::unbounded_channel::<u64>();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let number = line.ok().and_then(|line| line.parse().ok());
                if number.is_none_or(|number| sender.send(number).is_err()) {
                    return;
                }
            }
        });
        // The other side begins when both are ready.
        tell("ready")?;
        let mut running: JoinSet<Result<(), Failure>> = JoinSet::new();
        loop {
            tokio::select! {
                number = numbers.recv() => match number {
                    Some(number) => {
                        let plan = Plan::new(self.seed, number);
                        running.spawn(part(store.clone(), plan, number, self.clients.clone()));
                    }
                    None => return Ok(()),
                },
                Some(ended) = running.join_next() => ended??,
            }
        }
    }
}

async fn part(
    store: Arc<dyn Store>,
    plan: Plan,
    number: u64,
    clients: Vec<u8>,
) -> Result<(), Failure> {
    let mut running = JoinSet::new();
    for client in clients {
        let access = Access { store: store.clone(), clock: monotonic, interleaved: false };
        running.spawn(async move { plan.run(client, &access).await });
    }
    let mut calls = Vec::new();
    while let Some(ended) = running.join_next().await {
        calls.extend(ended?);
    }
    tell(&serde_json::to_string(&Part { number, calls })?)
}

fn tell(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    Ok(out.flush()?)
}
