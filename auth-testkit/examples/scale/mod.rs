//! What the proof of scale measures: how much is served, and how long one waits.

pub(crate) mod latency;
pub(crate) mod throughput;

use std::time::{Duration, Instant};

use auth_core::{Clock, Timestamp};

/// A clock that goes at a hundredth of the pace, so that a token is almost as young after an hour of filling as
/// it was before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slow {
    set: Instant,
    to: Timestamp,
}

impl Slow {
    /// Shows `to` now.
    pub(crate) fn at(to: Timestamp) -> Self {
        Self { set: Instant::now(), to }
    }

    /// The same, as it was `ago`.
    pub(crate) fn earlier(self, ago: Duration) -> Self {
        Self { to: self.to.saturating_sub(ago), ..self }
    }
}

impl Clock for Slow {
    fn now(&self) -> Timestamp {
        self.to.saturating_add(self.set.elapsed() / 100)
    }
}
