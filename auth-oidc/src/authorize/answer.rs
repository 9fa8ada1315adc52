//! The answer to a request that is permitted: a code, tokens, or both (OpenID Connect Core §3.1.2.5, §3.2.2.5,
//! §3.3.2.5).

use auth_core::decision::{Cx, Facts, Unavailable};
use auth_core::record::{Tag, Unknown};
use auth_core::seal::{Artefact, Handle, Lineage};
use auth_core::store::MainWrite;
use auth_core::{GrantId, Identity, Scopes, Secret};

use crate::authorize::decide::gone;
use crate::authorize::{
    AuthorizationRequest, AuthorizationResponse, AuthorizeRefusal, PushedRequest, RedirectError,
};
use crate::client::Client;
use crate::provider::Policy;
use crate::refusal::ErrorCode;
use crate::session::check_session::session_state;
use crate::stop::Stop;
use crate::token::OutgoingToken;
use crate::token::access::{AccessRequest, lineage};
use crate::token::claims::active_identity;
use crate::token::code::AuthorizationCode;
use crate::token::grant::{ExtraClaims, Generations, Grant, SignIn};
use crate::token::id::{IdTokenRequest, Release};

/// What is given: to a validated request, for an established sign-in, what was consented to.
pub(crate) struct AnswerRequest<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) client: &'a Client,
    pub(crate) request: &'a AuthorizationRequest,
    pub(crate) sign_in: &'a SignIn,
    /// At most what was asked for.
    pub(crate) granted: &'a Scopes,
    pub(crate) extra: ExtraClaims,
    pub(crate) generations: Generations,
}

impl AnswerRequest<'_> {
    /// The answer to the client, and what must be committed first.
    pub(crate) fn issue(
        self,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<(AuthorizationResponse, Vec<MainWrite>), Stop<AuthorizeRefusal>> {
        let response_type = self.request.response_type;
        let to = &self.request.redirect;
        // The request was checked when it came, and the person may have taken their time.
        if !self.client.may_ask_for(response_type)
            || !self.policy.config.response_types.permits(response_type)
        {
            let text = "the client may not ask for this response type any more";
            return Err(RedirectError::new(to, ErrorCode::UnauthorizedClient, text).into());
        }
        let grant_id = GrantId::new(cx.now, &mut cx.rng);
        let record = self.record(cx);
        if record.audience.is_empty() && !self.request.audience.is_empty() {
            let text = "the client may not have any of these resources any more";
            return Err(RedirectError::new(to, ErrorCode::InvalidTarget, text).into());
        }
        if response_type.has_id_token() && !record.scope.contains("openid") {
            let text = "openid was not granted, which an id token needs";
            return Err(RedirectError::new(to, ErrorCode::AccessDenied, text).into());
        }
        let mut parameters = Vec::new();
        let mut writes = Vec::new();
        if let Some(reference) = &self.request.pushed {
            let pushed = facts.read(&PushedRequest::at(reference))?.ok_or_else(gone)?;
            writes.push(pushed.delete());
        }
        let code = response_type.has_code().then(|| self.code(grant_id, cx));
        if let Some((code, handle)) = &code {
            parameters.push(("code", code.expose().to_owned()));
            writes.push(AuthorizationCode::at(&handle.digest).create(&record));
        }
        if response_type.has_token() || response_type.has_id_token() {
            let grant = Grant::of(&record, self.client, &self.policy.config, cx.now);
            let Some(identity) = active_identity(&self.sign_in.subject, facts)? else {
                let text = "the account is disabled or deleted";
                return Err(RedirectError::new(to, ErrorCode::AccessDenied, text).into());
            };
            let tokens =
                FrontChannel { answer: &self, grant_id, grant: &grant, identity: &identity };
            let access = match response_type.has_token() {
                true => Some(tokens.access_token(&mut parameters, &mut writes, facts, cx)?),
                false => None,
            };
            if response_type.has_id_token() {
                let code = code.as_ref().map(|(code, _)| code);
                let id_token = tokens.id_token(access.as_ref(), code, facts, cx)?;
                parameters.push(("id_token", id_token.expose().to_owned()));
            }
        }
        if self.policy.config.session_management && record.scope.contains("openid") {
            let salt = cx.rng.bytes();
            let (client_id, sid) = (&self.request.client_id, &self.sign_in.sid);
            let state = session_state(client_id, to.uri(), sid, salt);
            parameters.extend(state.map(|state| ("session_state", state)));
        }
        Ok((self.request.redirect.respond(parameters), writes))
    }

    /// What was granted, as a code holds it, without what the client lost since it asked.
    fn record(&self, cx: &Cx<'_>) -> AuthorizationCode {
        let mut audience = self.request.audience.clone();
        audience.retain(|resource| self.client.audience.contains(resource));
        let scope = self.granted.intersection(&self.request.scope);
        let lifetime = self.policy.config.tokens.authorization_code_lifetime;
        AuthorizationCode {
            client_id: self.request.client_id.clone(),
            redirect_uri: self.request.redirect.uri().to_owned(),
            code_challenge: self.request.code_challenge.clone(),
            nonce: self.request.nonce.clone(),
            scope: scope.intersection(&self.client.scope),
            audience,
            claims: self.request.claims.clone().granted(self.granted, &self.policy.config),
            sign_in: self.sign_in.clone(),
            extra: self.extra.clone(),
            generations: self.generations,
            expires_at: cx.now.saturating_add(lifetime),
            used: false,
            granted: self.request.response_type.has_token(),
            unknown: Unknown::default(),
        }
    }

    fn code(&self, grant_id: GrantId, cx: &mut Cx<'_>) -> (Secret, Handle) {
        let sign_in = self.sign_in;
        let granted = Some((grant_id, Some(sign_in.sid), &sign_in.subject));
        let lineage: Lineage = lineage(cx, &self.request.client_id, granted);
        let tenant = cx.tenant;
        let artefact = Artefact::AuthorizationCode;
        Handle::mint(&tenant.keys, &mut cx.rng, artefact, tenant.id, cx.now, lineage)
    }
}

/// Tokens that travel through the browser.
struct FrontChannel<'a> {
    answer: &'a AnswerRequest<'a>,
    grant_id: GrantId,
    grant: &'a Grant,
    identity: &'a Identity,
}

impl FrontChannel<'_> {
    /// An access token with its parameters (RFC 6749 §4.2.2), and the grant that it descends from.
    fn access_token(
        &self,
        parameters: &mut Vec<(&'static str, String)>,
        writes: &mut Vec<MainWrite>,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Secret, auth_core::decision::Need> {
        let policy = self.answer.policy;
        let access = AccessRequest {
            config: &policy.config,
            keys: &policy.keys,
            client: self.answer.client,
            granted: Some((self.grant_id, self.grant, self.identity)),
            scope: &self.grant.scope,
            audience: &self.grant.audience,
            generations: self.grant.generations,
            at_once: true,
        }
        .issue(facts, cx)?;
        let OutgoingToken::Whole(token) = access.token else {
            return Err(Unavailable::Defect("an access token without its text".into()).into());
        };
        parameters.extend([
            ("access_token", token.expose().to_owned()),
            ("token_type", "Bearer".to_owned()),
            ("expires_in", access.expires_in.as_secs().to_string()),
            ("scope", self.grant.scope.to_string()),
        ]);
        writes.push(Grant::at(&self.grant_id).create(self.grant));
        writes.extend(access.write);
        Ok(token)
    }

    fn id_token(
        &self,
        access_token: Option<&Secret>,
        code: Option<&Secret>,
        facts: &Facts,
        cx: &mut Cx<'_>,
    ) -> Result<Secret, auth_core::decision::Need> {
        let policy = self.answer.policy;
        IdTokenRequest {
            config: &policy.config,
            keys: &policy.keys,
            client: self.answer.client,
            grant: self.grant,
            scope: &self.grant.scope,
            identity: self.identity,
            nonce: self.answer.request.nonce.as_deref(),
            access_token,
            code,
            // Without an access token nobody can ask the userinfo endpoint (OpenID Connect Core §5.4).
            release: match (access_token, code) {
                (None, None) => Release::Scopes,
                _ => Release::Nothing,
            },
        }
        .issue_at_once(facts, cx)
    }
}

/// The lineage of what stands between a subject and a client, without a grant.
pub(crate) fn relation(cx: &Cx<'_>, request: &AuthorizationRequest, sign_in: &SignIn) -> Lineage {
    let mut lineage = Lineage::default();
    lineage.client = Some(Tag::client(cx.tenant.id, request.client_id.as_str()));
    lineage.subject = Some(Tag::subject(cx.tenant.id, sign_in.subject.as_str()));
    lineage.session = Some(sign_in.sid);
    lineage
}
