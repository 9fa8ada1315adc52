//! Vocabulary and ports of the auth SDK.

mod page;

pub use page::*;
