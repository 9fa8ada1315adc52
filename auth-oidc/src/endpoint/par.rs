//! The pushed authorization request endpoint (RFC 9126 §2).

use std::convert::identity;
use std::sync::Arc;

use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};
use auth_core::http::{Request, Response, json};
use http::StatusCode;
use serde::Serialize;

use crate::authorize::{AuthorizationRequest, AuthorizeRefusal, PushedRequest, Reference};
use crate::challenge::reserve_storage;
use crate::client::authenticate;
use crate::endpoint::authorize::MAX_LEN;
use crate::endpoint::back_channel::BackChannel;
use crate::grant::ClientRequest;
use crate::provider::Provider;
use crate::refusal::{ErrorCode, Refusal};
use crate::stop::Stop;

#[derive(Serialize)]
struct Pushed {
    request_uri: String,
    expires_in: u64,
}

pub(super) async fn answer(provider: &Provider, request: &Request) -> Response {
    if request.body().len() > MAX_LEN {
        let text = "the authorization request is longer than 16 KiB";
        return provider.refuse(&Refusal::invalid_request(text));
    }
    let channel = match BackChannel::open(provider, request, identity).await {
        Ok(channel) => channel,
        Err(response) => return response,
    };
    let source = provider.source(request);
    let push = Push {
        asks: authenticate::asks(&channel.request().presented),
        request: channel.request(),
        source,
    };
    let decided = channel.decide(&push).await;
    decided.map_or_else(
        |response| response,
        |request_uri| {
            let expires_in = PushedRequest::LIFETIME.as_secs();
            json(StatusCode::CREATED, &Pushed { request_uri, expires_in })
        },
    )
}

/// Keeps a request of a client, validated as the authorization endpoint validates it.
#[derive(Debug)]
struct Push {
    request: Arc<ClientRequest>,
    source: String,
    asks: Asks,
}

impl Push {
    fn push(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<String, Refusal>, Stop<Refusal>> {
        let ClientRequest { policy, presented, form } = &*self.request;
        let client = authenticate::authenticate(presented, facts, cx)?;
        let client = client.client();
        if form.contains("request_uri") {
            let text = "the parameter 'request_uri' cannot be pushed";
            return Err(Refusal::invalid_request(text).into());
        }
        if form.get("client_id").is_some_and(|id| id != client.client_id.as_str()) {
            let text = "the parameter 'client_id' is not the client that authenticated";
            return Err(Refusal::invalid_request(text).into());
        }
        let (request_uri, reference) = Reference::new(&mut cx.rng);
        AuthorizationRequest::validate(form, client, policy, Some(reference), facts, cx)
            .map_err(|stop| stop.map(refusal))?;
        if client.is_public() {
            // Whoever knows its name may push.
            reserve_storage(&self.source, facts, cx)?.ok_or_else(|| {
                let text = "too many pushed requests; try again in a minute";
                Refusal::new(ErrorCode::TemporarilyUnavailable, text)
            })?;
        }
        let interaction = policy.config.sessions.challenge_lifetime;
        let pushed = PushedRequest::new(client.client_id.clone(), form, cx.now, interaction);
        let write = PushedRequest::at(&reference).create(&pushed);
        Ok(Outcome::commit(cx.batch().write(write), Ok(request_uri))?)
    }
}

/// What the browser would have been shown, as the client is told (RFC 9126 §2.3).
fn refusal(refusal: AuthorizeRefusal) -> Refusal {
    match refusal {
        AuthorizeRefusal::Page(error) => {
            Refusal { rule: error.rule, ..Refusal::new(error.error, error.description) }
        }
        AuthorizeRefusal::Redirect(error) => {
            let code = ErrorCode::parse(&error.error).unwrap_or(ErrorCode::InvalidRequest);
            Refusal { rule: error.rule, ..Refusal::new(code, error.description) }
        }
    }
}

impl Decision for Push {
    type Answer = String;
    type Refusal = Refusal;

    fn prefetch(&self) -> Asks {
        self.asks.clone()
    }

    fn decide(&self, facts: &Facts, cx: &mut Cx<'_>) -> Result<Outcome<String, Refusal>, Need> {
        self.push(facts, cx).or_else(Stop::outcome)
    }
}
