//! [`ProcessHistories`]: histories whose clients live in two processes.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::worker::{MARK, Part, Task};
use super::{CLIENTS, Call, History, Tally, Violation};

const PROCESSES: u8 = 2;

/// How long a process may take to begin, or for what it has to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs histories on one database from two processes, and checks them: see the [module](super).
pub struct ProcessHistories {
    start: Box<dyn Fn() -> Command + Send>,
    rounds: u64,
    seed: u64,
    at_once: usize,
}

impl fmt::Debug for ProcessHistories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessHistories({} of seed {})", self.rounds, self.seed)
    }
}

impl ProcessHistories {
    /// 100 histories of seed 1. The command that `start` gives is a process that opens the database and calls
    /// [`run_clients`](super::run_clients); its standard input and output belong to the histories.
    #[must_use]
    pub fn new(start: impl Fn() -> Command + Send + 'static) -> Self {
        Self { start: Box::new(start), rounds: 100, seed: 1, at_once: 24 }
    }

    /// So many histories.
    #[must_use]
    pub fn rounds(mut self, rounds: u64) -> Self {
        self.rounds = rounds;
        self
    }

    /// Others, for another seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// So many at the same time, so that pools and group commits have something to do; 24 unless told otherwise.
    #[must_use]
    pub fn at_once(mut self, at_once: usize) -> Self {
        self.at_once = at_once.max(1);
        self
    }

    /// Runs and checks the histories, inside a runtime of tokio.
    ///
    /// # Errors
    /// [`Violation`]: the first history that has no order, or that a process did not do its part.
    pub async fn check(self) -> Result<Tally, Violation> {
        tokio::task::spawn_blocking(move || self.run()).await.map_err(ended)?
    }

    fn run(self) -> Result<Tally, Violation> {
        let (sender, parts) = channel();
        let workers = (0..PROCESSES).map(|number| {
            let clients = (1..=CLIENTS).filter(|client| process(*client) == number).collect();
            let task = Task { seed: self.seed, clients };
            Worker::start((self.start)(), &task, sender.clone())
        });
        let workers: Vec<Worker> = workers.collect::<Result<_, _>>()?;
        drop(sender);
        for _ in &workers {
            match next(&parts)? {
                Told::Ready => {}
                Told::Part(_) => return Err(ended("a process did not wait for the other")),
            }
        }
        let (seed, at_once) = (self.seed, self.at_once);
        Run { workers, parts, under_way: HashMap::new(), seed, at_once }.check(self.rounds)
    }
}

fn ended(cause: impl fmt::Display) -> Violation {
    Violation::Ended { cause: cause.to_string() }
}

/// What a process tells.
enum Told {
    Ready,
    Part(Part),
}

fn next(parts: &Receiver<Result<Told, Violation>>) -> Result<Told, Violation> {
    parts.recv_timeout(PATIENCE).map_err(|_| ended("a process tells nothing any more"))?
}

/// The process of a client.
fn process(client: u8) -> u8 {
    client % PROCESSES
}

/// The processes, and the histories of which not all parts have come yet.
struct Run {
    workers: Vec<Worker>,
    parts: Receiver<Result<Told, Violation>>,
    under_way: HashMap<u64, (u8, History)>,
    seed: u64,
    at_once: usize,
}

impl Run {
    fn check(mut self, rounds: u64) -> Result<Tally, Violation> {
        let mut tally = Tally::default();
        let mut numbers = 0..rounds;
        loop {
            while self.under_way.len() < self.at_once
                && let Some(number) = numbers.next()
            {
                for worker in &mut self.workers {
                    writeln!(worker.numbers, "{number}").map_err(ended)?;
                }
                self.under_way.insert(number, (0, History::default()));
            }
            if self.under_way.is_empty() {
                return Ok(tally);
            }
            let Told::Part(Part { number, calls }) = next(&self.parts)? else { continue };
            let entry = self.under_way.entry(number).or_default();
            entry.0 += 1;
            entry.1.calls.extend(calls);
            if entry.0 < PROCESSES {
                continue;
            }
            let Some((_, history)) = self.under_way.remove(&number) else { continue };
            tally.add(&history);
            let apart = |(a, b): &(&Call, &Call)| process(a.client) != process(b.client);
            tally.races_between_processes += history.races().filter(apart).count() as u64;
            let (seed, histories) = (self.seed, tally.histories);
            history.order().map_err(|cause| Violation::Unordered {
                number,
                seed,
                histories,
                cause,
            })?;
        }
    }
}

/// A process, which ends with the value.
struct Worker {
    process: Child,
    numbers: ChildStdin,
}

impl Worker {
    fn start(
        mut command: Command,
        task: &Task,
        parts: Sender<Result<Told, Violation>>,
    ) -> Result<Self, Violation> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(ended)?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (numbers, output) = pipes.ok_or_else(|| ended("it has no pipes"))?;
        let mut worker = Self { process, numbers };
        let task = serde_json::to_string(task).map_err(ended)?;
        writeln!(worker.numbers, "{task}").map_err(ended)?;
        std::thread::spawn(move || {
            // A test that runs as this process prints lines of its own.
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            for line in lines {
                let Some((_, told)) = line.split_once(MARK) else { continue };
                let told = match told {
                    "ready" => Ok(Told::Ready),
                    part => serde_json::from_str(part).map(Told::Part).map_err(ended),
                };
                if parts.send(told).is_err() {
                    return;
                }
            }
            // Nobody listens any more when all is done.
            let _ = parts.send(Err(ended("a process ended early")));
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
