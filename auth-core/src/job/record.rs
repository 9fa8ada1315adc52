//! [`JobRecord`]: a job as it stands in the store.

use auth_store::limits::DUE_SHARDS;
use auth_store::{Due, Main, MainWrite, Queue, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decision::Rng;
use crate::job::Job;
use crate::queue::{Queued, backoff};
use crate::record::{Kind, Unknown};

/// A job that waits for a worker, or that one has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    pub(super) name: String,
    /// The job itself, with its progress.
    pub(super) job: Value,
    pub(super) created_at: Timestamp,
    /// How often its present step was begun.
    pub(super) attempts: u32,
    /// `None` once it is done; the record is only waiting to be swept.
    pub(super) due: Option<Timestamp>,
    shard: u16,
    #[serde(flatten)]
    unknown: Unknown,
}

/// The write that gives a job to the workers, due at once.
#[must_use]
pub fn enqueue<J: Job>(job: &J, rng: &mut Rng, now: Timestamp) -> MainWrite {
    let id: [u8; 16] = rng.bytes();
    let record = JobRecord {
        name: J::NAME.to_owned(),
        // A job is a struct with text keys, for which serialisation cannot fail.
        job: serde_json::to_value(job).unwrap_or_default(),
        created_at: now,
        attempts: 0,
        due: Some(now),
        shard: u16::from_be_bytes([id[0], id[1]]) % DUE_SHARDS,
        unknown: Unknown::default(),
    };
    JobRecord::key(&[&id]).create(&record)
}

impl JobRecord {
    /// The job after a step, to be gone on with at `due`.
    pub(super) fn advanced(&self, job: Value, due: Timestamp) -> Self {
        Self { job, attempts: 0, due: Some(due), ..self.clone() }
    }

    pub(super) fn done(&self, job: Value) -> Self {
        Self { job, due: None, ..self.clone() }
    }

    /// The job after a step that failed. It is never given up: what it has to delete must go.
    pub(super) fn failed(&self, now: Timestamp) -> Self {
        Self { due: Some(now.saturating_add(backoff(self.attempts))), ..self.clone() }
    }
}

impl Kind for JobRecord {
    type Class = Main;
    const NAME: &'static str = "job";

    fn keep_until(&self) -> Option<Timestamp> {
        self.due.is_none().then_some(self.created_at)
    }

    fn due(&self) -> Option<Due> {
        self.due.map(|at| Due { queue: Queue::Jobs, at, shard: self.shard })
    }
}

impl Queued for JobRecord {
    const QUEUE: Queue = Queue::Jobs;

    fn leased(&self, until: Timestamp) -> Self {
        Self { attempts: self.attempts.saturating_add(1), due: Some(until), ..self.clone() }
    }
}
