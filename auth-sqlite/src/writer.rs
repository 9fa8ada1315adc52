//! [`Writer`]: the thread through which every change goes, group by group.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use auth_store::{
    Archived, Batch, CommitError, Committed, Restored, StoreError, Sweep, Swept, TenantId,
};
use rusqlite::{Connection, Error, ErrorCode};

use crate::busy::patiently;
use crate::error::WriterGone;
use crate::log::LogMover;
use crate::{apply, archive, sweep};

/// How many changes wait before their callers have to.
const QUEUE: usize = 1024;
/// How many changes share one transaction at most.
const GROUP: usize = 128;

/// The queue to the writer thread.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Sender<Job>,
    thread: Option<JoinHandle<()>>,
}

/// One change, and where its answer goes.
enum Job {
    Commit { tenant: TenantId, batch: Batch, answer: Sender<Result<Committed, CommitError>> },
    Sweep { what: Sweep, limit: u32, answer: Sender<Result<Swept, StoreError>> },
    Restore { records: Vec<Archived>, answer: Sender<Result<Restored, StoreError>> },
}

impl Writer {
    /// Starts the thread; `patience` is how long a group waits for another process.
    pub(crate) fn start(
        connection: Arc<Mutex<Connection>>,
        mover: Option<LogMover>,
        patience: Duration,
    ) -> io::Result<Self> {
        let (queue, jobs) = async_channel::bounded(QUEUE);
        let thread = thread::Builder::new()
            .name("auth-sqlite-writer".into())
            .spawn(move || write(&connection, mover, &jobs, patience))?;
        Ok(Self { queue, thread: Some(thread) })
    }

    pub(crate) async fn commit(
        &self,
        tenant: TenantId,
        batch: Batch,
    ) -> Result<Committed, CommitError> {
        let (answer, answered) = async_channel::bounded(1);
        let job = Job::Commit { tenant, batch, answer };
        if self.queue.send(job).await.is_err() {
            return Err(CommitError::Unavailable(WriterGone.into()));
        }
        // Without an answer nobody knows how far the writer came.
        answered.recv().await.unwrap_or_else(|_| Err(CommitError::Unknown(WriterGone.into())))
    }

    pub(crate) async fn sweep(&self, what: Sweep, limit: u32) -> Result<Swept, StoreError> {
        self.ask(|answer| Job::Sweep { what, limit, answer }).await
    }

    pub(crate) async fn restore(&self, records: Vec<Archived>) -> Result<Restored, StoreError> {
        self.ask(|answer| Job::Restore { records, answer }).await
    }

    async fn ask<T>(
        &self,
        job: impl FnOnce(Sender<Result<T, StoreError>>) -> Job,
    ) -> Result<T, StoreError> {
        let (answer, answered) = async_channel::bounded(1);
        let gone = || StoreError::Unavailable(WriterGone.into());
        self.queue.send(job(answer)).await.map_err(|_| gone())?;
        answered.recv().await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Writer {
    /// Waits until the writer has done what is queued and has closed its connection.
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take()
            // An executor may drop the last owner of the store on the thread that woke it.
            && thread.thread().id() != thread::current().id()
        {
            // It ends by itself; that it panicked was told to whoever waited for an answer.
            let _ = thread.join();
        }
    }
}

fn write(
    connection: &Mutex<Connection>,
    mut mover: Option<LogMover>,
    jobs: &Receiver<Job>,
    patience: Duration,
) {
    if mover.is_some() {
        LogMover::watch(&connection.lock().unwrap_or_else(PoisonError::into_inner));
    }
    while let Ok(first) = jobs.recv_blocking() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        // In memory a reader has the same connection; `attempt` ends what one that panicked has begun.
        let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        run(&connection, group, patience);
        if let Some(mover) = &mut mover {
            mover.after_commit(&connection);
        }
    }
}

/// What came of a job inside its transaction.
enum Outcome {
    Committed(Committed),
    Swept(Swept),
    Restored(Restored),
    Refused(CommitError),
    /// SQLite refused this job alone; nothing of it was written.
    Failed(Error),
}

impl Outcome {
    /// What an outcome other than the expected one is to a caller that did not ask for a commit.
    fn unavailable(self) -> StoreError {
        StoreError::Unavailable(match self {
            Self::Failed(error) => error.into(),
            _ => WriterGone.into(),
        })
    }
}

/// A transaction failed.
struct Fault {
    error: Arc<Error>,
    extent: Extent,
}

enum Extent {
    /// No job was applied, nor could another have been.
    All,
    /// No job was applied; a single one may have been at fault.
    Perhaps,
    /// Nobody knows what was applied.
    Unknown,
}

/// Runs a group and gives the answers, all of them after the transaction: a refusal, too, may rest on
/// what an earlier batch of the group has written.
fn run(connection: &Connection, mut group: Vec<Job>, patience: Duration) {
    match attempt(connection, &group, patience) {
        Ok(outcomes) => {
            group.into_iter().zip(outcomes).for_each(|(job, outcome)| job.tell(outcome));
        }
        Err(Fault { extent: Extent::Perhaps, .. }) if group.len() > 1 => {
            // One batch that is too large for the disk must not take its neighbours with it.
            group.drain(..).for_each(|job| run(connection, vec![job], patience));
        }
        Err(Fault { error, extent }) => {
            let unknown = matches!(extent, Extent::Unknown);
            group.into_iter().for_each(|job| job.fail(&error, unknown));
        }
    }
}

fn attempt(
    connection: &Connection,
    group: &[Job],
    patience: Duration,
) -> Result<Vec<Outcome>, Fault> {
    let fault = |error, extent| Fault { error: Arc::new(error), extent };
    if !connection.is_autocommit() {
        step(connection, "ROLLBACK").map_err(|error| fault(error, Extent::All))?;
    }
    patiently(patience, || step(connection, "BEGIN IMMEDIATE"))
        .map_err(|error| fault(error, Extent::All))?;
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group {
        let outcome = match group {
            [alone] => alone.run(connection),
            _ => job.run_beside_others(connection),
        };
        match outcome {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => {
                roll_back(connection);
                return Err(fault(error, Extent::Perhaps));
            }
        }
    }
    step(connection, "COMMIT").map_err(|error| {
        let undone = roll_back(connection);
        // Without space or without the lock, the mark that ends a transaction was not written. After
        // any other error it may stand in the log and count once the log is read again.
        let extent = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy) if undone => Extent::Perhaps,
            _ => Extent::Unknown,
        };
        fault(error, extent)
    })?;
    Ok(outcomes)
}

/// Ends the transaction without effect, unless SQLite has done so by itself; says whether it is ended.
fn roll_back(connection: &Connection) -> bool {
    connection.is_autocommit() || step(connection, "ROLLBACK").is_ok()
}

fn step(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

impl Job {
    /// Runs in a savepoint, so that one that fails leaves the others of its group alone. An error means
    /// that the whole transaction is lost.
    fn run_beside_others(&self, connection: &Connection) -> rusqlite::Result<Outcome> {
        step(connection, "SAVEPOINT job")?;
        match self.run(connection) {
            Ok(outcome) => {
                step(connection, "RELEASE job")?;
                Ok(outcome)
            }
            // SQLite has rolled everything back, as it may when space or memory ends.
            Err(error) if connection.is_autocommit() => Err(error),
            Err(error) => {
                step(connection, "ROLLBACK TO job")?;
                step(connection, "RELEASE job")?;
                Ok(Outcome::Failed(error))
            }
        }
    }

    fn run(&self, connection: &Connection) -> rusqlite::Result<Outcome> {
        match self {
            Self::Commit { tenant, batch, .. } => {
                apply::apply(connection, *tenant, batch).map(|applied| match applied {
                    Ok(committed) => Outcome::Committed(committed),
                    Err(refusal) => Outcome::Refused(refusal),
                })
            }
            Self::Sweep { what, limit, .. } => {
                sweep::sweep(connection, what, *limit).map(Outcome::Swept)
            }
            Self::Restore { records, .. } => {
                archive::restore(connection, records).map(Outcome::Restored)
            }
        }
    }

    /// Gives the answer. That nobody may wait for it any more is no concern of the writer.
    fn tell(self, outcome: Outcome) {
        match (self, outcome) {
            (Self::Commit { answer, .. }, outcome) => {
                let _ = answer.try_send(match outcome {
                    Outcome::Committed(committed) => Ok(committed),
                    Outcome::Refused(refusal) => Err(refusal),
                    Outcome::Failed(error) => Err(CommitError::Unavailable(error.into())),
                    Outcome::Swept(_) | Outcome::Restored(_) => {
                        Err(CommitError::Unknown(WriterGone.into()))
                    }
                });
            }
            (Self::Sweep { answer, .. }, outcome) => {
                let _ = answer.try_send(match outcome {
                    Outcome::Swept(swept) => Ok(swept),
                    other => Err(other.unavailable()),
                });
            }
            (Self::Restore { answer, .. }, outcome) => {
                let _ = answer.try_send(match outcome {
                    Outcome::Restored(restored) => Ok(restored),
                    other => Err(other.unavailable()),
                });
            }
        }
    }

    /// Tells that the transaction failed; `unknown` if it may have been applied all the same.
    fn fail(self, error: &Arc<Error>, unknown: bool) {
        let source = Box::new(error.clone());
        match self {
            Self::Commit { answer, .. } => {
                let _ = answer.try_send(Err(if unknown {
                    CommitError::Unknown(source)
                } else {
                    CommitError::Unavailable(source)
                }));
            }
            Self::Sweep { answer, .. } => {
                let _ = answer.try_send(Err(StoreError::Unavailable(source)));
            }
            Self::Restore { answer, .. } => {
                let _ = answer.try_send(Err(StoreError::Unavailable(source)));
            }
        }
    }
}
