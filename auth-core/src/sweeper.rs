//! [`Sweeper`]: removes records past their retention.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_store::{Store, Sweep};
use futures_util::future::{Either, select};
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::decision::Unavailable;

/// Removes what is past its retention, of every tenant. Run one on any replica, or on all: sweeping twice
/// is harmless, and nothing depends on its being done in time.
#[derive(Debug, Clone)]
pub struct Sweeper {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Sweeper {
    /// How many records a call removes at most. A store with one writer serves nobody else meanwhile.
    const ROUND: u32 = 100;

    /// A sweeper of `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Removes all that is past its retention now, and says how many records that were.
    ///
    /// # Errors
    /// [`Unavailable`] if the store is away; what is left is removed the next time.
    pub async fn run_once(&self) -> Result<u64, Unavailable> {
        let now = self.clock.now();
        let mut removed = 0;
        loop {
            let begun = Instant::now();
            let swept = self.store.sweep(Sweep::Expired { now }, Self::ROUND).await?;
            removed += u64::from(swept.removed);
            if !swept.more {
                return Ok(removed);
            }
            // Half of the time belongs to those who wait for an answer.
            futures_timer::Delay::new(begun.elapsed()).await;
        }
    }

    /// Sweeps for ever, every `interval`; spawn it on your runtime.
    pub async fn run(self, interval: Duration) {
        self.run_until(interval, std::future::pending()).await;
    }

    /// Sweeps until `stop`.
    pub async fn run_until(self, interval: Duration, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            match self.run_once().await {
                Ok(removed) => debug!(removed, "swept"),
                Err(error) => warn!(%error, "the store could not be swept"),
            }
            let rest = futures_timer::Delay::new(interval);
            if let Either::Left(_) = select(stop.as_mut(), rest).await {
                return;
            }
        }
    }
}
