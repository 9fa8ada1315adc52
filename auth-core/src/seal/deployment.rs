//! [`DeploymentSecrets`]: the operator's secrets, which seal everything else at rest.

use std::fmt;

use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};

use crate::clock::{Entropy, NoEntropy};
use crate::seal::{AeadKey, SealError};
use crate::secret::Secret;

/// The operator's list of secrets: the first seals, all open.
///
/// To rotate over replicas append the new secret everywhere, then move it to the front everywhere, then
/// drop the old one once the data keys are sealed anew.
pub struct DeploymentSecrets {
    keys: Vec<([u8; 4], AeadKey)>,
}

impl DeploymentSecrets {
    /// The shortest secret, in bytes.
    pub const MIN_LEN: usize = 32;

    /// Takes a list of secrets of at least 32 bytes each.
    ///
    /// # Errors
    /// [`WeakSecret`] if the list is empty or one of them is too short.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Result<Self, WeakSecret> {
        let keys: Vec<_> = secrets
            .into_iter()
            .enumerate()
            .map(|(at, secret)| {
                let bytes = secret.expose().as_bytes();
                if bytes.len() < Self::MIN_LEN {
                    return Err(WeakSecret::TooShort { at: at + 1, len: bytes.len() });
                }
                Ok((derive(bytes, b"key id")[..4].try_into().unwrap_or_default(), {
                    AeadKey::new(&derive(bytes, b"seal data keys"))
                }))
            })
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(WeakSecret::None);
        }
        Ok(Self { keys })
    }

    /// A random secret that is forgotten with the process: for tests and development, where what it
    /// sealed cannot be read after a restart.
    ///
    /// # Errors
    /// [`NoEntropy`] if the system has no randomness.
    pub fn ephemeral() -> Result<Self, NoEntropy> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| NoEntropy)?;
        let key = (derive(&bytes, b"key id")[..4].try_into().unwrap_or_default(), {
            AeadKey::new(&derive(&bytes, b"seal data keys"))
        });
        Ok(Self { keys: vec![key] })
    }

    /// Seals `plain` for `purpose`: key id ‖ nonce ‖ ciphertext.
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        purpose: &str,
        plain: &[u8],
    ) -> Result<Vec<u8>, NoEntropy> {
        let mut nonce = [0; 12];
        entropy.fill(&mut nonce)?;
        let Some((id, key)) = self.keys.first() else { return Err(NoEntropy) };
        let sealed = key.seal(nonce, purpose.as_bytes(), plain);
        Ok([id.as_slice(), &nonce, &sealed].concat())
    }

    /// Opens what [`DeploymentSecrets::seal`] made. Also says whether another secret than the first
    /// one sealed it, so that it is to be sealed anew.
    pub(crate) fn open(&self, purpose: &str, blob: &[u8]) -> Result<(Vec<u8>, bool), SealError> {
        let (id, rest) = blob.split_first_chunk::<4>().ok_or(SealError::Invalid)?;
        let (nonce, sealed) = rest.split_first_chunk::<12>().ok_or(SealError::Invalid)?;
        let at =
            self.keys.iter().position(|(known, _)| known == id).ok_or(SealError::UnknownKey)?;
        let mut sealed = sealed.to_vec();
        let plain = self.keys[at].1.open(*nonce, purpose.as_bytes(), &mut sealed)?;
        Ok((plain.to_vec(), at > 0))
    }
}

impl fmt::Debug for DeploymentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeploymentSecrets({})", self.keys.len())
    }
}

/// HKDF-SHA-256 (RFC 5869).
pub(super) fn derive(secret: &[u8], label: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"auth").extract(secret);
    let info = [label];
    if let Ok(okm) = prk.expand(&info, hkdf::HKDF_SHA256) {
        // 32 bytes are one block of this hash.
        let _ = okm.fill(&mut key);
    }
    key
}

/// The operator's secrets are no secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakSecret {
    /// The list is empty.
    #[error(
        "no secret is given: pass at least one of 32 random bytes, as from `openssl rand -base64 32`"
    )]
    None,
    /// A secret is shorter than 32 bytes.
    #[error(
        "secret number {at} has {len} bytes; at least 32 are needed, as from `openssl rand -base64 32`"
    )]
    TooShort {
        /// Its place in the list, from 1.
        at: usize,
        /// Its length in bytes.
        len: usize,
    },
}
