//! [`Clock`] and [`Entropy`]: the two things that nothing else in the SDK takes from the air.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use auth_store::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};

/// Where the time comes from.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.saturating_add(since_epoch)
    }
}

/// Where randomness comes from. Whatever implements it outside of tests must be a cryptographically
/// secure generator: codes, tokens and keys are made of it.
pub trait Entropy: Send + Sync + fmt::Debug + 'static {
    /// Fills `buffer`.
    ///
    /// # Errors
    /// [`NoEntropy`] if the source fails; nothing secret may then be made.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The random generator of the operating system.
#[derive(Debug, Clone)]
pub struct SystemEntropy(SystemRandom);

impl Default for SystemEntropy {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.fill(buffer).map_err(|_| NoEntropy)
    }
}

/// The source of randomness failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct NoEntropy;
