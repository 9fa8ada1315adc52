//! `post_logout_redirect_uri` (OpenID Connect RP-Initiated Logout §2, §3).

use auth_core::ClientId;
use auth_core::http::Form;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::authorize::PageError;
use crate::client::Client;
use crate::explain::Explained;
use crate::refusal::ErrorCode;

/// Where a browser goes after a logout: a URI of the client, byte for byte as it is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PostLogoutRedirect {
    pub(crate) client_id: ClientId,
    uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

impl PostLogoutRedirect {
    /// Checks what a request asks for.
    pub(crate) fn check(form: &Form, client: Option<&Client>) -> Result<Option<Self>, PageError> {
        let Some(uri) = form.get("post_logout_redirect_uri") else { return Ok(None) };
        let refuse = |text| {
            let error = PageError::new(ErrorCode::InvalidRequest, text);
            let section = "OpenID Connect RP-Initiated Logout §2, §3";
            Err(error.by_parameter(section, "post_logout_redirect_uri", form))
        };
        let Some(client) = client else {
            return refuse(
                "the parameter 'post_logout_redirect_uri' needs id_token_hint or client_id with it",
            );
        };
        let redirect = Self {
            client_id: client.client_id.clone(),
            uri: uri.to_owned(),
            state: form.get("state").map(str::to_owned),
        };
        if !redirect.is_registered(client) {
            return refuse(
                "the parameter 'post_logout_redirect_uri' is not one that the client registered; \
                 they are compared byte by byte",
            );
        }
        Ok(Some(redirect))
    }

    /// Whether the client registers it now.
    pub(crate) fn is_registered(&self, client: &Client) -> bool {
        client.post_logout_redirect_uris.contains(&self.uri)
    }

    /// The URL with the request's `state`.
    pub(crate) fn url(&self) -> String {
        let Some(state) = &self.state else { return self.uri.clone() };
        // A blank as `%20`, which every decoder reads alike.
        let state: String = form_urlencoded::byte_serialize(state.as_bytes()).collect();
        let state = state.replace('+', "%20");
        let separator = if self.uri.contains('?') { '&' } else { '?' };
        format!("{}{separator}state={state}", self.uri)
    }
}
