//! [`Tombstone`]: what is left of a tenant that was deleted.

use auth_store::{Main, Timestamp};
use serde::{Deserialize, Serialize};

use crate::record::{Kind, TypedKey, Unknown};

/// Says that a tenant was deleted, and when. It stays for ever, so that no process that still knows the
/// tenant, or is started with it again, writes anything for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tombstone {
    /// When the tenant was deleted.
    pub deleted_at: Timestamp,
    /// Members of later versions.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Tombstone {
    /// A tombstone.
    #[must_use]
    pub fn new(deleted_at: Timestamp) -> Self {
        Self { deleted_at, unknown: Unknown::default() }
    }

    /// Where the tombstone of a tenant stands.
    #[must_use]
    pub fn here() -> TypedKey<Self> {
        Self::key(&[])
    }
}

impl Kind for Tombstone {
    type Class = Main;
    const NAME: &'static str = "tombstone";

    fn keep_until(&self) -> Option<Timestamp> {
        None
    }
}
