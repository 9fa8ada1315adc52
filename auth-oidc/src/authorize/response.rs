//! Response modes, and where a response may go.

use std::fmt;

use auth_core::page::FormPostPage;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

/// How the parameters of a response travel (OAuth 2.0 Multiple Response Type Encoding Practices §2.1,
/// OAuth 2.0 Form Post Response Mode).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResponseMode {
    Query,
    Fragment,
    FormPost,
}

impl ResponseMode {
    pub(crate) const ALL: [Self; 3] = [Self::Query, Self::Fragment, Self::FormPost];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }
}

/// A redirect URI that is the client's; only [`check::redirect_uri`](super::check::redirect_uri) makes
/// one. With it travels what every response needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ValidatedRedirect {
    pub(super) uri: String,
    pub(super) mode: ResponseMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    pub(super) issuer: String,
}

impl ValidatedRedirect {
    /// The URI as it was sent.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// The answer with these parameters, and with `state` and `iss` (RFC 9207).
    pub(crate) fn respond(
        &self,
        parameters: impl IntoIterator<Item = (&'static str, String)>,
    ) -> AuthorizationResponse {
        let mut parameters: Vec<_> = parameters.into_iter().collect();
        if let Some(state) = &self.state {
            parameters.push(("state", state.clone()));
        }
        parameters.push(("iss", self.issuer.clone()));
        let encoded = || {
            let mut form = form_urlencoded::Serializer::new(String::new());
            parameters.iter().for_each(|(name, value)| {
                form.append_pair(name, value);
            });
            form.finish()
        };
        match self.mode {
            ResponseMode::Query => {
                let separator = if self.uri.contains('?') { '&' } else { '?' };
                AuthorizationResponse::Redirect(format!("{}{separator}{}", self.uri, encoded()))
            }
            ResponseMode::Fragment => {
                AuthorizationResponse::Redirect(format!("{}#{}", self.uri, encoded()))
            }
            ResponseMode::FormPost => {
                let parameters = parameters.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
                AuthorizationResponse::FormPost(FormPostPage::new(self.uri.clone(), parameters))
            }
        }
    }
}

/// An answer to the client, by way of the browser.
#[derive(Clone)]
pub(crate) enum AuthorizationResponse {
    /// 303 to this URL.
    Redirect(String),
    /// A page that posts itself.
    FormPost(FormPostPage),
}

impl fmt::Debug for AuthorizationResponse {
    /// Without the parameters, one of which is a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redirect(_) => "Redirect(…)",
            Self::FormPost(_) => "FormPost(…)",
        })
    }
}
