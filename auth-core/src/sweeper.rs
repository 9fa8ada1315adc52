//! [`Sweeper`]: removes records past their retention.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_store::{Store, Sweep};
use futures_util::future::select;
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
        let (mut removed, mut round) = (0, Round::default());
        loop {
            let begun = Instant::now();
            let swept = self.store.sweep(Sweep::Expired { now }, round.limit).await?;
            let took = begun.elapsed();
            removed += u64::from(swept.removed);
            if !swept.more {
                return Ok(removed);
            }
            round.learn(swept.removed, took);
            // Seven eighths of the time belong to those who wait for an answer.
            futures_timer::Delay::new(took * 7).await;
        }
    }

    /// Sweeps for ever, every `interval`; spawn it on your runtime.
    pub async fn run(self, interval: Duration) {
        self.run_until(interval, std::future::pending()).await;
    }

    /// Sweeps until `stop`, also if there is more to remove: the next one goes on.
    pub async fn run_until(self, interval: Duration, stop: impl Future<Output = ()>) {
        let work = async {
            loop {
                match self.run_once().await {
                    Ok(removed) => debug!(removed, "swept"),
                    Err(error) => warn!(%error, "the store could not be swept"),
                }
                futures_timer::Delay::new(interval).await;
            }
        };
        let (work, stop) = (pin!(work), pin!(stop));
        select(work, stop).await;
    }
}

/// How much one call removes. A store with one writer serves nobody else meanwhile.
struct Round {
    limit: u32,
    /// The shortest call so far: what a call takes however little it removes, such as a sync of the disk.
    shortest: Duration,
}

impl Default for Round {
    fn default() -> Self {
        // Little, so that its time is not that of removing.
        Self { limit: 10, shortest: Duration::MAX }
    }
}

impl Round {
    /// How long a call should take; or twice as long as the shortest, since to remove less would not make it
    /// shorter.
    const TIME: Duration = Duration::from_millis(3);
    /// How long it may take, however long the shortest.
    const LONGEST: Duration = Duration::from_millis(50);

    /// Chooses the next limit, after a call that removed so many took so long.
    fn learn(&mut self, removed: u32, took: Duration) {
        self.shortest = self.shortest.min(took);
        let time = self.shortest.saturating_mul(2).clamp(Self::TIME, Self::LONGEST);
        let wanted = f64::from(removed) * time.as_secs_f64() / took.as_secs_f64().max(1e-6);
        // One call that waited for others says little: no more than a halving or a doubling at once.
        let limit = (wanted as u32).clamp(removed / 2, removed.saturating_mul(2));
        self.limit = limit.clamp(10, 1000);
    }
}

#[cfg(test)]
mod tests {
    use auth_store::{
        Batch, Class, CommitId, Key, Main, MemoryStore, NewRecord, TenantId, Timestamp, When, Write,
    };
    use futures_util::FutureExt;

    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn a_backlog_does_not_hold_up_the_end() {
        let store = MemoryStore::new();
        let expired = |n| {
            let key = Key::builder(Class::Main, "old").number(n).build().unwrap();
            let (index, keep_until) = (Vec::new(), Some(Timestamp::EPOCH));
            let record = NewRecord { key, value: "{}".into(), index, keep_until, due: None };
            Write::Put { record, when: When::Absent, old_index: Vec::new() }
        };
        let id = CommitId::from_bytes([1; 16]);
        let batch = (0..40)
            .fold(Batch::builder::<Main>(id, Timestamp::EPOCH), |batch, n| batch.write(expired(n)));
        let batch = batch.build().unwrap();
        store.commit(TenantId::DEFAULT, &batch).now_or_never().unwrap().unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let sweeper = Sweeper::new(store.clone(), Arc::new(SystemClock::default()));
        let stopped = sweeper.clone().run_until(Duration::ZERO, std::future::ready(()));
        assert!(stopped.now_or_never().is_some(), "there was more to remove");
        let rest = store.sweep(Sweep::Expired { now: Timestamp::MAX }, 1000);
        assert_eq!(rest.now_or_never().unwrap().unwrap().removed, 30, "the first call was made");
    }

    /// The limits of calls, each of which takes `fixed` and so much for each record.
    fn limits(fixed: u64, each: u64) -> Vec<u32> {
        let mut round = Round::default();
        let next = |_| {
            let (limit, micros) = (round.limit, fixed + each * u64::from(round.limit));
            round.learn(limit, Duration::from_micros(micros));
            limit
        };
        (0..9).map(next).collect()
    }

    #[test]
    fn a_call_removes_what_it_has_time_for() {
        assert_eq!(limits(0, 100), [10, 20, 30, 30, 30, 30, 30, 30, 30]);
        assert_eq!(limits(0, 1), [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(limits(0, 10_000), [10; 9], "a slow store is swept, too");
    }

    #[test]
    fn what_every_call_takes_does_not_make_the_calls_small() {
        // 10 ms to sync the disk, and 20 µs for each record.
        assert!(limits(10_000, 20).last() > Some(&400));
    }

    #[test]
    fn a_call_that_waited_for_others_halves_the_next_at_most() {
        let mut round = Round { limit: 100, shortest: Duration::from_millis(1) };
        round.learn(100, Duration::from_millis(60));
        assert_eq!(round.limit, 50);
    }
}
