//! [`Grant`]: what a person granted to a client at one sign-in.

use auth_core::record::{Kind, TypedKey, Unknown};
use auth_core::store::{IndexEntry, Main};
use auth_core::{ClientId, GrantId, Scopes, SessionId, Subject, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::Client;
use crate::deletion::ByRelation;
use crate::provider::Config;
use crate::token::code::AuthorizationCode;
use crate::token::requested_claims::RequestedClaims;

/// The parent of all tokens of one sign-in. Revoking it revokes them all without enumerating one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) client_id: ClientId,
    #[serde(flatten)]
    pub(crate) sign_in: SignIn,
    pub(crate) scope: Scopes,
    /// Resources that its access tokens are for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) audience: Vec<String>,
    /// Claims that were asked for one by one.
    #[serde(default, skip_serializing_if = "RequestedClaims::is_empty")]
    pub(crate) claims: RequestedClaims,
    /// Claims that the consent's answer added.
    #[serde(default, skip_serializing_if = "ExtraClaims::is_empty")]
    pub(crate) extra: ExtraClaims,
    /// The generations of client and subject that it was made in.
    pub(crate) generations: Generations,
    /// Nothing of it is good any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) revoked: bool,
    pub(crate) created_at: Timestamp,
    /// The end of its last token.
    pub(crate) keep_until: Timestamp,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

/// Who signed in, when and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SignIn {
    pub(crate) subject: Subject,
    /// The login session at which it happened.
    pub(crate) sid: SessionId,
    pub(crate) auth_time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) amr: Vec<String>,
}

/// Claims that the answer to the consent question added.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExtraClaims {
    #[serde(default)]
    pub(crate) id_token: Map<String, Value>,
    #[serde(default)]
    pub(crate) access_token: Map<String, Value>,
}

impl ExtraClaims {
    pub(crate) fn is_empty(&self) -> bool {
        self.id_token.is_empty() && self.access_token.is_empty()
    }
}

/// In which generation of its parents something was issued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generations {
    pub(crate) client: u64,
    pub(crate) subject: u64,
    #[serde(default)]
    pub(crate) consent: u64,
}

impl Grant {
    /// What a code stands for, as it is when the first token of it is issued.
    pub(crate) fn of(
        code: &AuthorizationCode,
        client: &Client,
        config: &Config,
        now: Timestamp,
    ) -> Self {
        Self {
            client_id: code.client_id.clone(),
            sign_in: code.sign_in.clone(),
            scope: code.scope.clone(),
            audience: code.audience.clone(),
            claims: code.claims.clone(),
            extra: code.extra.clone(),
            generations: code.generations,
            revoked: false,
            created_at: now,
            // The last token is issued at the end of the family, and lives on from there.
            keep_until: now
                .saturating_add(config.refresh.absolute_lifetime)
                .saturating_add(client.access_token_lifetime(config.tokens.access_token_lifetime)),
            unknown: Unknown::default(),
        }
    }

    pub(crate) fn at(id: &GrantId) -> TypedKey<Self> {
        Self::key(&[id.as_bytes()])
    }

    /// Whether it outlives the login session (OpenID Connect Core §11).
    pub(crate) fn is_offline(&self) -> bool {
        self.scope.contains("offline_access")
    }

    /// The session whose end ends its tokens; `None` with `offline_access`, so that nobody reads a session that
    /// does not matter.
    pub(crate) fn session(&self) -> Option<SessionId> {
        (!self.is_offline()).then_some(self.sign_in.sid)
    }
}

impl Kind for Grant {
    type Class = Main;
    const NAME: &'static str = "grant";

    fn index(&self) -> Vec<IndexEntry> {
        vec![
            ByRelation::GRANTS_OF_CLIENT.entry(self.client_id.as_str()),
            ByRelation::GRANTS_OF_SUBJECT.entry(self.sign_in.subject.as_str()),
        ]
    }

    fn keep_until(&self) -> Option<Timestamp> {
        Some(self.keep_until)
    }
}
