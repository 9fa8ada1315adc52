//! The userinfo endpoint (OpenID Connect Core §5.3).

use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::http::{Form, Request, Response, json, jwt};
use auth_core::{ClientId, Denied, Secret, Tenant, bearer_token};
use http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::client::encryption::encrypt;
use crate::client::{ClaimTarget, Client, ClientRecord};
use crate::explain::{Explained, Rule, explain};
use crate::provider::{Policy, Provider};
use crate::refusal::Refusal;
use crate::token::claims::{ClaimRequest, active_identity};
use crate::token::presented::{LiveAccess, PresentedAccess};
use crate::token::{OutgoingToken, sign, sign_later};

pub(super) async fn answer(provider: &Provider, request: &Request) -> Response {
    let token = match token(provider, request) {
        Ok(token) => token,
        Err(response) => return response,
    };
    let policy = match provider.policy().await {
        Ok(policy) => policy,
        Err(cause) => return Denied::Unavailable(cause).response(),
    };
    let userinfo = UserInfo::new(provider.tenant(), policy, &token);
    match provider.driver().run(provider.tenant(), &userinfo).await {
        Err(cause) => Denied::Unavailable(cause).response(),
        Ok(Err(denied)) => refused(&denied),
        Ok(Ok(Said::Plain(claims))) => json(StatusCode::OK, &claims),
        Ok(Ok(Said::Jwt(claims))) => jwt("application/jwt", claims.text()),
    }
}

/// The token from the header, or from the body of a form (RFC 6750 §2); from one of them only, and
/// never from the query.
fn token(provider: &Provider, request: &Request) -> Result<Secret, Response> {
    let has_form = request.method() == Method::POST && !request.body().is_empty();
    let form = match has_form {
        true => Form::from_body(request.headers(), request.body())
            .map_err(|error| provider.refuse(&Refusal::from(error)))?,
        false => Form::default(),
    };
    let in_body = form.get("access_token").map(Secret::new);
    match (request.headers().contains_key(header::AUTHORIZATION), in_body) {
        (true, Some(_)) => {
            let text = "the access token is sent in more than one way";
            Err(provider.refuse(&Refusal::invalid_request(text).by("RFC 6750 §2")))
        }
        (false, Some(token)) => Ok(token),
        _ => bearer_token(request.headers()).map_err(|denied| refused(&denied)),
    }
}

/// The answer, after the log line that every refusal has.
fn refused(denied: &Denied) -> Response {
    let error = match denied {
        Denied::InvalidToken => "invalid_token",
        Denied::InsufficientScope(_) => "insufficient_scope",
        // Nothing was sent, or nothing is wrong with what was.
        _ => return denied.response(),
    };
    explain(error, &denied.to_string(), Some(&Rule::of("RFC 6750 §3.1, OpenID Connect Core §5.3")));
    denied.response()
}

/// The type of a signed answer, which is no id token.
const TYP: &str = "userinfo+jwt";

/// The claims, in the form that the client registered (OpenID Connect Core §5.3.2).
#[derive(Debug)]
enum Said {
    Plain(Map<String, Value>),
    Jwt(OutgoingToken),
}

/// Says what the person permits the client to know.
#[derive(Debug)]
struct UserInfo {
    policy: Policy,
    token: Option<PresentedAccess>,
}

impl UserInfo {
    fn new(tenant: &Tenant, policy: Policy, token: &Secret) -> Self {
        let token = PresentedAccess::parse(token.expose(), &policy.keys, tenant);
        Self { policy, token }
    }
}

impl Decision for UserInfo {
    type Answer = Said;
    type Refusal = Denied;

    fn prefetch(&self) -> Asks {
        self.token.as_ref().map(PresentedAccess::asks).unwrap_or_default()
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<Said, Denied>, Need> {
        let live = match &self.token {
            Some(token) => token.live(facts, cx.now)?,
            None => None,
        };
        // What a client was given for a resource is in the hands of that resource, too.
        let for_us = |live: &LiveAccess| {
            !live.for_resources || live.is_for_us(cx.tenant, &self.policy.config)
        };
        let Some(live) = live.filter(for_us) else {
            return Ok(Outcome::refuse(Denied::InvalidToken));
        };
        let Some(subject) = live.subject.filter(|_| live.scope.contains("openid")) else {
            return Ok(Outcome::refuse(Denied::InsufficientScope("openid".to_owned())));
        };
        let Some(client) = client(&live.client_id, facts)? else {
            return Ok(Outcome::refuse(Denied::InvalidToken));
        };
        let Some(identity) = active_identity(&subject, facts)? else {
            return Ok(Outcome::refuse(Denied::InvalidToken));
        };
        let mut claims = ClaimRequest {
            config: &self.policy.config,
            client: &client.value.client,
            scope: &live.scope,
            identity: Some(&identity),
            target: ClaimTarget::UserInfo,
            of_scopes: true,
            requested: Some(&live.requested),
        }
        .claims(facts)?;
        let client = &client.value.client;
        let sub = self.policy.config.subject_for(client, &subject)?;
        claims.insert("sub".to_owned(), json!(sub));
        if client.userinfo_signed_response_alg.is_some() {
            claims.insert("iss".to_owned(), json!(cx.tenant.issuer.as_str()));
            claims.insert("aud".to_owned(), json!(client.client_id));
        }
        self.said(client, claims, facts, cx).map(Outcome::answer)
    }
}

impl UserInfo {
    /// In the form that the client registered.
    fn said(
        &self,
        client: &Client,
        claims: Map<String, Value>,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Said, Need> {
        let keys = &self.policy.keys;
        let token = match (client.userinfo_signed_response_alg, client.userinfo_encryption()) {
            (None, None) => return Ok(Said::Plain(claims)),
            (Some(algorithm), None) => sign_later(keys, algorithm, TYP, &claims, cx)?,
            (algorithm, Some(encryption)) => {
                let text = match algorithm {
                    Some(algorithm) => sign(keys, algorithm, TYP, &claims, facts, cx)?,
                    None => Secret::new(Value::Object(claims).to_string()),
                };
                OutgoingToken::Whole(encrypt(client, encryption, text, facts)?)
            }
        };
        Ok(Said::Jwt(token))
    }
}

fn client(
    id: &ClientId,
    facts: &Facts,
) -> Result<Option<std::sync::Arc<auth_core::record::Found<ClientRecord>>>, Need> {
    let key = ClientRecord::at(id);
    facts.require(Asks::none().read_cached(&key))?;
    Ok(facts.read(&key)?.filter(|client| !client.value.disabled))
}
