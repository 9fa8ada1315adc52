//! By which algorithms is encrypted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the key of the content comes to its recipient (RFC 7518 §4.1). RSA1_5 is not among them, because of its
/// padding oracle, nor is anything with passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
#[non_exhaustive]
pub enum KeyManagement {
    /// RSAES-OAEP with SHA-256.
    RsaOaep256,
    /// ECDH with an ephemeral key, from which the key of the content is derived.
    EcdhEs,
}

/// What encrypts the content (RFC 7518 §5.1).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "&'static str")]
#[non_exhaustive]
pub enum ContentEncryption {
    /// AES-128 in CBC mode with HMAC-SHA-256: the default of OpenID Connect Dynamic Client Registration §2.
    #[default]
    A128CbcHs256,
    /// AES-256 in CBC mode with HMAC-SHA-512.
    A256CbcHs512,
    /// AES-128 in GCM mode.
    A128Gcm,
    /// AES-256 in GCM mode.
    A256Gcm,
}

/// Both together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Encryption {
    /// Of the key.
    pub alg: KeyManagement,
    /// Of the content.
    pub enc: ContentEncryption,
}

impl Encryption {
    /// These two.
    #[must_use]
    pub const fn new(alg: KeyManagement, enc: ContentEncryption) -> Self {
        Self { alg, enc }
    }
}

impl KeyManagement {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::RsaOaep256, Self::EcdhEs];

    /// The registered name, as in the `alg` header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::EcdhEs => "ECDH-ES",
        }
    }
}

impl ContentEncryption {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::A128CbcHs256, Self::A256CbcHs512, Self::A128Gcm, Self::A256Gcm];

    /// The registered name, as in the `enc` header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A256CbcHs512 => "A256CBC-HS512",
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
        }
    }

    /// The length of its key, in bytes.
    pub(super) const fn key_len(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm | Self::A128CbcHs256 => 32,
            Self::A256CbcHs512 => 64,
        }
    }

    /// The length of its initialization vector, in bytes.
    pub(super) const fn iv_len(self) -> usize {
        match self {
            Self::A128Gcm | Self::A256Gcm => 12,
            Self::A128CbcHs256 | Self::A256CbcHs512 => 16,
        }
    }

    /// The length of its authentication tag, in bytes.
    pub(super) const fn tag_len(self) -> usize {
        match self {
            Self::A256CbcHs512 => 32,
            _ => 16,
        }
    }
}

macro_rules! named {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl From<$name> for &'static str {
            fn from(algorithm: $name) -> Self {
                algorithm.name()
            }
        }

        impl FromStr for $name {
            type Err = UnsupportedEncryption;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.into_iter().find(|algorithm| algorithm.name() == name);
                found.ok_or(UnsupportedEncryption)
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnsupportedEncryption;

            fn try_from(name: String) -> Result<Self, Self::Error> {
                name.parse()
            }
        }
    };
}

named!(KeyManagement);
named!(ContentEncryption);

/// A name is none of the algorithms that we encrypt by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "keys are encrypted by RSA-OAEP-256 or ECDH-ES, \
     content by A128GCM, A256GCM, A128CBC-HS256 or A256CBC-HS512"
)]
#[non_exhaustive]
pub struct UnsupportedEncryption;
