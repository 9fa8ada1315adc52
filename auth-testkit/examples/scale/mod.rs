//! What the proof of scale measures: how much is served, and how long one waits.

pub(crate) mod latency;
pub(crate) mod throughput;

use auth_core::{Clock, Timestamp};

/// A clock that stands still, so that a token is as young after an hour of filling as it was before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Still(pub(crate) Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
}
