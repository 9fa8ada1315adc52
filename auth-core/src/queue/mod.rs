//! What the workers of a queue have in common: how they look for work, how they lease it, and how they end.
//!
//! ```text
//!   look ──▶ lease (a commit: due again when it ends) ──▶ work, within a time limit ──▶ write the outcome
//!    ▲          │ somebody else was faster                                                │
//!    └──────────┴─────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A worker that dies holds nothing up: its lease ends, and the record is due again with one attempt more.
//! The times are those of the replicas' clocks, which must agree to within the difference between a
//! [`LEASE`] and the time limit of the work.

mod crew;
mod lease;
mod look;

use std::time::Duration;

use async_trait::async_trait;
use auth_store::{Main, Queue, TenantId, Timestamp};

pub(crate) use crew::{once, until};
pub(crate) use lease::{Lease, Leases};

use crate::decision::Unavailable;
use crate::record::{Found, Kind};

/// For how long a worker has a record to itself.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// For how long a worker works on a record before it gives up, so that it is done when its lease ends.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A kind of record that stands in a queue.
pub(crate) trait Queued: Kind<Class = Main> + Clone {
    /// In which.
    const QUEUE: Queue;

    /// This state with one attempt more, due again at `until`.
    fn leased(&self, until: Timestamp) -> Self;
}

/// Works on the records of one queue.
#[async_trait]
pub(crate) trait Worker: Send + Sync {
    /// What stands in the queue.
    type Item: Queued;
    /// What became of one record.
    type Outcome: Send;

    fn leases(&self) -> &Leases;

    /// Whether this process can do anything with it.
    fn knows(&self, tenant: TenantId, item: &Self::Item) -> bool {
        let _ = (tenant, item);
        true
    }

    /// Leases a record and does its work.
    async fn work(
        &self,
        tenant: TenantId,
        found: Found<Self::Item>,
    ) -> Result<Self::Outcome, Unavailable>;
}

/// How long to wait after the `attempts`-th failure: 2, 4, 8, … seconds, at most an hour.
pub(crate) fn backoff(attempts: u32) -> Duration {
    Duration::from_secs(2_u64.saturating_pow(attempts).min(3600))
}
