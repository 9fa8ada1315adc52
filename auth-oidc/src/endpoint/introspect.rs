//! Introspection (RFC 7662).

use auth_core::Tenant;
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::http::{Form, Request, Response, json};
use auth_core::seal::{Artefact, Handle};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::client::authenticate::{self, Presented};
use crate::client::{Client, ClientRecord};
use crate::endpoint::answer::{body, refusal, unavailable};
use crate::provider::{Policy, Provider};
use crate::refusal::{ErrorCode, Refusal};
use crate::stop::Stop;
use crate::token::liveness;
use crate::token::presented::{LiveAccess, PresentedAccess};
use crate::token::refresh::{RefreshFamily, Standing};

pub(super) async fn answer(provider: &Provider, request: Request) -> Response {
    let form = match body(&request) {
        Ok(form) => form,
        Err(response) => return response,
    };
    // Without credentials a caller learns nothing, not even what is wrong (RFC 7662 §2.1).
    let presented = match Presented::read(request.headers(), &form) {
        Ok(presented) => presented,
        Err(error) => {
            return refusal(&Refusal { error: ErrorCode::InvalidClient, basic: true, ..error });
        }
    };
    let source = provider.source(&request);
    if let Err(error) = provider.admit(&presented, &source) {
        return refusal(&error);
    }
    let policy = match provider.policy().await {
        Ok(policy) => policy,
        Err(cause) => return unavailable(&cause),
    };
    let introspect = Introspect::new(provider.tenant(), policy, presented.clone(), form);
    match provider.driver().run(provider.tenant(), &introspect).await {
        Err(cause) => unavailable(&cause),
        Ok(Err(error)) => {
            provider.count_failure(&presented, &source, &error);
            refusal(&error)
        }
        Ok(Ok(claims)) => json(StatusCode::OK, &claims),
    }
}

/// Says what a token is good for, in one round trip.
#[derive(Debug)]
struct Introspect {
    policy: Policy,
    presented: Presented,
    form: Form,
    token: Option<Token>,
    asks: Asks,
}

/// A token of ours, by its form.
#[derive(Debug)]
enum Token {
    Access(PresentedAccess),
    Refresh(Handle),
}

impl Introspect {
    fn new(tenant: &Tenant, policy: Policy, presented: Presented, form: Form) -> Self {
        let text = form.get("token").unwrap_or_default();
        // The prefix tells what it is; token_type_hint cannot make it anything else (RFC 7662 §2.1).
        let refresh = Handle::parse(&tenant.keys, Artefact::RefreshToken, tenant.id, text);
        let token = refresh
            .map(Token::Refresh)
            .or_else(|| PresentedAccess::parse(text, &policy.keys, tenant).map(Token::Access));
        let asks = authenticate::asks(&presented);
        let asks = match &token {
            None => asks,
            Some(Token::Access(access)) => asks.and(access.asks()),
            Some(Token::Refresh(handle)) => {
                let asks = asks.and(liveness::asks(&handle.lineage));
                match &handle.lineage.grant {
                    Some(grant) => asks.read(&RefreshFamily::at(grant)),
                    None => asks,
                }
            }
        };
        Self { policy, presented, form, token, asks }
    }

    fn introspect(&self, facts: &Facts, cx: &Cx<'_>) -> Result<Map<String, Value>, Stop<Refusal>> {
        let caller = authenticate::authenticate(&self.presented, facts, cx)?;
        let caller = caller.client();
        if caller.is_public() {
            let text = "a public client cannot introspect tokens";
            return Err(Refusal::new(ErrorCode::InvalidClient, text).into());
        }
        if self.form.get("token").is_none() {
            return Err(Refusal::invalid_request("the parameter 'token' is missing").into());
        }
        let live = match &self.token {
            None => None,
            Some(Token::Access(access)) => {
                access.live(facts, cx.now)?.map(|live| (live, "access_token"))
            }
            Some(Token::Refresh(handle)) => {
                self.live_refresh(handle, facts, cx)?.map(|live| (live, "refresh_token"))
            }
        };
        if live.as_ref().is_some_and(|(live, token_use)| !may_see(caller, live, token_use)) {
            // A client that is a moment old justifies no no.
            facts.require(Asks::none().read(&ClientRecord::at(&caller.client_id)))?;
        }
        let visible = live.filter(|(live, token_use)| may_see(caller, live, token_use));
        Ok(match visible {
            Some((live, token_use)) => active(&live, token_use, cx.tenant),
            None => Map::from_iter([("active".to_owned(), json!(false))]),
        })
    }

    fn live_refresh(
        &self,
        handle: &Handle,
        facts: &Facts,
        cx: &Cx<'_>,
    ) -> Result<Option<LiveAccess>, Need> {
        let Some(grant_id) = &handle.lineage.grant else { return Ok(None) };
        let Some(family) = facts.read(&RefreshFamily::at(grant_id))? else { return Ok(None) };
        let Some(grant) = liveness::live_grant(&handle.lineage, facts, cx.now)? else {
            return Ok(None);
        };
        let token = auth_core::Secret::new(self.form.get("token").unwrap_or_default());
        let grace = self.policy.config.refresh.grace;
        let standing = family.value.standing(cx.tenant, &token, handle, grace, cx.now);
        if family.value.is_over(cx.now) || !matches!(standing, Standing::Head) {
            return Ok(None);
        }
        let grant = &grant.value;
        Ok(Some(LiveAccess {
            client_id: grant.client_id.clone(),
            subject: Some(grant.sign_in.subject.clone()),
            scope: grant.scope.clone(),
            audience: grant.audience.clone(),
            issued_at: grant.created_at,
            expires_at: family.value.idle_until,
            claims: Map::new(),
        }))
    }
}

/// A client sees its own tokens, and access tokens that are for it; a resource server sees all.
fn may_see(caller: &Client, live: &LiveAccess, token_use: &str) -> bool {
    let id = caller.client_id.as_str();
    caller.introspect_any
        || caller.client_id == live.client_id
        || token_use == "access_token" && live.audience.iter().any(|audience| audience == id)
}

/// RFC 7662 §2.2.
fn active(live: &LiveAccess, token_use: &str, tenant: &Tenant) -> Map<String, Value> {
    let mut claims = live.claims.clone();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("active", json!(true));
    put("client_id", json!(live.client_id));
    // A client that acts for itself is its own subject (RFC 9068 §2.2).
    let own = || live.client_id.as_str();
    put("sub", json!(live.subject.as_ref().map_or_else(own, |subject| subject.as_str())));
    put("scope", json!(live.scope));
    put("aud", json!(live.audience));
    put("iss", json!(tenant.issuer.as_str()));
    put("iat", json!(live.issued_at.as_secs()));
    put("exp", json!(live.expires_at.as_secs()));
    put("token_use", json!(token_use));
    if token_use == "access_token" {
        // A refresh token is nothing to be presented at an API.
        put("token_type", json!("Bearer"));
    }
    claims
}

impl Decision for Introspect {
    type Answer = Map<String, Value>;
    type Refusal = Refusal;

    fn prefetch(&self) -> Asks {
        self.asks.clone()
    }

    fn decide(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<Map<String, Value>, Refusal>, Need> {
        self.introspect(facts, cx).map(Outcome::answer).or_else(Stop::outcome)
    }
}
