//! Newtypes of the identifiers that travel through the SDK.

use std::fmt;
use std::sync::Arc;

use auth_store::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::decision::Rng;

/// Declares a text identifier: cheap to clone, compared as the bytes that were given.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.into())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

text_id! {
    /// A client identifier (RFC 6749 §2.2).
    ClientId
}

text_id! {
    /// A subject identifier: the person, never reassigned (OpenID Connect Core §2, `sub`).
    Subject
}

text_id! {
    /// The name of a signing key (RFC 7517 §4.5, `kid`).
    KeyId
}

/// Declares an identifier of 128 bits, written as 22 characters of base64url.
macro_rules! binary_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// An identifier by its bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Reads the text form; `None` if it is not one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
                Some(Self(bytes.try_into().ok()?))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(d)?;
                Self::parse(&text).ok_or_else(|| {
                    serde::de::Error::custom(concat!("not a ", stringify!($name)))
                })
            }
        }
    };
}

/// Gives an identifier 128 random bits.
macro_rules! random {
    ($($name:ident),*) => {
        $(impl $name {
            /// A new identifier.
            #[must_use]
            pub fn random(rng: &mut Rng) -> Self {
                Self(rng.bytes())
            }
        })*
    };
}

random!(SessionId, ChallengeId, RequestId);

impl GrantId {
    /// A new identifier: the milliseconds of `now` in 48 bits, and 80 random bits.
    ///
    /// What is stored by it so comes to stand beside what was stored a moment before: an index of many
    /// millions of records is changed at its end, and not all over. Identifiers are no secrets.
    #[must_use]
    pub fn new(now: Timestamp, rng: &mut Rng) -> Self {
        let mut bytes: [u8; 16] = rng.bytes();
        bytes[..6].copy_from_slice(&now.as_millis().to_be_bytes()[2..]);
        Self(bytes)
    }
}

binary_id! {
    /// What a person granted to a client at one sign-in; parent of its tokens.
    GrantId
}

binary_id! {
    /// A login session at the provider; public as `sid` (OpenID Connect Front-Channel Logout §3).
    SessionId
}

binary_id! {
    /// One login, consent or logout question to a person.
    ChallengeId
}

binary_id! {
    /// One HTTP request, for logs and error pages.
    RequestId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_named_in_the_order_of_time_and_each_otherwise() {
        let mut rng = Rng::from_seed(&[7; 32]);
        let at = |seconds| Timestamp::from_secs(seconds).unwrap();
        let (early, late) = (GrantId::new(at(9), &mut rng), GrantId::new(at(10), &mut rng));
        assert!(early < late);
        assert_ne!(late, GrantId::new(at(10), &mut rng));
        assert_eq!(early.as_bytes()[..6], 9_000_u64.to_be_bytes()[2..]);
    }
}
