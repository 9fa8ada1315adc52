//! [`DeploymentSecrets`]: the operator's secrets, which seal everything else at rest.

use std::fmt;

use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};

use crate::clock::{Entropy, NoEntropy};
use crate::seal::{AeadKey, SealError, strength};
use crate::secret::Secret;

/// The operator's list of secrets: the first seals, all open.
///
/// To rotate over replicas append the new secret everywhere, then move it to the front everywhere, then
/// drop the old one once [`secret_usage`](crate::seal::secret_usage) shows that nothing is sealed under
/// it any more.
pub struct DeploymentSecrets {
    keys: Vec<([u8; 4], AeadKey)>,
}

/// Public, so that a file that development made today can be read tomorrow, and worthless as a secret.
const DEVELOPMENT: &str = "development only: everybody knows this";

impl DeploymentSecrets {
    /// The shortest secret, in bytes.
    pub const MIN_LEN: usize = 32;

    /// The least entropy that the form of a secret must leave room for, in bits.
    pub const MIN_BITS: u32 = 256;

    /// Takes a list of secrets of at least 32 bytes and 256 bits of entropy each, such as 32 random
    /// bytes in base64 or hexadecimal.
    ///
    /// # Errors
    /// [`WeakSecret`] if the list is empty, or one of them is too short, could be guessed, or stands in
    /// a manual.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Result<Self, WeakSecret> {
        let keys: Vec<_> = secrets
            .into_iter()
            .enumerate()
            .map(|(at, secret)| {
                let text = secret.expose();
                if text.len() < Self::MIN_LEN {
                    return Err(WeakSecret::TooShort { at: at + 1, len: text.len() });
                }
                if strength::is_known(text) {
                    return Err(WeakSecret::Known { at: at + 1 });
                }
                let bits = strength::most_bits(text);
                if bits < Self::MIN_BITS {
                    return Err(WeakSecret::Guessable { at: at + 1, bits });
                }
                Ok(key(text.as_bytes()))
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
        Ok(Self { keys: vec![key(&bytes)] })
    }

    /// A secret that everybody knows: for development on loopback, where what was sealed is to be read
    /// again after a restart.
    #[must_use]
    pub fn insecure_development() -> Self {
        Self { keys: vec![key(DEVELOPMENT.as_bytes())] }
    }

    /// The names of the secrets in their order. A name tells nothing of its secret; it stands in what the
    /// secret seals.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.keys.iter().map(|(id, _)| name(id)).collect()
    }

    /// The name of the secret that sealed a blob, and its place in the list, from 1.
    pub(super) fn sealed_by(&self, blob: &[u8]) -> Option<(String, Option<usize>)> {
        let id = blob.first_chunk::<4>()?;
        let place = self.keys.iter().position(|(known, _)| known == id);
        Some((name(id), place.map(|place| place + 1)))
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

fn key(secret: &[u8]) -> ([u8; 4], AeadKey) {
    let [a, b, c, d, ..] = derive(secret, b"key id");
    ([a, b, c, d], AeadKey::new(&derive(secret, b"seal data keys")))
}

fn name(id: &[u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(*id))
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
    /// A secret has a form in which there are too few.
    #[error(
        "secret number {at} can have {bits} bits of entropy at most; 256 are needed, as from \
         `openssl rand -base64 32`"
    )]
    Guessable {
        /// Its place in the list, from 1.
        at: usize,
        /// The most that its length and its characters leave room for.
        bits: u32,
    },
    /// A secret stands in a manual or a template, and so in the list of whoever attacks.
    #[error("secret number {at} is known to everybody: make one by `openssl rand -base64 32`")]
    Known {
        /// Its place in the list, from 1.
        at: usize,
    },
}
