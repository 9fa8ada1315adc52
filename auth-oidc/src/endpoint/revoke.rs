//! Revocation (RFC 7009).

use std::convert::identity;
use std::sync::Arc;

use auth_core::Tenant;
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::http::{Request, Response, empty};
use auth_core::seal::Handle;
use auth_core::store::{MainWrite, When};
use http::StatusCode;

use crate::client::Client;
use crate::client::authenticate;
use crate::endpoint::back_channel::BackChannel;
use crate::grant::ClientRequest;
use crate::provider::Provider;
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::token::access::{AccessToken, RevokedToken};
use crate::token::grant::Grant;
use crate::token::liveness;
use crate::token::presented::{PresentedAccess, PresentedToken};

pub(super) async fn answer(provider: &Provider, request: &Request) -> Response {
    let channel = match BackChannel::open(provider, request, identity).await {
        Ok(channel) => channel,
        Err(response) => return response,
    };
    let revoke = Revoke::new(provider.tenant(), channel.request());
    let decided = channel.decide(&revoke).await;
    decided.map_or_else(|response| response, |()| empty(StatusCode::OK))
}

/// Revokes a token of the client: an access token alone, a refresh token with all of its grant. A token
/// that is unknown, or another client's, is left as it is and answered alike (§2.2).
#[derive(Debug)]
struct Revoke {
    request: Arc<ClientRequest>,
    token: Option<PresentedToken>,
    asks: Asks,
}

impl Revoke {
    fn new(tenant: &Tenant, request: Arc<ClientRequest>) -> Self {
        let text = request.form.get("token").unwrap_or_default();
        let token = PresentedToken::parse(text, &request.policy.keys, tenant);
        let asks = authenticate::asks(&request.presented);
        let asks = token.iter().fold(asks, |asks, token| asks.and(token.asks()));
        Self { request, token, asks }
    }

    fn revoke(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Option<MainWrite>, Stop<Refusal>> {
        let client = authenticate::authenticate(&self.request.presented, facts, cx)?;
        if self.request.form.get("token").is_none() {
            return Err(Refusal::invalid_request("the parameter 'token' is missing").into());
        }
        Ok(match &self.token {
            None => None,
            Some(PresentedToken::Refresh(handle)) => revoke_grant(handle, client.client(), facts)?,
            Some(PresentedToken::Access(PresentedAccess::Opaque(handle))) => {
                let record = facts.read(&AccessToken::at(&handle.digest))?;
                let ours = record.filter(|r| r.value.client_id == *client.id() && !r.value.revoked);
                let revoked = |value: &AccessToken| AccessToken { revoked: true, ..value.clone() };
                ours.map(|record| record.replace(&revoked(&record.value))).transpose()?
            }
            Some(PresentedToken::Access(PresentedAccess::Jwt(jwt))) => {
                let ours = jwt.token.client_id == *client.id();
                let mark = RevokedToken { expires_at: jwt.token.expires_at };
                ours.then(|| RevokedToken::at(&jwt.jti).put(&mark, When::Any))
            }
        })
    }
}

fn revoke_grant(
    handle: &Handle,
    client: &Client,
    facts: &Facts,
) -> Result<Option<MainWrite>, Need> {
    let Some(id) = &handle.lineage.grant else { return Ok(None) };
    let grant = facts.read(&Grant::at(id))?;
    let ours = grant.filter(|g| g.value.client_id == client.client_id && !g.value.revoked);
    ours.map(|grant| liveness::revoke(&grant)).transpose()
}

impl Decision for Revoke {
    type Answer = ();
    type Refusal = Refusal;

    fn prefetch(&self) -> Asks {
        self.asks.clone()
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<(), Refusal>, Need> {
        match self.revoke(facts, cx) {
            Ok(Some(write)) => Outcome::commit(cx.batch().write(write), Ok(())),
            Ok(None) => Ok(Outcome::answer(())),
            Err(stop) => stop.outcome(),
        }
    }
}
