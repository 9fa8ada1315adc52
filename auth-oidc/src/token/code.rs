//! [`AuthorizationCode`]: what is stored of an authorization code (RFC 6749 §4.1.2).

use std::time::Duration;

use auth_core::record::{Kind, TypedKey, Unknown};
use auth_core::seal::HandleDigest;
use auth_core::store::{IndexEntry, Main};
use auth_core::{ClientId, Scopes, Timestamp};
use serde::{Deserialize, Serialize};

use crate::deletion::ByRelation;
use crate::token::grant::{ExtraClaims, Generations, SignIn};
use crate::token::requested_claims::RequestedClaims;

/// A code and everything that its redemption is checked against. Its grant's id is chosen with it, so
/// that a second redemption finds what the first one issued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AuthorizationCode {
    pub(crate) client_id: ClientId,
    /// As it was sent, byte for byte.
    pub(crate) redirect_uri: String,
    /// S256 (RFC 7636 §4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code_challenge: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
    /// What was granted.
    pub(crate) scope: Scopes,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) audience: Vec<String>,
    /// Claims that were asked for one by one, and granted.
    #[serde(default, skip_serializing_if = "RequestedClaims::is_empty")]
    pub(crate) claims: RequestedClaims,
    #[serde(flatten)]
    pub(crate) sign_in: SignIn,
    #[serde(default, skip_serializing_if = "ExtraClaims::is_empty")]
    pub(crate) extra: ExtraClaims,
    pub(crate) generations: Generations,
    pub(crate) expires_at: Timestamp,
    /// Redeemed, or burnt by an attempt that failed: in either case it is worth nothing any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) used: bool,
    /// Its grant is there already: an access token came with the code.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) granted: bool,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl AuthorizationCode {
    /// For how long a used or expired code is remembered, so that a replay is known as one.
    const RETENTION: Duration = Duration::from_secs(86_400);

    pub(crate) fn at(digest: &HandleDigest) -> TypedKey<Self> {
        Self::key(&[digest.as_bytes()])
    }
}

impl Kind for AuthorizationCode {
    type Class = Main;
    const NAME: &'static str = "authorization_code";

    fn index(&self) -> Vec<IndexEntry> {
        vec![
            ByRelation::CODES_OF_CLIENT.entry(self.client_id.as_str()),
            ByRelation::CODES_OF_SUBJECT.entry(self.sign_in.subject.as_str()),
        ]
    }

    fn keep_until(&self) -> Option<Timestamp> {
        Some(self.expires_at.saturating_add(Self::RETENTION))
    }
}
