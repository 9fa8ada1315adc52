//! What stands in for encryption in a program that was built without it.

use std::convert::Infallible;

use jsonwebtoken::jwk::Jwk;
use zeroize::Zeroizing;

use crate::id::KeyId;
use crate::keys::jwe::{CompactJwe, Encryption, JweError, KeyManagement};
use crate::secret::Secret;

/// A private key that tokens are encrypted to: there is none without the feature `jwe`.
#[derive(Debug, Clone)]
pub struct DecryptionKey(Infallible);

impl DecryptionKey {
    /// Makes no key.
    ///
    /// # Errors
    /// [`JweError::Absent`].
    pub fn generate(_: KeyManagement) -> Result<Self, JweError> {
        Err(JweError::Absent)
    }

    pub(crate) fn from_pkcs8(_: KeyManagement, _: &[u8]) -> Result<Self, JweError> {
        Err(JweError::Absent)
    }

    /// What it is for.
    #[must_use]
    pub fn alg(&self) -> KeyManagement {
        match self.0 {}
    }

    /// Its name.
    #[must_use]
    pub fn kid(&self) -> &KeyId {
        match self.0 {}
    }

    /// Its public half.
    #[must_use]
    pub fn jwk(&self) -> &Jwk {
        match self.0 {}
    }

    pub(crate) fn pkcs8(&self) -> &[u8] {
        match self.0 {}
    }

    /// Decrypts nothing.
    ///
    /// # Errors
    /// None, since there is no such key.
    pub fn decrypt(&self, _: &CompactJwe<'_>) -> Result<Zeroizing<Vec<u8>>, JweError> {
        match self.0 {}
    }
}

/// That a key may be registered is for a program to say that can use it.
pub(super) fn is_usable(_: KeyManagement, _: &Jwk) -> bool {
    false
}

pub(super) fn encrypt(_: Encryption, _: &Jwk, _: &str) -> Result<Secret, JweError> {
    Err(JweError::Absent)
}
