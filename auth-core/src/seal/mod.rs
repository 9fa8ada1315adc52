//! Sealing: data that leaves our hands and comes back, and secrets at rest.

mod data_keys;
mod deployment;
mod handle;
mod strength;
mod usage;

pub use data_keys::{DataKeys, DataKeysUnusable, LoadDataKeys, Purpose};
pub use deployment::{DeploymentSecrets, WeakSecret};
pub use handle::{Artefact, Handle, HandleDigest, Lineage};
pub use usage::{SealedUnder, sealed_under, secret_usage};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};

/// A blob could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Sealed under a key that is not in the list any more, or not yet.
    #[error("sealed under a key that this process does not have")]
    UnknownKey,
    /// Not a blob of ours, changed, or sealed for another purpose.
    #[error("not a sealed value, or sealed for something else")]
    Invalid,
}

/// AES-256-GCM under one key (NIST SP 800-38D).
struct AeadKey(LessSafeKey);

impl AeadKey {
    #[expect(clippy::expect_used, reason = "AES-256 takes every key of the 32 bytes of the type")]
    fn new(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of 32 bytes")))
    }

    fn seal(&self, nonce: [u8; NONCE_LEN], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plain.len() + MAX_TAG_LEN);
        self.seal_onto(&mut sealed, nonce, aad, plain);
        sealed
    }

    /// Adds what is sealed, with its tag, to the end of `to`.
    fn seal_onto(&self, to: &mut Vec<u8>, nonce: [u8; NONCE_LEN], aad: &[u8], plain: &[u8]) {
        let begin = to.len();
        to.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        match self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut to[begin..]) {
            Ok(tag) => to.extend_from_slice(tag.as_ref()),
            // Only for more than 64 GiB.
            Err(_) => to.truncate(begin),
        }
    }

    fn open<'a>(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], SealError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.open_in_place(nonce, Aad::from(aad), sealed).map_err(|_| SealError::Invalid)
    }
}
