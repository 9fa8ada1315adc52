//! [`Class`]: which of two stores a record may live in.

/// What kind of durability a record needs; every kind of record has one class, and a batch holds one
/// class only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "two stores at most: a third class would break Tiered")]
pub enum Class {
    /// Must never be lost: codes, grants, tokens, sessions, flows, keys, the outbox, and markers of what may come
    /// once only, such as the `jti` of an assertion.
    Main,
    /// May be lost: rate counters, budgets, caches. Losing one gives a guesser some guesses more, or costs somebody a
    /// second try, and makes nothing good that was used or revoked.
    Side,
}

impl Class {
    /// The first byte of every key of this class.
    #[must_use]
    pub const fn tag(self) -> u8 {
        match self {
            Self::Main => b'm',
            Self::Side => b's',
        }
    }

    /// The class of a first byte.
    #[must_use]
    pub const fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            b'm' => Some(Self::Main),
            b's' => Some(Self::Side),
            _ => None,
        }
    }
}

/// A [`Class`] as a type, so that a batch of mixed classes does not compile.
pub trait ClassMarker: sealed::Sealed + Send + Sync + std::fmt::Debug + 'static {
    /// The class as a value.
    const CLASS: Class;
}

/// [`Class::Main`] as a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Main;

/// [`Class::Side`] as a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Side;

impl ClassMarker for Main {
    const CLASS: Class = Class::Main;
}

impl ClassMarker for Side {
    const CLASS: Class = Class::Side;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Main {}
    impl Sealed for super::Side {}
}
