//! The refresh token grant (RFC 6749 §6, RFC 9700 §4.14).

use std::sync::Arc;

use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::outbox::Event;
use auth_core::record::Found;
use auth_core::seal::{Artefact, Handle};
use auth_core::store::MainWrite;
use auth_core::{Scopes, Secret, Tenant};
use serde_json::json;

use crate::client::GrantType;
use crate::client::authenticate::{self, AuthenticatedClient};
use crate::explain::Explained;
use crate::grant::issue::TokenSet;
use crate::grant::{ClientRequest, TokenResponse};
use crate::refusal::{ErrorCode, Refusal};
use crate::stop::Stop;
use crate::token::claims::active_identity;
use crate::token::grant::Grant;
use crate::token::liveness;
use crate::token::refresh::{RefreshFamily, Standing};

/// Uses a refresh token.
#[derive(Debug)]
pub(crate) struct Refresh {
    request: Arc<ClientRequest>,
    handle: Option<Handle>,
    asks: Asks,
}

impl Refresh {
    pub(crate) fn new(tenant: &Tenant, request: Arc<ClientRequest>) -> Self {
        let token = request.form.get("refresh_token").unwrap_or_default();
        let handle = Handle::parse(&tenant.keys, Artefact::RefreshToken, tenant.id, token);
        let mut asks = authenticate::asks(&request.presented);
        if let Some(handle) = &handle {
            asks = asks.and(liveness::asks(&handle.lineage));
            if let Some(grant) = &handle.lineage.grant {
                asks = asks.read(&RefreshFamily::at(grant));
            }
        }
        Self { request, handle, asks }
    }

    fn refresh(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<TokenResponse, Refusal>, Stop<Refusal>> {
        let client = authenticate::authenticate(&self.request.presented, facts, cx)?;
        if !client.client().may_use(GrantType::RefreshToken) {
            let text = "the client is not registered for the refresh_token grant";
            return Err(Refusal::new(ErrorCode::UnauthorizedClient, text).into());
        }
        let token = Secret::new(self.request.required("refresh_token")?);
        let unknown = || {
            let refusal =
                Refusal::invalid_grant("the refresh token is unknown, expired or revoked");
            refusal.by_parameter("RFC 6749 §6", "refresh_token", &self.request.form)
        };
        let handle = self.handle.as_ref().ok_or_else(unknown)?;
        let grant_id = handle.lineage.grant.ok_or_else(unknown)?;
        let family = facts.read(&RefreshFamily::at(&grant_id))?.ok_or_else(unknown)?;
        let Some(grant) = liveness::live_grant(&handle.lineage, facts, cx.now)? else {
            return Err(unknown().into());
        };
        if grant.value.client_id != *client.id() {
            let event = "refresh_token_of_another_client";
            return Ok(kill(&grant, event, "the refresh token was issued to another client", cx)?);
        }
        if family.value.is_over(cx.now) {
            return Err(unknown().into());
        }
        let policy = &self.request.policy.config.refresh;
        let standing = family.value.standing(cx.tenant, &token, handle, policy.grace, cx.now);
        if let Standing::Reused = standing {
            let text = "the refresh token was used before; every token of its family is revoked";
            return Ok(kill(&grant, "refresh_token_reused", text, cx)?);
        }
        let scope = self.scope(&client, &grant.value)?;
        let audience = self.request.audience(&grant.value.audience, client.client())?;
        let Some(identity) = active_identity(&grant.value.sign_in.subject, facts)? else {
            let text = "the account is disabled or deleted";
            return Ok(kill(&grant, "refresh_for_inactive_account", text, cx)?);
        };
        let (successor, rotation) = match standing {
            Standing::Grace(successor) => (successor, None),
            _ => {
                let (successor, write) = rotate(&family, &self.request, &token, handle, cx)?;
                (successor, Some(write))
            }
        };
        let (response, access) = TokenSet {
            policy: &self.request.policy,
            client: client.client(),
            grant_id,
            grant: &grant.value,
            identity: &identity,
            scope: &scope,
            audience: &audience,
            nonce: None,
            refresh_token: Some(successor),
        }
        .issue(facts, cx)?;
        let writes: Vec<MainWrite> = rotation.into_iter().chain(access).collect();
        if writes.is_empty() {
            // A racer's JWT: nothing is stored of it, and its successor was committed by the winner.
            return Ok(Outcome::answer(response));
        }
        // The grant is checked, not only read: a revocation that comes first wins.
        let batch = cx.batch().write(grant.unchanged());
        let batch = writes.into_iter().fold(batch, auth_core::store::BatchBuilder::write);
        Ok(Outcome::commit(batch, Ok(response))?)
    }

    /// What is asked for, or all that was granted, as far as the client may still have it
    /// (RFC 6749 §6).
    fn scope(&self, client: &AuthenticatedClient, grant: &Grant) -> Result<Scopes, Refusal> {
        let still = grant.scope.intersection(&client.client().scope);
        let Some(asked) = self.request.form.get("scope") else { return Ok(still) };
        let refuse = |text: &str| {
            let refusal = Refusal::new(ErrorCode::InvalidScope, text);
            refusal.by_parameter("RFC 6749 §6", "scope", &self.request.form)
        };
        let asked = Scopes::parse(asked).map_err(|error| refuse(&error.to_string()))?;
        if !asked.is_subset(&still) {
            return Err(refuse("scope goes beyond what was granted"));
        }
        Ok(asked)
    }
}

fn rotate(
    family: &Found<RefreshFamily>,
    request: &ClientRequest,
    token: &Secret,
    handle: &Handle,
    cx: &mut Cx<'_>,
) -> Result<(Secret, MainWrite), Need> {
    let policy = &request.policy.config.refresh;
    let (successor, next) = family.value.rotate(policy, token, handle, cx);
    Ok((successor, family.replace(&next)?))
}

/// Revokes a grant because of what was done with one of its tokens.
fn kill(
    grant: &Found<Grant>,
    event: &'static str,
    text: &'static str,
    cx: &mut Cx<'_>,
) -> Result<Outcome<TokenResponse, Refusal>, Need> {
    let value = &grant.value;
    let detail = json!({"client_id": value.client_id, "subject": value.sign_in.subject});
    let now = cx.now;
    let event = Event::new(event, detail).write(&mut cx.rng, now);
    let batch = cx.batch().write(liveness::revoke(grant)?).write(event);
    Outcome::commit(batch, Err(Refusal::invalid_grant(text).by("RFC 6749 §10.4, RFC 9700 §4.14.2")))
}

impl Decision for Refresh {
    type Answer = TokenResponse;
    type Refusal = Refusal;

    fn prefetch(&self) -> Asks {
        self.asks.clone()
    }

    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<TokenResponse, Refusal>, Need> {
        self.refresh(facts, cx).or_else(Stop::outcome)
    }
}
