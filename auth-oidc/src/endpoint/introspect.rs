//! Introspection (RFC 7662).

use std::sync::Arc;

use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome, Unavailable};
use auth_core::http::{Request, Response, json, jwt};
use auth_core::seal::Handle;
use auth_core::{Issuer, Subject, Tenant};
use http::StatusCode;
use http::header::ACCEPT;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, json};

use crate::client::authenticate;
use crate::client::encryption::encrypt;
use crate::client::{Client, ClientRecord};
use crate::endpoint::back_channel::BackChannel;
use crate::grant::ClientRequest;
use crate::provider::Provider;
use crate::refusal::{ErrorCode, Refusal};
use crate::stop::Stop;
use crate::token::liveness;
use crate::token::presented::{LiveAccess, PresentedToken};
use crate::token::refresh::{RefreshFamily, Standing};
use crate::token::requested_claims::RequestedClaims;
use crate::token::{OutgoingToken, sign, sign_later};

pub(super) async fn answer(provider: &Provider, request: &Request) -> Response {
    // Without credentials a caller learns nothing, not even what is wrong (RFC 7662 §2.1).
    let malformed = |error| Refusal { error: ErrorCode::InvalidClient, basic: true, ..error };
    let channel = match BackChannel::open(provider, request, malformed).await {
        Ok(channel) => channel,
        Err(response) => return response,
    };
    let accepted = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let signed = accepted.flat_map(|value| value.split(',')).any(asks_for_a_jwt);
    let introspect = Introspect::new(provider.tenant(), channel.request(), signed);
    let issuer = &provider.tenant().issuer;
    match channel.decide(&introspect).await {
        Ok(Said::Plain(active)) => {
            json(StatusCode::OK, &Introspection { active: active.as_ref(), issuer })
        }
        Ok(Said::Jwt(answer)) => jwt(MEDIA_TYPE, answer.text()),
        Err(response) => response,
    }
}

/// What a caller asks for that wants a signed answer (RFC 9701 §4), and the type of it.
const MEDIA_TYPE: &str = "application/token-introspection+jwt";
const TYP: &str = "token-introspection+jwt";

/// Of one type of an `Accept` header (RFC 9110 §12.5.1).
fn asks_for_a_jwt(asked: &str) -> bool {
    let mut parts = asked.split(';').map(str::trim);
    let is_meant = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(MEDIA_TYPE));
    let refused = |part: &str| {
        let weight = part.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("q"));
        weight.is_some_and(|(_, weight)| weight.trim().parse() == Ok(0.0_f32))
    };
    is_meant && !parts.any(refused)
}

/// The answer, in the form that was asked for.
#[derive(Debug)]
enum Said {
    Plain(Option<Active>),
    Jwt(OutgoingToken),
}

/// Says what a token is good for, in one round trip.
#[derive(Debug)]
struct Introspect {
    request: Arc<ClientRequest>,
    token: Option<PresentedToken>,
    /// Whether the answer is to be a JWT.
    signed: bool,
    asks: Asks,
}

impl Introspect {
    fn new(tenant: &Tenant, request: Arc<ClientRequest>, signed: bool) -> Self {
        let text = request.form.get("token").unwrap_or_default();
        let token = PresentedToken::parse(text, &request.policy.keys, tenant);
        let asks = authenticate::asks(&request.presented);
        let asks = token.iter().fold(asks, |asks, token| asks.and(token.asks()));
        Self { request, token, signed, asks }
    }

    fn introspect(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Said, Stop<Refusal>> {
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
        let mut visible = live.filter(|(live, token_use)| may_see(caller, live, token_use));
        // Who may see every token knows everybody anyway.
        if let Some((live, _)) = visible.as_mut().filter(|_| !caller.introspect_any)
            && let Some(subject) = &live.subject
        {
            let config = &self.request.policy.config;
            live.subject = Some(Subject::from(&*config.subject_for(caller, subject)?));
        }
        let active = visible.map(|(live, token_use)| Active { live, token_use });
        match self.signed {
            true => Ok(Said::Jwt(self.as_jwt(active.as_ref(), caller, facts, cx)?)),
            false => Ok(Said::Plain(active)),
        }
    }

    /// RFC 9701 §5: for the caller alone, and of a type that is no access token; encrypted if it wants that.
    fn as_jwt(
        &self,
        active: Option<&Active>,
        caller: &Client,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<OutgoingToken, Need> {
        let ClientRequest { policy, .. } = &*self.request;
        let issuer = &cx.tenant.issuer;
        let answer = serde_json::to_value(Introspection { active, issuer })
            .map_err(|error| Unavailable::Defect(error.into()))?;
        let claims = Map::from_iter([
            ("iss".to_owned(), json!(issuer.as_str())),
            ("aud".to_owned(), json!(caller.client_id)),
            ("iat".to_owned(), json!(cx.now.as_secs())),
            ("token_introspection".to_owned(), answer),
        ]);
        let algorithm = caller.introspection_signed_response_alg;
        let algorithm = algorithm.unwrap_or(policy.config.tokens.signing_algorithm);
        match caller.introspection_encryption() {
            None => sign_later(&policy.keys, algorithm, TYP, &claims, cx),
            Some(encryption) => {
                let signed = sign(&policy.keys, algorithm, TYP, &claims, facts, cx)?;
                encrypt(caller, encryption, signed, facts).map(OutgoingToken::Whole)
            }
        }
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
            requested: RequestedClaims::default(),
            for_resources: !grant.audience.is_empty(),
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

/// A token that the caller may see, and of which kind it is.
#[derive(Debug)]
struct Active {
    live: LiveAccess,
    token_use: &'static str,
}

/// RFC 7662 §2.2.
struct Introspection<'a> {
    active: Option<&'a Active>,
    issuer: &'a Issuer,
}

impl Serialize for Introspection<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_map(None)?;
        answer.serialize_entry("active", &self.active.is_some())?;
        if let Some(Active { live, token_use }) = self.active {
            answer.serialize_entry("client_id", &live.client_id)?;
            // A client that acts for itself is its own subject (RFC 9068 §2.2).
            let subject = live.subject.as_ref().map(Subject::as_str);
            answer.serialize_entry("sub", subject.unwrap_or(live.client_id.as_str()))?;
            answer.serialize_entry("scope", &live.scope)?;
            answer.serialize_entry("aud", &live.audience)?;
            answer.serialize_entry("iss", self.issuer.as_str())?;
            answer.serialize_entry("iat", &live.issued_at.as_secs())?;
            answer.serialize_entry("exp", &live.expires_at.as_secs())?;
            answer.serialize_entry("token_use", token_use)?;
            if *token_use == "access_token" {
                // A refresh token is nothing to be presented at an API.
                answer.serialize_entry("token_type", "Bearer")?;
            }
            for (name, value) in live.claims.iter().filter(|(name, _)| !OURS.contains(&&***name)) {
                answer.serialize_entry(name, value)?;
            }
        }
        answer.end()
    }
}

/// What no claim of a token replaces.
const OURS: [&str; 10] =
    ["active", "client_id", "sub", "scope", "aud", "iss", "iat", "exp", "token_use", "token_type"];

impl Decision for Introspect {
    type Answer = Said;
    type Refusal = Refusal;

    fn prefetch(&self) -> Asks {
        self.asks.clone()
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<Said, Refusal>, Need> {
        self.introspect(facts, cx).map(Outcome::answer).or_else(Stop::outcome)
    }
}
