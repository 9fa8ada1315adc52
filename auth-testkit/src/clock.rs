//! [`TestClock`]: time that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auth_core::{Clock, Timestamp};

/// A clock that begins at a fixed moment and moves when it is told to. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    /// A clock at the system's present moment: foreign relying parties compare what they are given with
    /// their own clock.
    #[must_use]
    pub fn at_present() -> Self {
        Self(Arc::new(AtomicU64::new(auth_core::SystemClock::default().now().as_millis())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}
