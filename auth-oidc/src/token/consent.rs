//! [`Consent`]: what a person lets a client have, remembered.

use auth_core::record::{Kind, Tag, TypedKey, Unknown};
use auth_core::store::{IndexEntry, Main};
use auth_core::{ClientId, Scopes, Subject, Timestamp};
use serde::{Deserialize, Serialize};

use crate::deletion::ByRelation;

/// The answer of one person about one client. There is one record for the two, and it is absent as long
/// as nothing was remembered or revoked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Consent {
    pub(crate) subject: Subject,
    pub(crate) client_id: ClientId,
    /// What need not be asked again.
    pub(crate) scope: Scopes,
    /// For which resources (RFC 8707).
    #[serde(default)]
    pub(crate) audience: Vec<String>,
    /// Until when; `None` for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
    /// Grows when the consent is revoked: grants of an earlier generation are worthless.
    #[serde(default)]
    pub(crate) generation: u64,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl Consent {
    pub(crate) fn at(subject: &Tag, client: &Tag) -> TypedKey<Self> {
        Self::key(&[subject.as_bytes(), client.as_bytes()])
    }

    /// Whether all of `scope` at all of `audience` was consented to and still is.
    pub(crate) fn covers(&self, scope: &Scopes, audience: &[String], now: Timestamp) -> bool {
        scope.is_subset(&self.scope)
            && audience.iter().all(|resource| self.audience.contains(resource))
            && self.expires_at.is_none_or(|until| now < until)
    }
}

impl Kind for Consent {
    type Class = Main;
    const NAME: &'static str = "consent";

    /// The subject's are found by their key.
    fn index(&self) -> Vec<IndexEntry> {
        vec![ByRelation::CONSENTS_OF_CLIENT.entry(self.client_id.as_str())]
    }

    fn keep_until(&self) -> Option<Timestamp> {
        None
    }
}
