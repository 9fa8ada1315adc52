//! The client credentials grant (RFC 6749 §4.4).

use std::sync::Arc;

use auth_core::Scopes;
use auth_core::decision::{Asks, Cx, Decision, Facts, Need, Outcome};

use crate::authorize::check::resource::granted_audience;
use crate::client::authenticate;
use crate::client::{Client, GrantType};
use crate::explain::Explained;
use crate::grant::{ClientRequest, TokenResponse};
use crate::refusal::{ErrorCode, Refusal};
use crate::stop::Stop;
use crate::token::access::AccessRequest;
use crate::token::grant::Generations;

/// Gives a client a token of its own.
#[derive(Debug)]
pub(crate) struct ClientCredentials {
    request: Arc<ClientRequest>,
    asks: Asks,
}

impl ClientCredentials {
    pub(crate) fn new(request: Arc<ClientRequest>) -> Self {
        let asks = authenticate::asks(&request.presented);
        Self { request, asks }
    }

    fn issue(
        &self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Outcome<TokenResponse, Refusal>, Stop<Refusal>> {
        let authenticated = authenticate::authenticate(&self.request.presented, facts, cx)?;
        let client = authenticated.client();
        if !client.may_use(GrantType::ClientCredentials) || client.is_public() {
            let text = "the client is not registered for the client_credentials grant";
            return Err(Refusal::new(ErrorCode::UnauthorizedClient, text).into());
        }
        let scope = self.scope(client)?;
        let audience = granted_audience(&self.request.form, &client.audience)
            .map_err(|text| Refusal::new(ErrorCode::InvalidTarget, text))
            .map_err(|it| it.by_parameter("RFC 8707 §2", "resource", &self.request.form))?;
        let access = AccessRequest {
            config: &self.request.policy.config,
            keys: &self.request.policy.keys,
            client,
            granted: None,
            scope: &scope,
            audience: &audience,
            generations: Generations {
                client: authenticated.generation(),
                ..Generations::default()
            },
            at_once: false,
        }
        .issue(facts, cx)?;
        let response = TokenResponse {
            access_token: access.token,
            token_type: "Bearer",
            expires_in: access.expires_in.as_secs(),
            scope: scope.to_string(),
            refresh_token: None,
            id_token: None,
        };
        match access.write {
            Some(write) => Ok(Outcome::commit(cx.batch().write(write), Ok(response))?),
            None => Ok(Outcome::answer(response)),
        }
    }

    /// What is asked for, with the client's default scopes; nothing is granted by asking for nothing.
    fn scope(&self, client: &Client) -> Result<Scopes, Refusal> {
        let refuse = |text: String| {
            let refusal = Refusal::new(ErrorCode::InvalidScope, text);
            refusal.by_parameter("RFC 6749 §3.3", "scope", &self.request.form)
        };
        let asked = Scopes::parse(self.request.form.get("scope").unwrap_or_default())
            .map_err(|error| refuse(error.to_string()))?;
        if let Some(other) = asked.iter().find(|scope| !client.scope.contains(scope)) {
            return Err(refuse(format!("the client may not ask for the scope '{other}'")));
        }
        Ok(client.default_scope.iter().fold(asked, |mut scope, default| {
            scope.insert(default);
            scope
        }))
    }
}

impl Decision for ClientCredentials {
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
        self.issue(facts, cx).or_else(Stop::outcome)
    }
}
