//! [`Shadow`]: our own record of whether somebody else's thing is still good.

use auth_store::{Main, TenantId, Timestamp};
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, TypedKey, Unknown};

/// The shadow of a client or subject: its generation, and whether it is revoked.
///
/// Accounts and clients may live outside of our store, so our commits cannot depend on them; they can
/// depend on this. It is absent as long as nothing was ever revoked. Raising the generation makes
/// every token of an earlier one worthless without enumerating any.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Shadow {
    /// Tokens carry the generation they were issued in and are good in that one only.
    pub generation: u64,
    /// Disabled or deleted.
    #[serde(default)]
    pub revoked: bool,
    /// Deleted, and a job is still removing what belonged to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
    /// Members of later versions.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Shadow {
    /// Whether something issued in `generation` is still good.
    #[must_use]
    pub fn admits(&self, generation: u64) -> bool {
        !self.revoked && self.generation == generation
    }

    /// The place of the shadow of the thing that `tag` names.
    #[must_use]
    pub fn at(tag: &Tag) -> TypedKey<Self> {
        Self::key(&[tag.as_bytes()])
    }
}

impl Kind for Shadow {
    type Class = Main;
    const NAME: &'static str = "shadow";

    fn keep_until(&self) -> Option<Timestamp> {
        None
    }
}

/// A short name, of 128 bits, for a client or subject of a tenant: fits into tokens and keys whatever
/// the length of the identifier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Tag([u8; 16]);

impl Tag {
    /// The tag of a client.
    #[must_use]
    pub fn client(tenant: TenantId, id: &str) -> Self {
        Self::of("client", tenant, id)
    }

    /// The tag of a subject.
    #[must_use]
    pub fn subject(tenant: TenantId, id: &str) -> Self {
        Self::of("subject", tenant, id)
    }

    fn of(label: &str, tenant: TenantId, id: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [label, tenant.as_str(), id] {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        let mut tag = [0; 16];
        tag.copy_from_slice(&context.finish().as_ref()[..16]);
        Self(tag)
    }

    /// A tag by its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}
