//! [`AuthorizationRequest`]: a validated request, compact enough to travel in a challenge.

use auth_core::challenge::Display;
use auth_core::decision::{Cx, Facts};
use auth_core::http::Form;
use auth_core::{ClientId, Scopes};
use serde::{Deserialize, Serialize};

use crate::authorize::{
    AuthorizeRefusal, RedirectError, Reference, ValidatedRedirect, check, request_object,
};
use crate::client::{Client, ResponseType};
use crate::explain::Explained;
use crate::provider::{Config, Policy};
use crate::refusal::ErrorCode;
use crate::session::id_token_hint;
use crate::stop::Stop;
use crate::token::requested_claims::RequestedClaims;

/// What a client asks of the authorization endpoint (OpenID Connect Core §3.1.2.1). Every member has
/// passed its check; only [`AuthorizationRequest::check`] makes one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: ClientId,
    #[serde(default)]
    pub(crate) response_type: ResponseType,
    pub(crate) redirect: ValidatedRedirect,
    pub(crate) scope: Scopes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code_challenge: Option<String>,
    #[serde(default, skip_serializing_if = "Prompt::is_empty")]
    pub(crate) prompt: Prompt,
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login_hint: Option<String>,
    /// The subject of `id_token_hint`, verified, or of `claims`: as the client knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hinted_subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ui_locales: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) display: Option<Display>,
    /// The levels that will do, of those known here; one of them must be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) acr_values: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) audience: Vec<String>,
    #[serde(default, skip_serializing_if = "RequestedClaims::is_empty")]
    pub(crate) claims: RequestedClaims,
    /// Scopes beyond `scope` that release some of `claims`, and nothing else.
    #[serde(default, skip_serializing_if = "Scopes::is_empty")]
    pub(crate) claims_scope: Scopes,
    /// By which it was pushed: it is answered once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pushed: Option<Reference>,
}

/// `prompt` (OpenID Connect Core §3.1.2.1), without `none`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prompt {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) none: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) login: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) consent: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) select_account: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) create: bool,
}

impl Prompt {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a session that is there will not do: the person proves who they are, or makes an account.
    pub(crate) fn is_for_a_new_sign_in(&self) -> bool {
        self.login || self.create
    }
}

impl AuthorizationRequest {
    /// Applies every rule: those of a request object first, then that of the redirect URI.
    pub(crate) fn validate(
        form: &Form,
        client: &Client,
        policy: &Policy,
        pushed: Option<Reference>,
        facts: &Facts,
        cx: &Cx<'_>,
    ) -> Result<Self, Stop<AuthorizeRefusal>> {
        let tenant = cx.tenant;
        let signed =
            policy.config.require_signed_request_object || client.require_signed_request_object;
        let form = &*request_object::parameters(form, client, signed, facts, cx)?;
        let redirect = check::redirect_uri(form, client, &tenant.issuer)?;
        let hinted = match form.get("id_token_hint") {
            None => None,
            Some(hint) => {
                let read = id_token_hint::read(hint, &policy.keys, facts, tenant)?;
                Some(read.map_err(|_| {
                    let text = "the parameter 'id_token_hint' is not an id token of this provider";
                    let error = RedirectError::new(&redirect, ErrorCode::InvalidRequest, text);
                    error.by_parameter("OpenID Connect Core §3.1.2.1", "id_token_hint", form)
                })?)
            }
        };
        let hinted = hinted.map(|hint| hint.subject);
        let required = policy.config.require_pushed_authorization_requests
            || client.require_pushed_authorization_requests;
        if required && pushed.is_none() {
            let text =
                "the client must push its requests to the pushed_authorization_request_endpoint";
            let error = RedirectError::new(&redirect, ErrorCode::InvalidRequest, text);
            return Err(error.by("RFC 9126 §5, §6").into());
        }
        let request = Self::check(form, client, redirect, hinted, &policy.config)?;
        Ok(Self { pushed, ..request })
    }

    /// The rules that come after the redirect URI, in the order of the rows here.
    fn check(
        form: &Form,
        client: &Client,
        redirect: ValidatedRedirect,
        hinted_subject: Option<String>,
        config: &Config,
    ) -> Result<Self, RedirectError> {
        check::unsupported(form, &redirect)?;
        let response_type = check::response_type(form, client, config.response_types, &redirect)?;
        check::entropy(form, &redirect)?;
        let scope = check::scope(form, client, response_type, &redirect)?;
        let code_challenge = match response_type.has_code() {
            true => check::pkce(form, client, config.pkce, &redirect)?,
            false => None,
        };
        let prompt = check::prompt(form, config.registration, &redirect)?;
        let max_age = check::max_age(form, client, &redirect)?;
        let audience = check::resource::check(form, client, &redirect)?;
        let claims = match scope.contains("openid") {
            true => check::claims(form, &redirect)?,
            false => RequestedClaims::default(),
        };
        let hinted_subject = match (hinted_subject, claims.subject()) {
            (Some(hinted), Some(asked)) if hinted != asked => {
                let text = "the parameters 'id_token_hint' and 'claims' name different people";
                return Err(RedirectError::new(&redirect, ErrorCode::InvalidRequest, text));
            }
            (hinted, asked) => hinted.or_else(|| asked.map(str::to_owned)),
        };
        let text = |name: &str| form.get(name).map(str::to_owned);
        // Levels are ordered: what is stronger than the weakest that is asked for will do as well.
        let asked = form.get("acr_values").unwrap_or_default();
        let is_asked = |known: &String| asked.split(' ').any(|level| level == known);
        let weakest = config.acr_values.iter().position(is_asked);
        let mut acr_values = claims.essential_levels();
        if acr_values.is_empty() {
            acr_values = weakest.map_or(Vec::new(), |from| config.acr_values[from..].to_vec());
        }
        Ok(Self {
            client_id: client.client_id.clone(),
            response_type,
            nonce: text("nonce"),
            code_challenge,
            prompt,
            max_age,
            login_hint: text("login_hint"),
            hinted_subject,
            ui_locales: text("ui_locales"),
            display: Display::ALL.into_iter().find(|it| form.get("display") == Some(it.as_str())),
            acr_values,
            audience,
            claims_scope: claims.scopes(&scope, &client.scope, config),
            claims,
            scope,
            redirect,
            pushed: None,
        })
    }

    /// What the person is asked to consent to.
    pub(crate) fn scope_to_consent(&self) -> Scopes {
        self.claims_scope.iter().fold(self.scope.clone(), |mut scope, of_claims| {
            scope.insert(of_claims);
            scope
        })
    }
}
