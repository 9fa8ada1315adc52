//! [`RateLimiter`]: who may try again, and when.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use auth_store::TenantId;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use ring::digest;

/// Limits attempts that failed. A success costs nothing, so that a busy client is never limited for
/// being busy.
pub trait RateLimiter: Send + Sync + fmt::Debug + 'static {
    /// Whether an attempt may be made now.
    ///
    /// # Errors
    /// [`TooManyAttempts`] says after what time.
    fn admit(&self, attempt: &Attempt<'_>) -> Result<(), TooManyAttempts>;

    /// Tells that an attempt failed.
    fn failed(&self, attempt: &Attempt<'_>);
}

/// Something that may fail and is worth guessing at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Attempt<'a> {
    /// At which tenant.
    pub tenant: TenantId,
    /// What is tried, such as `client_authentication`.
    pub action: &'static str,
    /// Whose secret is guessed at, or where the attempt comes from.
    pub whose: &'a str,
}

impl<'a> Attempt<'a> {
    /// An attempt.
    #[must_use]
    pub fn new(tenant: TenantId, action: &'static str, whose: &'a str) -> Self {
        Self { tenant, action, whose }
    }
}

/// There were too many failed attempts (429).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; try again after {} s", .retry_after.as_secs())]
#[non_exhaustive]
pub struct TooManyAttempts {
    /// How long to wait, at least a second.
    pub retry_after: Duration,
}

/// A digest, so that a name which comes from outside takes no more room than any other.
type Name = [u8; 32];

fn name(attempt: &Attempt<'_>) -> Name {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [attempt.tenant.as_str(), attempt.action, attempt.whose] {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    let mut name = [0; 32];
    name.copy_from_slice(context.finish().as_ref());
    name
}

/// Limits in the memory of this process.
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

impl RateLimiter for MemoryRateLimiter {
    fn admit(&self, attempt: &Attempt<'_>) -> Result<(), TooManyAttempts> {
        let name = name(attempt);
        let blocked = self.blocked.read().unwrap_or_else(PoisonError::into_inner);
        let until = blocked.get(&name).map(|until| until.saturating_duration_since(Instant::now()));
        match until {
            Some(wait) if !wait.is_zero() => {
                Err(TooManyAttempts { retry_after: wait.max(Duration::from_secs(1)) })
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, attempt: &Attempt<'_>) {
        let name = name(attempt);
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
    use super::*;

    #[test]
    fn failures_block_and_blocks_are_by_name() {
        let limiter = MemoryRateLimiter::default();
        let app = Attempt::new(TenantId::DEFAULT, "client_authentication", "app");
        for _ in 0..20 {
            limiter.failed(&app);
            assert_eq!(limiter.admit(&app), Ok(()));
        }
        limiter.failed(&app);
        assert!(limiter.admit(&app).unwrap_err().retry_after >= Duration::from_secs(1));
        let other = Attempt::new(TenantId::DEFAULT, "client_authentication", "other");
        assert_eq!(limiter.admit(&other), Ok(()));
    }
}
