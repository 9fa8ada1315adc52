//! [`CrashTest`]: starts the process, kills it or the database, and compares.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use auth_store::Store;

use super::record::{Checked, Line, Record};
use crate::store::violation::{Finding, ensure};

/// How long a process may take to begin, or to go on.
const PATIENCE: Duration = Duration::from_secs(60);
/// The process is killed at some moment of this time.
const KILLED_WITHIN: u64 = 120;

/// Kills a process that commits, or the database beneath it, and compares what is there with what was
/// acknowledged.
pub struct CrashTest {
    store: Arc<dyn Store>,
    start: Box<dyn Fn() -> Command + Send>,
    record: Record,
    random: fastrand::Rng,
}

impl fmt::Debug for CrashTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CrashTest({:?})", self.record)
    }
}

impl CrashTest {
    /// A test on an empty database: `store` reads it from here, and the command that `start` gives is a
    /// process that opens it and calls [`commit`](super::commit).
    #[must_use]
    pub fn new(store: Arc<dyn Store>, start: impl Fn() -> Command + Send + 'static) -> Self {
        let random = fastrand::Rng::with_seed(1);
        Self { store, start: Box::new(start), record: Record::default(), random }
    }

    /// Kills the process that often, each time at another moment.
    ///
    /// # Errors
    /// What the database lost, or holds in part or twice.
    pub async fn kill_the_process(&mut self, times: u32) -> Result<Checked, Finding> {
        for _ in 0..times {
            let process = Process::start((self.start)())?;
            self.work_a_while(&process).await?;
            self.end(process).await?;
        }
        Ok(self.record.checked())
    }

    /// Lets `kill` kill the database and start it again that often, each time at another moment. The
    /// process must go on by itself.
    ///
    /// # Errors
    /// What the database lost, or holds in part or twice.
    pub async fn kill_the_database(
        &mut self,
        times: u32,
        mut kill: impl FnMut(),
    ) -> Result<Checked, Finding> {
        for _ in 0..times {
            let process = Process::start((self.start)())?;
            self.work_a_while(&process).await?;
            kill();
            process.progress().await?;
            self.end(process).await?;
        }
        Ok(self.record.checked())
    }

    async fn work_a_while(&mut self, process: &Process) -> Result<(), Finding> {
        process.progress().await?;
        let while_ = Duration::from_millis(self.random.u64(..KILLED_WITHIN));
        tokio::time::sleep(while_).await;
        Ok(())
    }

    async fn end(&mut self, process: Process) -> Result<(), Finding> {
        for line in process.kill()? {
            self.record.take(&line)?;
        }
        self.record.check(&self.store).await
    }
}

/// A process, and what it has printed. It is killed with the value.
struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    acknowledged: Arc<AtomicU64>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    fn start(mut command: Command) -> Result<Self, Finding> {
        let failed = |error| Finding::new(format!("the process did not start: {error}"));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let output = child.stdout.take();
        let (lines, acknowledged) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
        let (kept, count) = (lines.clone(), acknowledged.clone());
        let reader = std::thread::spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            for line in lines.map_while(Result::ok) {
                if matches!(line.parse(), Ok(Line::Acknowledged(..))) {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Ok(Self { child, lines, acknowledged, reader: Some(reader) })
    }

    /// Waits until something more is acknowledged.
    async fn progress(&self) -> Result<(), Finding> {
        let (begun, before) = (Instant::now(), self.acknowledged.load(Ordering::SeqCst));
        while self.acknowledged.load(Ordering::SeqCst) == before {
            let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let broken = lines.iter().find_map(|line| match line.parse() {
                Ok(Line::Broken(finding)) => Some(finding),
                _ => None,
            });
            ensure!(broken.is_none(), "{}", broken.unwrap_or_default());
            let end: Vec<String> = lines.into_iter().rev().take(5).collect();
            ensure!(begun.elapsed() < PATIENCE, "the process does not go on; it said last {end:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Kills it, and gives all that it has printed.
    fn kill(mut self) -> Result<Vec<String>, Finding> {
        let failed = |error| Finding::new(format!("the process was not killed: {error}"));
        self.child.kill().map_err(failed)?;
        self.child.wait().map_err(failed)?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok(std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
