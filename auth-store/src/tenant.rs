//! [`TenantId`]: which issuer's data a key belongs to.

use std::fmt;
use std::str::FromStr;

/// The tenant that owns a record: one issuer, one set of clients, keys and tokens.
///
/// Every call of the contract names a tenant, and no call can reach another tenant's records.
/// The identifier is 1 to 32 characters of `a-z`, `0-9`, `-` and `_` (a UUID without hyphens fits)
/// and is copied, not borrowed, so that it can travel in every key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId {
    // Zero-padded ASCII; the padding sorts before every permitted character.
    bytes: [u8; Self::MAX_LEN],
}

impl TenantId {
    /// The longest identifier, in bytes.
    pub const MAX_LEN: usize = 32;

    /// The tenant of a program that serves one issuer only: `default`.
    pub const DEFAULT: Self = {
        let mut bytes = [0; Self::MAX_LEN];
        let name = b"default";
        let mut i = 0;
        while i < name.len() {
            bytes[i] = name[i];
            i += 1;
        }
        Self { bytes }
    };

    /// Reads an identifier.
    ///
    /// # Errors
    /// [`InvalidTenantId`] if it is empty, longer than 32 bytes, or has another character.
    pub fn new(id: &str) -> Result<Self, InvalidTenantId> {
        let permitted =
            |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        if id.is_empty() || id.len() > Self::MAX_LEN || !id.as_bytes().iter().all(permitted) {
            return Err(InvalidTenantId);
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..id.len()].copy_from_slice(id.as_bytes());
        Ok(Self { bytes })
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|b| *b == 0).unwrap_or(Self::MAX_LEN);
        // The constructor admits ASCII only.
        std::str::from_utf8(&self.bytes[..end]).unwrap_or_default()
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenantId;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        Self::new(id)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({self})")
    }
}

/// A tenant identifier was empty, longer than 32 bytes, or had a character outside `a-z 0-9 - _`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tenant id is 1 to 32 characters of a-z, 0-9, '-' and '_'")]
#[non_exhaustive]
pub struct InvalidTenantId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_read_back_as_it_was_written() {
        for id in ["a", "default", "0123456789abcdef0123456789abcdef", "a-b_c"] {
            assert_eq!(TenantId::new(id).unwrap().as_str(), id);
        }
        assert_eq!(TenantId::DEFAULT, TenantId::new("default").unwrap());
    }

    #[test]
    fn other_identifiers_are_refused() {
        for id in ["", "A", "a b", "ä", "a/b", "0123456789abcdef0123456789abcdef0"] {
            assert_eq!(TenantId::new(id), Err(InvalidTenantId), "{id}");
        }
    }
}
