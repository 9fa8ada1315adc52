//! The test kit of the auth SDK: for its own suite and for yours.
//!
//! - [`store`]: the suite of the storage contract, which every backend must pass, with stores that count,
//!   fail and break.
//! - [`TestClock`] and [`SeededEntropy`]: time and randomness in a test's hand.
//! - [`Browser`]: keeps cookies and shows every redirect.
//! - [`RelyingParty`]: signs somebody in at your provider and brings tokens back.

mod browser;
mod clock;
mod entropy;
mod relying_party;
pub mod store;

pub use browser::{Browser, Reply};
pub use clock::TestClock;
pub use entropy::SeededEntropy;
pub use relying_party::{RelyingParty, WalkFailed};

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
