//! [`StoreRateLimiter`]: limits shared by all replicas.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use auth_store::{Batch, Class, CommitError, Key, Side, Store, TenantId, Timestamp, Write};
use tracing::warn;

use crate::clock::{Clock, Entropy};
use crate::decision::Unavailable;
use crate::decision::commit::commit_id;
use crate::limiter::{Attempt, Limited, Name, RateLimiter, TooManyAttempts};

/// Counts failures in the store, for all replicas together: so many in a window of time, which begins with
/// the first of them.
///
/// A name that nobody here failed under costs nothing. A failure costs one addition, and from then to the end
/// of the window each attempt under that name costs one read. So a replica on which nobody failed yet
/// admits one attempt beyond the limit before it learns of it. Attempts that are under way when the limit is
/// reached are not called back: who guesses many at once gets that many more, once in a window. What is
/// guessed here are clients' secrets, of 256 bits if they were generated; a sign-in takes its place before
/// the password is looked at.
///
/// The counters are of the class `Side`. Whoever loses them gives every name its budget anew, and nothing
/// else: what is admitted is an attempt, which still needs the right secret. If a failure cannot be counted,
/// the name is not admitted here before it can be told how often it failed.
pub struct StoreRateLimiter {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    limit: u64,
    window: Duration,
    /// Names that failed here, and when their window is over at the latest.
    suspects: Mutex<HashMap<Name, Timestamp>>,
}

impl StoreRateLimiter {
    /// Failures of one name in a window, unless told otherwise.
    // Unwrapped by the compiler: it is not zero.
    pub const LIMIT: NonZeroU32 = NonZeroU32::new(20).unwrap();
    /// The window, unless told otherwise: a minute.
    pub const WINDOW: Duration = Duration::from_secs(60);
    /// How many names are remembered here; past that those whose time is over are dropped, then all.
    const CAPACITY: usize = 100_000;

    /// Permits [`LIMIT`](Self::LIMIT) failures in a [`WINDOW`](Self::WINDOW).
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let (limit, window) = (u64::from(Self::LIMIT.get()), Self::WINDOW);
        Self { store, clock, entropy, limit, window, suspects: Mutex::default() }
    }

    /// Permits `limit` failures in each `window`.
    #[must_use]
    pub fn limit(mut self, limit: NonZeroU32, window: Duration) -> Self {
        (self.limit, self.window) = (u64::from(limit.get()), window);
        self
    }

    fn suspects(&self) -> MutexGuard<'_, HashMap<Name, Timestamp>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_suspect(&self, name: &Name, now: Timestamp) -> bool {
        self.suspects().get(name).is_some_and(|until| now < *until)
    }

    fn suspect(&self, name: Name, now: Timestamp) {
        let mut suspects = self.suspects();
        if suspects.len() >= Self::CAPACITY && !suspects.contains_key(&name) {
            suspects.retain(|_, until| now < *until);
            if suspects.len() >= Self::CAPACITY {
                // Each of these names gets one attempt more; the store has not forgotten them.
                suspects.clear();
            }
        }
        suspects.insert(name, now.saturating_add(self.window));
    }

    async fn count(
        &self,
        tenant: TenantId,
        name: &Name,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let add = Write::Add {
            key: Key::digest(Class::Side, "failures", name),
            n: 1,
            below: Some(self.limit),
            keep_until: now.saturating_add(self.window),
        };
        let batch = Batch::builder::<Side>(commit_id(&*self.entropy)?, now).write(add).build()?;
        match self.store.commit(tenant, &batch).await {
            Ok(_) | Err(CommitError::Full(_)) => Ok(()),
            Err(error) => Err(Unavailable::Store(error.into())),
        }
    }
}

#[async_trait]
impl RateLimiter for StoreRateLimiter {
    async fn admit(&self, attempt: &Attempt<'_>) -> Result<(), Limited> {
        if self.suspects().is_empty() {
            return Ok(());
        }
        let (name, now) = (attempt.name(), self.clock.now());
        if !self.is_suspect(&name, now) {
            return Ok(());
        }
        let key = Key::digest(Class::Side, "failures", &name);
        let read = self.store.get(attempt.tenant, std::slice::from_ref(&key)).await;
        let record = read.map_err(Unavailable::from)?.into_iter().next().flatten();
        let Some(record) = record else { return Ok(()) };
        let until = record.keep_until.unwrap_or(Timestamp::MAX);
        let failures: u64 = record.value.parse().unwrap_or(u64::MAX);
        match failures >= self.limit && now < until {
            true => Err(TooManyAttempts::new(until.since(now)).into()),
            false => Ok(()),
        }
    }

    async fn failed(&self, attempt: &Attempt<'_>) {
        let (name, now) = (attempt.name(), self.clock.now());
        self.suspect(name, now);
        if let Err(error) = self.count(attempt.tenant, &name, now).await {
            warn!(%error, action = attempt.action, "a failed attempt could not be counted");
        }
    }
}

impl fmt::Debug for StoreRateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreRateLimiter({} in {:?})", self.limit, self.window)
    }
}
