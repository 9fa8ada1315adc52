//! Revocation (RFC 7009).

use auth_core::Tenant;
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::http::{Form, Request, Response, empty};
use auth_core::seal::{Artefact, Handle};
use auth_core::store::{When, Write};
use http::StatusCode;

use crate::client::Client;
use crate::client::authenticate::{self, Presented};
use crate::endpoint::answer::{body, refusal, unavailable};
use crate::provider::{Policy, Provider};
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::token::access::{AccessToken, RevokedToken};
use crate::token::grant::Grant;
use crate::token::liveness;
use crate::token::presented::PresentedAccess;

pub(super) async fn answer(provider: &Provider, request: Request) -> Response {
    let form = match body(&request) {
        Ok(form) => form,
        Err(response) => return response,
    };
    let presented = match Presented::read(request.headers(), &form) {
        Ok(presented) => presented,
        Err(error) => return refusal(&error),
    };
    let source = provider.source(&request);
    if let Err(error) = provider.admit(&presented, &source) {
        return refusal(&error);
    }
    let policy = match provider.policy().await {
        Ok(policy) => policy,
        Err(cause) => return unavailable(&cause),
    };
    let revoke = Revoke::new(provider.tenant(), &policy, presented.clone(), form);
    match provider.driver().run(provider.tenant(), &revoke).await {
        Err(cause) => unavailable(&cause),
        Ok(Err(error)) => {
            provider.count_failure(&presented, &source, &error);
            refusal(&error)
        }
        Ok(Ok(())) => empty(StatusCode::OK),
    }
}

/// Revokes a token of the client: an access token alone, a refresh token with all of its grant. A token
/// that is unknown, or another client's, is left as it is and answered alike (§2.2).
#[derive(Debug)]
struct Revoke {
    presented: Presented,
    form: Form,
    token: Option<Token>,
    asks: Asks,
}

#[derive(Debug)]
enum Token {
    Access(PresentedAccess),
    Refresh(Handle),
}

impl Revoke {
    fn new(tenant: &Tenant, policy: &Policy, presented: Presented, form: Form) -> Self {
        let text = form.get("token").unwrap_or_default();
        let refresh = Handle::parse(&tenant.keys, Artefact::RefreshToken, tenant.id, text);
        let token = refresh
            .map(Token::Refresh)
            .or_else(|| PresentedAccess::parse(text, &policy.keys, tenant).map(Token::Access));
        let asks = authenticate::asks(&presented);
        let asks = match &token {
            None => asks,
            Some(Token::Access(access)) => asks.and(access.asks()),
            Some(Token::Refresh(handle)) => asks.and(liveness::asks(&handle.lineage)),
        };
        Self { presented, form, token, asks }
    }

    fn revoke(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Option<Write>, Stop<Refusal>> {
        let client = authenticate::authenticate(&self.presented, facts, cx)?;
        if self.form.get("token").is_none() {
            return Err(Refusal::invalid_request("the parameter 'token' is missing").into());
        }
        Ok(match &self.token {
            None => None,
            Some(Token::Refresh(handle)) => revoke_grant(handle, client.client(), facts)?,
            Some(Token::Access(PresentedAccess::Opaque(handle))) => {
                let record = facts.read(&AccessToken::at(&handle.digest))?;
                let ours = record.filter(|r| r.value.client_id == *client.id() && !r.value.revoked);
                let revoked = |value: &AccessToken| AccessToken { revoked: true, ..value.clone() };
                ours.map(|record| record.replace(&revoked(&record.value))).transpose()?
            }
            Some(Token::Access(PresentedAccess::Jwt(jwt))) => {
                let ours = jwt.token.client_id == *client.id();
                let mark = RevokedToken { expires_at: jwt.token.expires_at };
                ours.then(|| RevokedToken::at(&jwt.jti).put(&mark, When::Any))
            }
        })
    }
}

fn revoke_grant(handle: &Handle, client: &Client, facts: &Facts) -> Result<Option<Write>, Need> {
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
