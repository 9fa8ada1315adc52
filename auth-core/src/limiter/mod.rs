//! [`RateLimiter`]: who may try again, and when.

mod memory;
mod store;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use auth_store::TenantId;
use ring::digest;

pub use memory::MemoryRateLimiter;
pub use store::StoreRateLimiter;

use crate::decision::Unavailable;

/// Limits attempts that failed. A success costs nothing, so that a busy client is never limited for
/// being busy.
#[async_trait]
pub trait RateLimiter: Send + Sync + fmt::Debug + 'static {
    /// Whether an attempt may be made now.
    ///
    /// # Errors
    /// [`Limited::TooMany`] says after what time; [`Limited::Unavailable`] if it cannot be told, and the
    /// attempt must not be made.
    async fn admit(&self, attempt: &Attempt<'_>) -> Result<(), Limited>;

    /// Tells that an attempt failed.
    async fn failed(&self, attempt: &Attempt<'_>);
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

    /// A digest, so that a name which comes from outside takes no more room than any other.
    fn name(&self) -> Name {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [self.tenant.as_str(), self.action, self.whose] {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        let mut name = [0; 32];
        name.copy_from_slice(context.finish().as_ref());
        name
    }
}

type Name = [u8; 32];

/// An attempt may not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Limited {
    /// There were too many before it.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// It cannot be told how many there were.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// There were too many failed attempts (429).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; try again after {} s", .retry_after.as_secs())]
#[non_exhaustive]
pub struct TooManyAttempts {
    /// How long to wait, at least a second.
    pub retry_after: Duration,
}

impl TooManyAttempts {
    /// Too many, for so long.
    #[must_use]
    pub fn new(retry_after: Duration) -> Self {
        Self { retry_after: retry_after.max(Duration::from_secs(1)) }
    }
}
