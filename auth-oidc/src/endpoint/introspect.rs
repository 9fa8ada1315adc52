//! Introspection (RFC 7662).

use auth_core::Tenant;
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::http::{Request, Response, json};
use auth_core::seal::Handle;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::client::authenticate;
use crate::client::{Client, ClientRecord};
use crate::endpoint::back_channel::BackChannel;
use crate::grant::ClientRequest;
use crate::provider::Provider;
use crate::refusal::{ErrorCode, Refusal};
use crate::stop::Stop;
use crate::token::liveness;
use crate::token::presented::{LiveAccess, PresentedToken};
use crate::token::refresh::{RefreshFamily, Standing};

pub(super) async fn answer(provider: &Provider, request: Request) -> Response {
    // Without credentials a caller learns nothing, not even what is wrong (RFC 7662 §2.1).
    let malformed = |error| Refusal { error: ErrorCode::InvalidClient, basic: true, ..error };
    let channel = match BackChannel::open(provider, &request, malformed).await {
        Ok(channel) => channel,
        Err(response) => return response,
    };
    let introspect = Introspect::new(provider.tenant(), channel.request());
    let decided = channel.decide(&introspect).await;
    decided.map_or_else(|response| response, |claims| json(StatusCode::OK, &claims))
}

/// Says what a token is good for, in one round trip.
#[derive(Debug)]
struct Introspect {
    request: ClientRequest,
    token: Option<PresentedToken>,
    asks: Asks,
}

impl Introspect {
    fn new(tenant: &Tenant, request: ClientRequest) -> Self {
        let text = request.form.get("token").unwrap_or_default();
        let token = PresentedToken::parse(text, &request.policy.keys, tenant);
        let asks = authenticate::asks(&request.presented);
        let asks = token.iter().fold(asks, |asks, token| asks.and(token.asks()));
        Self { request, token, asks }
    }

    fn introspect(&self, facts: &Facts, cx: &Cx<'_>) -> Result<Map<String, Value>, Stop<Refusal>> {
        let caller = authenticate::authenticate(&self.request.presented, facts, cx)?;
        let caller = caller.client();
        if caller.is_public() {
            let text = "a public client cannot introspect tokens";
            return Err(Refusal::new(ErrorCode::InvalidClient, text).into());
        }
        if self.request.form.get("token").is_none() {
            return Err(Refusal::invalid_request("the parameter 'token' is missing").into());
        }
        let live = match &self.token {
            None => None,
            Some(PresentedToken::Access(access)) => {
                access.live(facts, cx.now)?.map(|live| (live, "access_token"))
            }
            Some(PresentedToken::Refresh(handle)) => {
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
        let token = auth_core::Secret::new(self.request.form.get("token").unwrap_or_default());
        let grace = self.request.policy.config.refresh.grace;
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
