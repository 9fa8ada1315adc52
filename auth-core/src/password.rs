//! [`PasswordHasher`]: argon2id in a bounded pool.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use async_channel::{Sender, TrySendError};
use ring::digest;

use crate::decision::Unavailable;
use crate::secret::Secret;

/// The cost of a password hash (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PasswordCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl PasswordCost {
    /// 19 MiB and two passes: some 25 ms on one core.
    pub const DEFAULT: Self = Self { memory_kib: 19 * 1024, passes: 2 };
    /// Next to nothing, so that a suite with thousands of sign-ins ends. Never for real passwords.
    pub const INSECURE_FOR_TESTS: Self = Self { memory_kib: 8, passes: 1 };
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Hashes and verifies passwords on threads of its own.
///
/// Each takes some 20 MiB and 25 ms, so the number of threads and the length of the queue are bounded;
/// past that the answer is [`Unavailable::PasswordQueueFull`] (503). A password that was verified is
/// remembered as a digest for as long as it stands among the last 1,024, so that a client secret which a
/// person chose does not cost a hash a request.
#[derive(Clone)]
pub struct PasswordHasher {
    inner: Arc<Pool>,
}

struct Pool {
    jobs: Sender<Job>,
    cost: PasswordCost,
    verified: Mutex<VecDeque<[u8; 32]>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl PasswordHasher {
    /// How many jobs may wait for each thread.
    const QUEUE_PER_THREAD: usize = 32;
    /// How many verified passwords are remembered.
    const REMEMBERED: usize = 1024;

    /// A pool of `threads` threads, at least one.
    #[must_use]
    pub fn new(cost: PasswordCost, threads: usize) -> Self {
        let threads = threads.max(1);
        let (jobs, queue) = async_channel::bounded::<Job>(threads * Self::QUEUE_PER_THREAD);
        for _ in 0..threads {
            let queue = queue.clone();
            thread::spawn(move || {
                while let Ok(job) = queue.recv_blocking() {
                    // A job that panics must not take its thread along; its caller is told by the
                    // channel that it took with it.
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            });
        }
        Self { inner: Arc::new(Pool { jobs, cost, verified: Mutex::default() }) }
    }

    /// A pool with as many threads as there are cores.
    #[must_use]
    pub fn with_cost(cost: PasswordCost) -> Self {
        Self::new(cost, thread::available_parallelism().map_or(1, usize::from))
    }

    /// Hashes a password with a salt of 16 random bytes; gives the PHC form.
    ///
    /// # Errors
    /// [`Unavailable`] if the queue is full.
    pub async fn hash(&self, password: &Secret, salt: [u8; 16]) -> Result<String, Unavailable> {
        let (password, cost) = (password.clone(), self.inner.cost);
        self.run(move || {
            let hash = argon2(cost)?.hash_password_with_salt(password.expose().as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(|e| Unavailable::Defect(e.to_string().into()))
        })
        .await
    }

    /// Whether `password` is the one that `hash`, in PHC form, was made of.
    ///
    /// # Errors
    /// [`Unavailable`] if the queue is full, or if `hash` is not a hash.
    pub async fn verify(&self, hash: &str, password: &Secret) -> Result<bool, Unavailable> {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(hash.as_bytes());
        context.update(&[0]);
        context.update(password.expose().as_bytes());
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.finish().as_ref());
        if self.verified().contains(&fingerprint) {
            return Ok(true);
        }
        let (hash, password) = (hash.to_owned(), password.clone());
        let good = self
            .run(move || {
                let parsed = PasswordHash::new(&hash)
                    .map_err(|e| Unavailable::Defect(e.to_string().into()))?;
                let verifier = Argon2::default();
                Ok(verifier.verify_password(password.expose().as_bytes(), &parsed).is_ok())
            })
            .await?;
        if good {
            let mut verified = self.verified();
            verified.truncate(Self::REMEMBERED - 1);
            verified.push_front(fingerprint);
        }
        Ok(good)
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, VecDeque<[u8; 32]>> {
        self.inner.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Unavailable> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (sender, receiver) = async_channel::bounded(1);
        let job = Box::new(move || {
            // Nobody listens any more if the request was given up.
            let _ = sender.send_blocking(work());
        });
        match self.inner.jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Unavailable::PasswordQueueFull),
            Err(TrySendError::Closed(_)) => {
                return Err(Unavailable::Defect("the password threads ended".into()));
            }
        }
        receiver.recv().await.map_err(|_| Unavailable::Defect("a password thread ended".into()))?
    }
}

fn argon2(cost: PasswordCost) -> Result<Argon2<'static>, Unavailable> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, None)
        .map_err(|error| Unavailable::Defect(error.to_string().into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

impl Default for PasswordHasher {
    fn default() -> Self {
        Self::with_cost(PasswordCost::DEFAULT)
    }
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHasher({:?})", self.inner.cost)
    }
}
