//! [`MemoryRateLimiter`]: limits of one process.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::limiter::{Attempt, Limited, Name, RateLimiter, TooManyAttempts};

/// Limits in the memory of this process, by its own clock: with several replicas each grants the whole of it.
/// [`StoreRateLimiter`](crate::StoreRateLimiter) counts for all of them.
pub struct MemoryRateLimiter {
    failures: DefaultKeyedRateLimiter<Name>,
    blocked: RwLock<HashMap<Name, Instant>>,
    clock: DefaultClock,
}

impl MemoryRateLimiter {
    /// How many names are kept; past that those whose time is over are dropped.
    const CAPACITY: usize = 100_000;

    /// Permits `burst` failures at once and `per_minute` lasting.
    #[must_use]
    pub fn new(burst: NonZeroU32, per_minute: NonZeroU32) -> Self {
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        Self {
            failures: DefaultKeyedRateLimiter::keyed(quota),
            blocked: RwLock::default(),
            clock: DefaultClock::default(),
        }
    }
}

impl Default for MemoryRateLimiter {
    /// 20 failures at once, and 10 a minute lasting.
    fn default() -> Self {
        // Unwrapped by the compiler: neither is zero.
        const BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();
        const PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();
        Self::new(BURST, PER_MINUTE)
    }
}

#[async_trait]
impl RateLimiter for MemoryRateLimiter {
    async fn admit(&self, attempt: &Attempt<'_>) -> Result<(), Limited> {
        let blocked = self.blocked.read().unwrap_or_else(PoisonError::into_inner);
        if blocked.is_empty() {
            return Ok(());
        }
        let name = attempt.name();
        let until = blocked.get(&name).map(|until| until.saturating_duration_since(Instant::now()));
        match until {
            Some(wait) if !wait.is_zero() => Err(TooManyAttempts::new(wait).into()),
            _ => Ok(()),
        }
    }

    async fn failed(&self, attempt: &Attempt<'_>) {
        let name = attempt.name();
        if self.failures.len() >= Self::CAPACITY {
            // Names come from outside; most of them fail once.
            self.failures.retain_recent();
        }
        if let Err(not_until) = self.failures.check_key(&name) {
            let wait = not_until.wait_time_from(self.clock.now());
            let mut blocked = self.blocked.write().unwrap_or_else(PoisonError::into_inner);
            if blocked.len() >= Self::CAPACITY {
                let now = Instant::now();
                blocked.retain(|_, until| *until > now);
            }
            blocked.insert(name, Instant::now() + wait.max(Duration::from_secs(1)));
        }
    }
}

impl fmt::Debug for MemoryRateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryRateLimiter({} names)", self.failures.len())
    }
}

#[cfg(test)]
mod tests {
    use auth_store::TenantId;
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn failures_block_and_blocks_are_by_name() {
        let limiter = MemoryRateLimiter::default();
        let admit = |attempt| limiter.admit(attempt).now_or_never().unwrap();
        let app = Attempt::new(TenantId::DEFAULT, "client_authentication", "app");
        for _ in 0..20 {
            limiter.failed(&app).now_or_never().unwrap();
            assert!(admit(&app).is_ok());
        }
        limiter.failed(&app).now_or_never().unwrap();
        let Err(Limited::TooMany(error)) = admit(&app) else { panic!("admitted") };
        assert!(error.retry_after >= Duration::from_secs(1));
        let other = Attempt::new(TenantId::DEFAULT, "client_authentication", "other");
        assert!(admit(&other).is_ok());
    }
}
