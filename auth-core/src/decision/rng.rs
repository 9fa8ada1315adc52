//! [`Rng`]: the randomness of one decision.

use std::fmt;

use ring::hmac;

/// Bytes from a 256-bit seed: HMAC-SHA-256 of a counter, which is indistinguishable from random to
/// whoever does not know the seed.
///
/// A decision that runs again gets the same bytes in the same order, so that the tokens of its first run
/// are those of its last.
#[derive(Clone)]
pub struct Rng {
    key: hmac::Key,
    counter: u64,
}

impl Rng {
    /// Bytes from `seed`, which comes from an [`Entropy`](crate::Entropy).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed), counter: 0 }
    }

    /// The next `N` bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(32) {
            let block = hmac::sign(&self.key, &self.counter.to_be_bytes());
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
}
