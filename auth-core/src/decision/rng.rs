//! [`Rng`]: the randomness of one decision.

use std::fmt;

use auth_store::CommitId;
use ring::hmac;

/// Bytes from a 256-bit seed: HMAC-SHA-256 of a counter, which is indistinguishable from random to
/// whoever does not know the seed.
///
/// A decision that runs again gets the same bytes in the same order, so that the tokens of its first run
/// are those of its last.
#[derive(Clone)]
pub struct Rng {
    seed: [u8; 32],
    /// Made when the first byte is wanted: most decisions only read.
    key: Option<hmac::Key>,
    counter: u64,
}

impl Rng {
    /// Bytes from `seed`, which comes from an [`Entropy`](crate::Entropy).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { seed: *seed, key: None, counter: 0 }
    }

    /// The identity of the decision's `attempt` to commit: another one each time, from bytes that
    /// [`bytes`](Self::bytes) never gives.
    pub(crate) fn commit_id(&mut self, attempt: u32) -> CommitId {
        let mut message = *b"commit____";
        message[6..].copy_from_slice(&attempt.to_be_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hmac::sign(self.key(), &message).as_ref()[..16]);
        CommitId::from_bytes(id)
    }

    fn key(&mut self) -> &hmac::Key {
        self.key.get_or_insert_with(|| hmac::Key::new(hmac::HMAC_SHA256, &self.seed))
    }

    /// The next `N` bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(32) {
            let counter = self.counter.to_be_bytes();
            let block = hmac::sign(self.key(), &counter);
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
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

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
        let (mut a, mut b) = (Rng::from_seed(&[1; 32]), Rng::from_seed(&[1; 32]));
        let first = a.bytes::<80>();
        assert_eq!(first, b.bytes::<80>());
        assert_ne!(a.bytes::<80>(), first);
        assert_ne!(Rng::from_seed(&[2; 32]).bytes::<80>(), first);
    }

    #[test]
    fn each_attempt_has_an_identity_of_its_own_and_leaves_the_bytes_as_they_are() {
        let (mut a, mut b) = (Rng::from_seed(&[1; 32]), Rng::from_seed(&[1; 32]));
        let (first, second) = (a.commit_id(0), a.commit_id(1));
        assert_eq!(first, b.commit_id(0));
        assert_ne!(first, second);
        assert_ne!(first, Rng::from_seed(&[2; 32]).commit_id(0));
        let bytes = a.bytes::<32>();
        assert_eq!(bytes, Rng::from_seed(&[1; 32]).bytes::<32>());
        assert_ne!(bytes[..16], *first.as_bytes());
    }
}
