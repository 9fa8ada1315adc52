//! [`SeededEntropy`]: randomness that repeats.

use std::sync::{Mutex, PoisonError};

use auth_core::decision::Rng;
use auth_core::{Entropy, NoEntropy};

/// The same bytes in the same order for the same seed. For tests and proofs only: whoever knows the seed
/// knows every token.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<Rng>);

impl SeededEntropy {
    /// Randomness from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self(Mutex::new(Rng::from_seed(&bytes)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(32) {
            chunk.copy_from_slice(&rng.bytes::<32>()[..chunk.len()]);
        }
        Ok(())
    }
}
