//! [`run_clients`]: what a process of [`ProcessHistories`](super::ProcessHistories) does.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use auth_store::Store;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Access, Call, Plan};

/// Stands before what a process tells in a line.
pub(super) const MARK: &str = "history: ";

/// What a process is told first: the seed, and its clients.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) seed: u64,
    pub(super) clients: Vec<u8>,
}

/// What it tells: the calls of its clients in a history.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) calls: Vec<Call>,
}

/// The system's monotonic clock, which is one for all processes of the machine.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let nanos = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

/// Runs some clients of every history on `store`, as the standard input says, and tells by the standard output what
/// they did; until no more come. Inside a runtime of tokio.
///
/// # Errors
/// The pipes failed, or a client panicked.
pub async fn run_clients(store: Arc<dyn Store>) -> io::Result<()> {
    let (sender, mut lines) = mpsc::unbounded_channel::<String>();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let task = lines.recv().await.ok_or(io::ErrorKind::UnexpectedEof)?;
    let task: Task = serde_json::from_str(&task)?;
    // The other side begins when all are ready.
    tell("ready")?;
    let mut running: JoinSet<io::Result<()>> = JoinSet::new();
    loop {
        tokio::select! {
            line = lines.recv() => match line.and_then(|number| number.parse().ok()) {
                Some(number) => {
                    let plan = Plan::new(task.seed, number);
                    running.spawn(part(store.clone(), plan, number, task.clients.clone()));
                }
                None => return Ok(()),
            },
            Some(ended) = running.join_next() => ended??,
        }
    }
}

async fn part(store: Arc<dyn Store>, plan: Plan, number: u64, clients: Vec<u8>) -> io::Result<()> {
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

fn tell(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{MARK}{line}\n").as_bytes())?;
    out.flush()
}
