//! What a grant gives out, each time anew: an access token, and an id token if `openid` was granted.

use auth_core::decision::{Cx, Facts, Need, Unavailable};
use auth_core::store::MainWrite;
use auth_core::{GrantId, Identity, Scopes, Secret};

use crate::client::Client;
use crate::grant::TokenResponse;
use crate::provider::Policy;
use crate::token::OutgoingToken;
use crate::token::access::AccessRequest;
use crate::token::grant::Grant;
use crate::token::id::{IdTokenRequest, Release};

/// The tokens of a grant at one moment.
pub(super) struct TokenSet<'a> {
    pub(super) policy: &'a Policy,
    pub(super) client: &'a Client,
    pub(super) grant_id: GrantId,
    pub(super) grant: &'a Grant,
    pub(super) identity: &'a Identity,
    /// At most the grant's.
    pub(super) scope: &'a Scopes,
    pub(super) audience: &'a [String],
    pub(super) nonce: Option<&'a str>,
    pub(super) refresh_token: Option<Secret>,
}

impl TokenSet<'_> {
    /// The answer, and what must be committed before it is given.
    pub(super) fn issue(
        self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<(TokenResponse, Option<MainWrite>), Need> {
        let with_id_token = self.scope.contains("openid");
        let access = AccessRequest {
            config: &self.policy.config,
            keys: &self.policy.keys,
            client: self.client,
            granted: Some((self.grant_id, self.grant, self.identity)),
            scope: self.scope,
            audience: self.audience,
            generations: self.grant.generations,
            at_once: with_id_token,
        }
        .issue(facts, cx)?;
        let id_token = match (with_id_token, &access.token) {
            (false, _) => None,
            (true, OutgoingToken::Whole(access_token)) => Some(
                IdTokenRequest {
                    config: &self.policy.config,
                    keys: &self.policy.keys,
                    client: self.client,
                    grant: self.grant,
                    scope: self.scope,
                    identity: self.identity,
                    nonce: self.nonce,
                    access_token: Some(access_token),
                    code: None,
                    release: Release::Nothing,
                }
                .issue(facts, cx)?,
            ),
            (true, OutgoingToken::SignedLater(_)) => {
                return Err(Unavailable::Defect("no access token to take at_hash of".into()).into());
            }
        };
        let response = TokenResponse {
            access_token: access.token,
            token_type: "Bearer",
            expires_in: access.expires_in.as_secs(),
            scope: self.scope.to_string(),
            refresh_token: self.refresh_token.map(OutgoingToken::Whole),
            id_token,
        };
        Ok((response, access.write))
    }
}
