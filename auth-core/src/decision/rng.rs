//! [`Rng`]: the randomness of one decision.

use std::fmt;
use std::sync::{Arc, OnceLock};

use auth_store::CommitId;
use ring::hmac;

use crate::clock::{Entropy, NoEntropy};

/// What all runs of a decision until a conflict take their randomness from; drawn when the first byte is wanted,
/// since most decisions only read.
#[derive(Debug)]
pub(crate) struct Seed {
    entropy: Arc<dyn Entropy>,
    drawn: OnceLock<Result<Drawn, NoEntropy>>,
}

#[derive(Debug)]
struct Drawn {
    key: hmac::Key,
    commit_id: CommitId,
}

impl Seed {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, drawn: OnceLock::new() }
    }

    /// Whether what was made from it is random.
    ///
    /// # Errors
    /// [`NoEntropy`] if it was wanted and could not be drawn: what was made from it is to be thrown away.
    pub(crate) fn check(&self) -> Result<(), NoEntropy> {
        match self.drawn.get() {
            Some(Err(cause)) => Err(*cause),
            _ => Ok(()),
        }
    }

    /// The identity of the decision's commit; of no worth if the seed does not [check](Self::check).
    pub(crate) fn commit_id(&self) -> CommitId {
        self.drawn().map_or(CommitId::from_bytes([0; 16]), |drawn| drawn.commit_id)
    }

    fn drawn(&self) -> Result<&Drawn, NoEntropy> {
        let draw = || {
            let mut bytes = [0; 32 + 16];
            self.entropy.fill(&mut bytes)?;
            let (seed, rest) = bytes.split_at(32);
            let mut commit_id = [0; 16];
            commit_id.copy_from_slice(rest);
            Ok(Drawn { key: key(seed), commit_id: CommitId::from_bytes(commit_id) })
        };
        self.drawn.get_or_init(draw).as_ref().map_err(|cause| *cause)
    }
}

fn key(seed: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, seed)
}

/// Bytes from a 256-bit seed: HMAC-SHA-256 of a counter, which is indistinguishable from random to
/// whoever does not know the seed.
///
/// A decision that runs again because a fact was missing gets the same bytes in the same order, so that the tokens of
/// its first run are those of its last. The bytes of a decision count within the decision alone: only what it
/// returns is looked at by whoever knows whether they are random.
pub struct Rng {
    origin: Origin,
    counter: u64,
}

enum Origin {
    Given(hmac::Key),
    Drawn(Arc<Seed>),
}

impl Rng {
    /// Bytes from `seed`, which comes from an [`Entropy`].
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { origin: Origin::Given(key(seed)), counter: 0 }
    }

    /// Bytes for whoever [checks](Seed::check) the seed before anything comes of them.
    pub(crate) fn drawn(seed: &Arc<Seed>) -> Self {
        Self { origin: Origin::Drawn(seed.clone()), counter: 0 }
    }

    fn block(&self, number: u64) -> [u8; 32] {
        let key = match &self.origin {
            Origin::Given(key) => Ok(key),
            Origin::Drawn(seed) => seed.drawn().map(|drawn| &drawn.key),
        };
        let mut block = [0; 32];
        if let Ok(key) = key {
            block.copy_from_slice(hmac::sign(key, &number.to_be_bytes()).as_ref());
        }
        block
    }

    /// The next `N` bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(32) {
            let block = self.block(self.counter);
            chunk.copy_from_slice(&block[..chunk.len()]);
            self.counter += 1;
        }
        bytes
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
        let (mut a, mut b) = (Rng::from_seed(&[1; 32]), Rng::from_seed(&[1; 32]));
        let first = a.bytes::<80>();
        assert_eq!(first, b.bytes::<80>());
        assert_ne!(a.bytes::<80>(), first);
        assert_ne!(Rng::from_seed(&[2; 32]).bytes::<80>(), first);
    }

    #[test]
    fn each_seed_has_an_identity_of_its_own_which_no_byte_tells() {
        let seed = || Arc::new(Seed::new(Arc::new(SystemEntropy::default())));
        let (a, b) = (seed(), seed());
        assert_eq!(a.commit_id(), a.commit_id());
        assert_ne!(a.commit_id(), b.commit_id());
        let bytes = Rng::drawn(&a).bytes::<32>();
        assert_eq!(bytes, Rng::drawn(&a).bytes::<32>());
        assert_ne!(bytes[..16], *a.commit_id().as_bytes());
    }

    #[test]
    fn without_entropy_nothing_checks() {
        #[derive(Debug)]
        struct Broken;
        impl Entropy for Broken {
            fn fill(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
                Err(NoEntropy)
            }
        }
        let seed = Arc::new(Seed::new(Arc::new(Broken)));
        assert_eq!(seed.check(), Ok(()), "nothing was wanted of it");
        let _ = seed.commit_id();
        assert_eq!(seed.check(), Err(NoEntropy));
    }
}
