//! The authorization code grant (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9700 §2.1.1).

use std::sync::Arc;

use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::outbox::Event;
use auth_core::record::Found;
use auth_core::seal::{Artefact, Handle};
use auth_core::{Secret, Tenant};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::client::authenticate::{self, AuthenticatedClient};
use crate::client::{GrantType, redirect_uri};
use crate::explain::Explained;
use crate::grant::issue::TokenSet;
use crate::grant::{ClientRequest, TokenResponse};
use crate::refusal::{ErrorCode, Refusal};
use crate::stop::Stop;
use crate::token::claims::active_identity;
use crate::token::code::AuthorizationCode;
use crate::token::grant::Grant;
use crate::token::liveness;
use crate::token::refresh::RefreshFamily;

/// Redeems an authorization code, once.
#[derive(Debug)]
pub(crate) struct RedeemCode {
    request: Arc<ClientRequest>,
    handle: Option<Handle>,
    asks: Asks,
}

impl RedeemCode {
    pub(crate) fn new(tenant: &Tenant, request: Arc<ClientRequest>) -> Self {
        let code = request.form.get("code").unwrap_or_default();
        let handle = Handle::parse(&tenant.keys, Artefact::AuthorizationCode, tenant.id, code);
        let mut asks = authenticate::asks(&request.presented);
        if let Some(handle) = &handle {
            asks = asks
                .read(&AuthorizationCode::at(&handle.digest))
                .and(liveness::asks(&handle.lineage));
        }
        Self { request, handle, asks }
    }

    fn redeem(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<TokenResponse, Refusal>, Stop<Refusal>> {
        let client = authenticate::authenticate(&self.request.presented, facts, cx)?;
        if !client.client().may_use(GrantType::AuthorizationCode) {
            let text = "the client is not registered for the authorization_code grant";
            return Err(Refusal::new(ErrorCode::UnauthorizedClient, text).into());
        }
        self.request.required("code")?;
        let unknown = || {
            let refusal = Refusal::invalid_grant("the code is unknown, expired or was used");
            refusal.by_parameter("RFC 6749 §4.1.2", "code", &self.request.form)
        };
        let handle = self.handle.as_ref().ok_or_else(unknown)?;
        let code = facts.read(&AuthorizationCode::at(&handle.digest))?.ok_or_else(unknown)?;
        if code.value.used {
            return Ok(self.replayed(handle, &code, facts, cx)?);
        }
        if cx.now >= code.value.expires_at {
            return Err(unknown().into());
        }
        if let Err(refusal) = self.check_holder(&client, &code.value) {
            return Ok(burn(handle, &code, "authorization_code_burnt", refusal, facts, cx)?);
        }
        if let Err(refusal) = self.check_pkce(&code.value) {
            return Ok(burn(handle, &code, "pkce_mismatch", refusal, facts, cx)?);
        }
        let issued_in = code.value.generations;
        if !liveness::generations_admit(&handle.lineage, issued_in, facts)?
            || !liveness::session_is_open(&handle.lineage, facts, cx.now)?
        {
            return Err(Refusal::invalid_grant("the sign-in that the code is for is over").into());
        }
        let Some(identity) = active_identity(&code.value.sign_in.subject, facts)? else {
            return Err(Refusal::invalid_grant("the account is disabled or deleted").into());
        };
        let Some(grant_id) = handle.lineage.grant else { return Err(unknown().into()) };
        let begun = self.begun(handle, &code.value, facts, cx)?;
        let config = &self.request.policy.config;
        let grant = Grant::of(&code.value, client.client(), config, cx.now);
        let audience = self.request.audience(&grant.audience, client.client())?;
        let refresh = self.begin_family(&client, &grant, handle, cx);
        let (refresh_token, family) = refresh.unzip();
        let (response, access) = TokenSet {
            policy: &self.request.policy,
            client: client.client(),
            grant_id,
            grant: &grant,
            identity: &identity,
            scope: &grant.scope,
            audience: &audience,
            nonce: code.value.nonce.as_deref(),
            refresh_token,
        }
        .issue(facts, cx)?;
        let grant = match begun {
            // Checked, not only read: a revocation that comes first wins.
            Some(begun) => begun.unchanged(),
            None => Grant::at(&grant_id).create(&grant),
        };
        let mut batch = cx.batch().write(used(&code)?).write(grant);
        if let Some(family) = family {
            batch.push(RefreshFamily::at(&grant_id).create(&family));
        }
        batch = access.into_iter().fold(batch, auth_core::store::BatchBuilder::write);
        Ok(Outcome::commit(batch, Ok(response))?)
    }

    /// What the redeemer must show first: that it is the client, and where the answer went. A failure
    /// burns the code, since whoever failed holds somebody else's.
    fn check_holder(
        &self,
        client: &AuthenticatedClient,
        code: &AuthorizationCode,
    ) -> Result<(), Refusal> {
        let refuse = |reason| {
            let refusal = Refusal::invalid_grant(reason);
            Err(refusal.by_parameter("RFC 6749 §4.1.3", "redirect_uri", &self.request.form))
        };
        if code.client_id != *client.id() {
            let reason = "the code was issued to another client";
            return Err(Refusal::invalid_grant(reason).by("RFC 6749 §4.1.3"));
        }
        if self.request.form.get("redirect_uri") != Some(code.redirect_uri.as_str()) {
            return refuse("redirect_uri differs from the one of the authorization request");
        }
        let mut registered = client.client().redirect_uris.iter();
        if !registered.any(|uri| redirect_uri::matches(uri, &code.redirect_uri)) {
            return refuse("redirect_uri is not registered any more");
        }
        Ok(())
    }

    /// And then the verifier of the challenge; a failure burns the code as well.
    fn check_pkce(&self, code: &AuthorizationCode) -> Result<(), Refusal> {
        let checked = match (&code.code_challenge, self.request.form.get("code_verifier")) {
            (Some(challenge), Some(verifier)) => check_verifier(challenge, verifier),
            (Some(_), None) => Err("code_verifier is missing"),
            (None, _) if self.request.form.contains("code_verifier") => {
                Err("code_verifier was sent, but the authorization request had no code_challenge")
            }
            (None, _) => Ok(()),
        };
        checked.map_err(|reason| {
            let refusal = Refusal::invalid_grant(reason);
            refusal.by_parameter("RFC 7636 §4.6", "code_verifier", &self.request.form)
        })
    }

    /// The grant, if an access token that came with the code began it; that one may have been revoked.
    fn begun(
        &self,
        handle: &Handle,
        code: &AuthorizationCode,
        facts: &Facts,
        cx: &Cx<'_>,
    ) -> Result<Option<Arc<Found<Grant>>>, Stop<Refusal>> {
        if !code.granted {
            return Ok(None);
        }
        let over = || Refusal::invalid_grant("the grant that the code belongs to is over");
        Ok(Some(liveness::live_grant(&handle.lineage, facts, cx.now)?.ok_or_else(over)?))
    }

    fn begin_family(
        &self,
        client: &AuthenticatedClient,
        grant: &Grant,
        handle: &Handle,
        cx: &mut Cx<'_>,
    ) -> Option<(Secret, RefreshFamily)> {
        let policy = &self.request.policy.config.refresh;
        let wanted = grant.is_offline() || policy.session_bound;
        let mut lineage = handle.lineage;
        lineage.session = grant.session();
        (wanted && client.client().may_use(GrantType::RefreshToken))
            .then(|| RefreshFamily::begin(policy, lineage, cx))
    }

    /// A code came twice: somebody has a copy, so what the first one issued is revoked, too
    /// (RFC 6749 §4.1.2).
    fn replayed(
        &self,
        handle: &Handle,
        code: &Found<AuthorizationCode>,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<TokenResponse, Refusal>, Need> {
        let refusal = Refusal::invalid_grant("the code was used before");
        let grant = match &handle.lineage.grant {
            Some(id) => facts.read(&Grant::at(id))?,
            None => None,
        };
        let Some(grant) = grant.filter(|grant| !grant.value.revoked) else {
            return Ok(Outcome::refuse(refusal));
        };
        let client = &code.value.client_id;
        let event = Event::new("authorization_code_reused", json!({"client_id": client}));
        let now = cx.now;
        let event = event.write(&mut cx.rng, now);
        let batch = cx.batch().write(liveness::revoke(&grant)?).write(event);
        Outcome::commit(batch, Err(refusal))
    }
}

/// RFC 7636 §4.1, §4.6.
fn check_verifier(challenge: &str, verifier: &str) -> Result<(), &'static str> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return Err("code_verifier is not 43 to 128 characters of A-Z a-z 0-9 - . _ ~");
    }
    let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
    let expected = URL_SAFE_NO_PAD.encode(digest);
    if !bool::from(expected.as_bytes().ct_eq(challenge.as_bytes())) {
        return Err("code_verifier does not fit the code_challenge");
    }
    Ok(())
}

fn used(code: &Found<AuthorizationCode>) -> Result<auth_core::store::MainWrite, Need> {
    Ok(code.replace(&AuthorizationCode { used: true, ..code.value.clone() })?)
}

/// Whoever failed may hold the access token that came with the code, too.
fn burn(
    handle: &Handle,
    code: &Found<AuthorizationCode>,
    event: &'static str,
    refusal: Refusal,
    facts: &Facts,
    cx: &mut Cx<'_>,
) -> Result<Outcome<TokenResponse, Refusal>, Need> {
    let detail = json!({"client_id": code.value.client_id, "reason": refusal.description});
    let now = cx.now;
    let event = Event::new(event, detail).write(&mut cx.rng, now);
    let begun = match handle.lineage.grant.filter(|_| code.value.granted) {
        Some(id) => facts.read(&Grant::at(&id))?.filter(|grant| !grant.value.revoked),
        None => None,
    };
    let mut batch = cx.batch().write(used(code)?).write(event);
    if let Some(grant) = begun {
        batch.push(liveness::revoke(&grant)?);
    }
    Outcome::commit(batch, Err(refusal))
}

impl Decision for RedeemCode {
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
        self.redeem(facts, cx).or_else(Stop::outcome)
    }
}
