//! Histories whose clients live in two processes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use auth_testkit::store::history::{CLIENTS, Call, History, Tally};
use testbed::Backend;

use super::worker::{Part, Task, WORKER};
use super::{AT_ONCE, Arguments, Failure, row};

const PROCESSES: u8 = 2;

/// Runs and checks the histories on a new database of the backend.
pub(crate) async fn prove(backend: Backend, arguments: &Arguments) -> Result<(), Failure> {
    let name = backend.name();
    let database = backend.database().await;
    let database = database.ok_or(format!("the servers of {name} are not here"))?;
    let spec = hurried(backend, database.spec());
    // One process makes the tables.
    drop(testbed::open(&spec).await?);
    let (rounds, seed) = (arguments.rounds, arguments.seed);
    let started = Instant::now();
    let checked = tokio::task::spawn_blocking(move || check(&spec, rounds, seed)).await?;
    let (tally, between) = checked.map_err(|cause| format!("{name}: {cause}"))?;
    row(backend, PROCESSES.into(), tally, between, started.elapsed())
}

/// The database with more connections, and without waiting for the disk where that can be left out:
/// isolation is shown, not durability.
fn hurried(backend: Backend, spec: String) -> String {
    const HURRY: &str = "&connections=6&options=-c%20synchronous_commit%3Doff";
    match backend {
        Backend::Postgres => format!("{spec}{HURRY}"),
        Backend::Tiered => spec.replacen(' ', &format!("{HURRY} "), 1),
        _ => spec,
    }
}

/// The process of a client.
fn process(client: u8) -> u8 {
    client % PROCESSES
}

fn check(spec: &str, rounds: u64, seed: u64) -> Result<(Tally, u64), Failure> {
    let (sender, parts) = channel();
    let workers: Result<Vec<Worker>, Failure> = (0..PROCESSES)
        .map(|number| {
            let clients = (1..=CLIENTS).filter(|client| process(*client) == number).collect();
            Worker::start(&Task { spec: spec.to_owned(), seed, clients }, sender.clone())
        })
        .collect();
    drop(sender);
    Run { workers: workers?, parts, under_way: HashMap::new() }.check(rounds, seed)
}

/// The processes, and the histories of which not all parts have come yet.
struct Run {
    workers: Vec<Worker>,
    parts: Receiver<Result<Part, Failure>>,
    under_way: HashMap<u64, (u8, History)>,
}

impl Run {
    fn check(mut self, rounds: u64, seed: u64) -> Result<(Tally, u64), Failure> {
        let (mut tally, mut between) = (Tally::default(), 0);
        let mut numbers = 0..rounds;
        loop {
            while self.under_way.len() < AT_ONCE
                && let Some(number) = numbers.next()
            {
                for worker in &mut self.workers {
                    writeln!(worker.numbers, "{number}")?;
                }
                self.under_way.insert(number, (0, History::default()));
            }
            if self.under_way.is_empty() {
                return Ok((tally, between));
            }
            let Part { number, calls } = self.parts.recv()??;
            let entry = self.under_way.entry(number).or_default();
            entry.0 += 1;
            entry.1.calls.extend(calls);
            if entry.0 < PROCESSES {
                continue;
            }
            let Some((_, history)) = self.under_way.remove(&number) else { continue };
            tally.add(&history);
            let apart = |(a, b): &(&Call, &Call)| process(a.client) != process(b.client);
            between += history.races().filter(apart).count() as u64;
            history.order().map_err(|cause| {
                let checked = tally.histories;
                format!("violation in history {number} of seed {seed}, after {checked}: {cause}")
            })?;
        }
    }
}

/// A worker, which ends with the value.
struct Worker {
    process: Child,
    numbers: ChildStdin,
}

impl Worker {
    fn start(task: &Task, parts: Sender<Result<Part, Failure>>) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([WORKER, &serde_json::to_string(task)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let numbers = process.stdin.take().ok_or("a worker has no input")?;
        let output = process.stdout.take().ok_or("a worker has no output")?;
        let mut lines = BufReader::new(output).lines();
        let worker = Self { process, numbers };
        if lines.next().transpose()?.as_deref() != Some("ready") {
            return Err("a worker did not open the database".into());
        }
        std::thread::spawn(move || {
            for line in lines {
                let part = line.map_err(Failure::from);
                let part = part.and_then(|line| Ok(serde_json::from_str(&line)?));
                if parts.send(part).is_err() {
                    return;
                }
            }
            // Nobody listens any more when the proof is over.
            let _ = parts.send(Err("a worker ended early".into()));
        });
        Ok(worker)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
