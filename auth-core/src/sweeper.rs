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
    /// How long one call should take: a store with one writer serves nobody else meanwhile.
    const ROUND: Duration = Duration::from_millis(3);
    /// How many records the first call removes.
    const FIRST: u32 = 50;

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
        let (mut removed, mut limit) = (0, Self::FIRST);
        loop {
            let begun = Instant::now();
            let swept = self.store.sweep(Sweep::Expired { now }, limit).await?;
            let took = begun.elapsed();
            removed += u64::from(swept.removed);
            if !swept.more {
                return Ok(removed);
            }
            limit = Self::next_limit(limit, took);
            // Three quarters of the time belong to those who wait for an answer.
            futures_timer::Delay::new(took * 3).await;
        }
    }

    /// How many records the next call removes, after one with `limit` took so long.
    fn next_limit(limit: u32, took: Duration) -> u32 {
        let wanted = f64::from(limit) * Self::ROUND.as_secs_f64() / took.as_secs_f64().max(1e-6);
        // One call that waited for others says little: no more than a halving or a doubling at once.
        (wanted as u32).clamp(limit / 2, limit.saturating_mul(2)).clamp(10, 1000)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_removes_what_it_has_time_for() {
        let next = |limit, micros| Sweeper::next_limit(limit, Duration::from_micros(micros));
        assert_eq!(next(100, 3_000), 100, "as planned");
        assert_eq!(next(100, 2_000), 150, "there was time for more");
        assert_eq!(next(100, 4_000), 75, "it took too long");
        assert_eq!(next(100, 60_000), 50, "one that waited halves it at most");
        assert_eq!(next(100, 0), 200, "a quick one doubles it at most");
        assert_eq!(next(10, 60_000), 10, "a slow store is swept, too");
        assert_eq!(next(1000, 0), 1000);
    }
}
