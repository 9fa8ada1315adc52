//! [`Tally`]: what all clients of a proof counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A number that many count.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request without an answer.
#[derive(Debug, Clone)]
pub(crate) struct Lost {
    /// When it was sent.
    pub(crate) sent: Instant,
    /// When the client gave up.
    pub(crate) ended: Instant,
    /// What the client saw.
    pub(crate) saw: String,
    /// Whether it may have reached the server.
    pub(crate) in_flight: bool,
}

/// Counts, and the requests that were lost.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: Count,
    /// What was acknowledged.
    pub(crate) codes: Count,
    pub(crate) redemptions: Count,
    pub(crate) refreshes: Count,
    pub(crate) revocations: Count,
    /// Codes that two offered at the same moment.
    pub(crate) races: Count,
    /// Requests that were told to come again.
    pub(crate) unavailable: Count,
    /// Redemptions, revocations and reuses without an answer, by what was seen afterwards.
    pub(crate) applied: Count,
    pub(crate) not_applied: Count,
    /// Grants whose record was compared with what the server says.
    pub(crate) checked: Count,
    /// Replicas that were asked directly about something that was revoked.
    pub(crate) asked_directly: Count,
    /// Processes that were killed, and those of which nothing can take effect any more.
    pub(crate) kills: Count,
    pub(crate) buried: Count,
    /// As long as it is set every answer must be a 503.
    pub(crate) database_is_away: AtomicBool,
    lost: Mutex<Vec<Lost>>,
    lost_in_all: Count,
}

impl Tally {
    pub(crate) fn lose(&self, lost: Lost) {
        self.lost_in_all.add(1);
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).push(lost);
    }

    /// How many requests were lost or told to come again.
    pub(crate) fn unanswered(&self) -> u64 {
        self.lost_in_all.get() + self.unavailable.get()
    }

    /// The requests that were lost since the last call.
    pub(crate) fn take_lost(&self) -> Vec<Lost> {
        std::mem::take(&mut *self.lost.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
