//! Typed records: what stands between an engine's values and the bytes of a store.

mod kind;
mod shadow;

pub use kind::{DamagedRecord, Found, Kind, NewerSchema, TypedKey, Unknown};
pub use shadow::{Shadow, Tag};
