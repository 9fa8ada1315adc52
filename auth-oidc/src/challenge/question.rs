//! [`Challenge`]: a question with all that its answer is decided by.

use std::time::Duration;

use auth_core::challenge::{ConsentRequest, LoginRequest, LogoutRequest, Pending};
use auth_core::http::preferred_locales;
use auth_core::page::ClientView;
use auth_core::{ChallengeId, Scopes, SessionId, Subject, Timestamp};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::authorize::AuthorizationRequest;
use crate::challenge::browser::BrowserId;
use crate::client::Client;
use crate::session::post_logout::PostLogoutRedirect;
use crate::token::grant::{ExtraClaims, SignIn};

/// A question to the person in one browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Challenge {
    pub(crate) id: ChallengeId,
    pub(crate) browser: BrowserId,
    pub(crate) asked_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) question: Question,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    Login(Box<LoginQuestion>),
    Consent(Box<ConsentQuestion>),
    Logout(LogoutQuestion),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LoginQuestion {
    pub(crate) request: AuthorizationRequest,
    /// Who is signed in and may go on without proving it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signed_in: Option<SignIn>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConsentQuestion {
    pub(crate) request: AuthorizationRequest,
    pub(crate) sign_in: SignIn,
    #[serde(default)]
    pub(crate) context: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogoutQuestion {
    pub(crate) sid: SessionId,
    pub(crate) subject: Subject,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_name: Option<String>,
    /// Where the browser goes after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) redirect: Option<PostLogoutRedirect>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ui_locales: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) logout_hint: Option<String>,
}

/// An answer, as it is stored until the browser comes for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Login {
        subject: Subject,
        remember: bool,
        /// In seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remember_for: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acr: Option<String>,
        #[serde(default)]
        amr: Vec<String>,
        #[serde(default)]
        context: Value,
        #[serde(default)]
        continued: bool,
        answered_at: Timestamp,
    },
    Consent {
        grant_scope: Scopes,
        remember: bool,
        /// In seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remember_for: Option<u64>,
        extra: ExtraClaims,
    },
    Logout,
    Reject {
        error: String,
        description: String,
    },
}

impl Challenge {
    pub(crate) fn new(
        id: ChallengeId,
        browser: BrowserId,
        now: Timestamp,
        lifetime: Duration,
        question: Question,
    ) -> Self {
        let expires_at = now.saturating_add(lifetime);
        Self { id, browser, asked_at: now, expires_at, question }
    }

    /// The client that is asked for, if there is one.
    pub(crate) fn request(&self) -> Option<&AuthorizationRequest> {
        match &self.question {
            Question::Login(login) => Some(&login.request),
            Question::Consent(consent) => Some(&consent.request),
            Question::Logout(_) => None,
        }
    }

    fn ui_locales(&self) -> Option<&str> {
        match &self.question {
            Question::Logout(logout) => logout.ui_locales.as_deref(),
            _ => self.request()?.ui_locales.as_deref(),
        }
    }

    /// The languages to ask in: those of the request before those of the browser.
    pub(crate) fn locales(&self, headers: &HeaderMap) -> Vec<String> {
        preferred_locales(self.ui_locales(), headers)
    }

    /// The question as others see it, under the challenge `text`.
    pub(crate) fn pending(&self, text: String, client: Option<&Client>) -> Pending {
        let view = |request: &AuthorizationRequest| view(client, request);
        let locales = preferred_locales(self.ui_locales(), &HeaderMap::new());
        match &self.question {
            Question::Login(login) => {
                let request = &login.request;
                let mut pending = LoginRequest::new(text, request.client_id.clone(), view(request));
                pending.requested_scope = request.scope.clone();
                pending.skip = login.signed_in.is_some();
                pending.subject = login.signed_in.as_ref().map(|s| s.subject.clone());
                pending.login_hint = request.login_hint.clone();
                pending.select_account = request.prompt.select_account;
                pending.create = request.prompt.create;
                pending.display = request.display;
                pending.ui_locales = locales;
                pending.acr_values = request.acr_values.clone();
                Pending::Login(pending)
            }
            Question::Consent(consent) => {
                let request = &consent.request;
                let mut pending = ConsentRequest::new(
                    text,
                    request.client_id.clone(),
                    view(request),
                    consent.sign_in.subject.clone(),
                    request.scope_to_consent(),
                );
                pending.optional_scope = client
                    .map(|client| request.scope_to_consent().intersection(&client.optional_scope))
                    .unwrap_or_default();
                pending.ui_locales = locales;
                pending.context = consent.context.clone();
                Pending::Consent(pending)
            }
            Question::Logout(logout) => {
                let mut pending = LogoutRequest::new(text, logout.subject.clone(), logout.sid);
                pending.client = logout.client_name.as_ref().map(|name| {
                    let mut view = ClientView::default();
                    view.name.clone_from(name);
                    view
                });
                pending.logout_hint.clone_from(&logout.logout_hint);
                pending.ui_locales = locales;
                Pending::Logout(pending)
            }
        }
    }
}

fn view(client: Option<&Client>, request: &AuthorizationRequest) -> ClientView {
    let mut view = ClientView::default();
    view.name = request.client_id.to_string();
    if let Some(client) = client {
        if !client.client_name.is_empty() {
            view.name.clone_from(&client.client_name);
        }
        view.logo_uri.clone_from(&client.logo_uri);
        view.client_uri.clone_from(&client.client_uri);
        view.policy_uri.clone_from(&client.policy_uri);
        view.tos_uri.clone_from(&client.tos_uri);
    }
    let uri = crate::client::RedirectUri::register(request.redirect.uri());
    view.redirect_host = uri.ok().and_then(|uri| uri.host());
    view
}
